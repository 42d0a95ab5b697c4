import assert from "node:assert/strict";
import { StateError } from "#src/errors.ts";
import { EntryTypes, walkEntries, type WalkOptions } from "#src/transfer/mod.ts";
import { findEntries } from "#src/tree/mod.ts";
import { directory, file, metadata, readModel, symlink } from "./_model.ts";

const TREE = directory({
  b: directory({ "2.txt": file("2"), "1.txt": file("1"), l: symlink("x") }),
  a: file("a"),
  c: directory({ d: directory({ "3.txt": file("3") }) }),
  pipe: { kind: "fifo", metadata: metadata("fifo") },
});

function paths(options: WalkOptions): string[] {
  return [...walkEntries(readModel(TREE), options)].map(({ path }) => path);
}

Deno.test("walkEntries() shows a directory, then what is in it, by name", () => {
  assert.deepEqual(paths({}), [
    "/",
    "/a",
    "/b",
    "/b/1.txt",
    "/b/2.txt",
    "/b/l",
    "/c",
    "/c/d",
    "/c/d/3.txt",
    "/pipe",
  ]);
  const steps = [...walkEntries(readModel(TREE), { from: "c" })];
  assert.deepEqual(steps.map(({ path, name, depth }) => [path, name, depth]), [
    ["/c", "c", 1],
    ["/c/d", "d", 2],
    ["/c/d/3.txt", "3.txt", 3],
  ]);
});

Deno.test("walkEntries() descends into directories that a filter hides", () => {
  assert.deepEqual(paths({ types: EntryTypes.FILE }), ["/a", "/b/1.txt", "/b/2.txt", "/c/d/3.txt"]);
  assert.deepEqual(paths({ types: EntryTypes.SYMLINK | EntryTypes.FIFO }), ["/b/l", "/pipe"]);
  assert.deepEqual(paths({ glob: "[13].txt" }), ["/b/1.txt", "/c/d/3.txt"]);
  assert.deepEqual(paths({ glob: "c/**" }), ["/c/d", "/c/d/3.txt"]);
  assert.deepEqual(paths({ filter: (path) => path.endsWith("d") }), ["/c/d"]);
});

Deno.test("walkEntries() counts only entries that pass the filter when it skips", () => {
  assert.deepEqual(paths({ types: EntryTypes.FILE, skip: 2 }), ["/b/2.txt", "/c/d/3.txt"]);
  assert.deepEqual(paths({ skip: 100 }), []);
});

Deno.test("walkEntries() leaves out the children of a directory on request", () => {
  const seen: string[] = [];
  for (const step of walkEntries(readModel(TREE))) {
    seen.push(step.path);
    if (step.path === "/b") step.skipChildren();
  }
  assert.deepEqual(seen, ["/", "/a", "/b", "/c", "/c/d", "/c/d/3.txt", "/pipe"]);
});

Deno.test("walkEntries() reads no further than to where it is stopped, and no contents", () => {
  const reader = readModel(TREE);
  let listings = 0;
  const counted = {
    ...reader,
    root: {
      ...reader.root,
      entries: () => {
        listings++;
        return Array.from(reader.root.entries(), ({ name, node }) => ({
          name,
          node: node.kind === "directory"
            ? { ...node, entries: () => (listings++, node.entries()) }
            : node.kind === "file"
            ? { ...node, open: () => assert.fail("content read") }
            : node,
        }));
      },
    },
  };
  const walk = walkEntries(counted);
  assert.equal(walk.next().value?.path, "/");
  assert.equal(listings, 0);
  for (const { path } of walk) if (path === "/b") break;
  assert.equal(listings, 1);
  assert.equal([...walkEntries(counted)].length, 10);
});

Deno.test("walkEntries() refuses to start where nothing is", () => {
  assert.throws(() => [...walkEntries(readModel(TREE), { from: "/nope" })], StateError);
});

Deno.test("findEntries() answers in the order of the question", () => {
  const reader = readModel(TREE);
  const kinds = findEntries(reader, ["/c/d", "/nope", "/", "/a/b", "/c/d/3.txt", "c/d/4.txt"])
    .map((entry) => entry?.kind);
  assert.deepEqual(kinds, ["directory", undefined, "directory", undefined, "file", undefined]);
});

import assert from "node:assert/strict";
import { memoryDirectory, memoryFile, memorySymlink, MemoryTree } from "#src/tree/memory_tree.ts";
import { checkTree } from "#tests/support/tree_conformance.ts";
import { OsError, StateError, UsageError } from "#src/errors.ts";
import { compose, copy, type CopyPath, copyTree, merge, walkEntries } from "#src/transfer/mod.ts";
import { findEntry, type Tree } from "#src/tree/mod.ts";
import { directory, file, type ModelDirectory, ModelWriter, readModel, symlink } from "./_model.ts";

/** Copies and returns the paths of the result. */
function copied(tree: ModelDirectory, paths: readonly CopyPath[]): ModelWriter {
  const writer = new ModelWriter();
  copy(readModel(tree), paths, writer);
  return writer;
}

function pathsOf(reader: Tree): string[] {
  return [...walkEntries(reader)].map(({ path }) => path);
}

function writtenPaths(writer: ModelWriter): string[] {
  return pathsOf(readModel(writer.root!));
}

function contentAt(writer: ModelWriter, path: string): string {
  const entry = findEntry(readModel(writer.root!), path);
  assert.equal(entry?.kind, "file", path);
  const bytes = new Uint8Array(entry.attributes.size);
  entry.open().readInto({ bytes, address: 0n }, 0, bytes.length, 0);
  return new TextDecoder().decode(bytes);
}

const TREE = directory({
  etc: directory({
    "a.conf": file("a"),
    deep: directory({ "b.conf": file("b"), link: symlink("../a.conf") }, { mode: 0o700, uid: 7 }),
  }, { mode: 0o750 }),
  var: directory({ log: directory() }),
});

Deno.test("copy() brings a directory with all that is in it", () => {
  assert.deepEqual(writtenPaths(copied(TREE, [{ from: "/etc/deep" }])), [
    "/",
    "/etc",
    "/etc/deep",
    "/etc/deep/b.conf",
    "/etc/deep/link",
  ]);
});

Deno.test("copy() gives parents on the way the metadata they have in the source", () => {
  const writer = copied(TREE, [{ from: "/etc/deep/b.conf" }]);
  const { children } = writer.root!;
  const etc = children.get("etc") as ModelDirectory;
  assert.equal(etc.metadata.mode, 0o40750);
  assert.equal(etc.children.get("deep")?.metadata.uid, 7);
});

Deno.test("copy() makes new parents 0755 with owner and time of the root", () => {
  const tree = directory({ a: file("a") }, { mode: 0o700, uid: 5, gid: 6 });
  const writer = copied(tree, [{ from: "/a", to: "/new/parent/b" }]);
  const parent = (writer.root!.children.get("new") as ModelDirectory).metadata;
  assert.equal(parent.mode, 0o40755);
  assert.equal(parent.uid, 5);
  assert.deepEqual(parent.mtime, tree.metadata.mtime);
  assert.deepEqual(parent.xattrs, []);
});

Deno.test("copy() puts an entry under its own name into a target with a slash at the end", () => {
  const paths = (to: string) => writtenPaths(copied(TREE, [{ from: "/etc/a.conf", to }]));
  assert.deepEqual(paths("/"), ["/", "/a.conf"]);
  assert.deepEqual(paths("/x/"), ["/", "/x", "/x/a.conf"]);
  assert.deepEqual(paths("/x"), ["/", "/x"]);
  assert.deepEqual(paths("x//y"), ["/", "/x", "/x/y"]);
});

Deno.test("copy() makes a directory the root where the target is empty", () => {
  const writer = copied(TREE, [{ from: "/etc/deep", to: "" }]);
  assert.deepEqual(writtenPaths(writer), ["/", "/b.conf", "/link"]);
  assert.equal(writer.root!.metadata.uid, 7);
  assert.throws(() => copied(TREE, [{ from: "/etc/a.conf", to: "" }]), UsageError);
});

Deno.test("copy() takes a whole tree to a sub directory", () => {
  const writer = copied(TREE, [{ from: "/", to: "/old" }]);
  assert.deepEqual(writtenPaths(writer).slice(0, 3), ["/", "/old", "/old/etc"]);
});

Deno.test("copy() refuses paths that lead nowhere or out", () => {
  assert.throws(
    () => copied(TREE, [{ from: "/etc/nothing" }]),
    (error) => error instanceof StateError && error.code === "not-found",
  );
  assert.throws(() => copied(TREE, [{ from: "/etc/a.conf/x" }]), StateError);
  assert.throws(() => copied(TREE, [{ from: "/etc", to: "/../x" }]), UsageError);
  assert.throws(() => copied(TREE, [{ from: "/etc", to: "a\0b" }]), UsageError);
  assert.throws(() => copied(TREE, []), UsageError);
});

Deno.test("copy() takes what is chosen twice once", () => {
  const once = copied(TREE, [{ from: "/etc" }]);
  const twice = copied(TREE, [{ from: "/etc/deep/b.conf" }, { from: "/etc" }, { from: "/etc" }]);
  assert.deepEqual(twice.root, once.root);
});

const LINKED = file("linked");
const LINKS = directory({
  "1": LINKED,
  "2": LINKED,
  dir: directory({ "0": LINKED, other: file("x") }),
});

Deno.test("copy() keeps links between what is copied, with the paths of the copy", () => {
  const writer = copied(LINKS, [{ from: "/2", to: "/z/2" }, { from: "/dir", to: "/a" }]);
  assert.deepEqual(writer.log, ["2 -> a/0"]);
  assert.equal(contentAt(writer, "/a/0"), "linked");
  assert.equal(contentAt(writer, "/z/2"), "linked");
});

Deno.test("copy() writes the target of a link before the link when paths change places", () => {
  const writer = copied(LINKS, [{ from: "/1", to: "/y" }, { from: "/2", to: "/x" }]);
  assert.deepEqual(writer.log, ["y -> x"]);
});

Deno.test("copy() makes a link whose target is not copied the file", () => {
  const writer = copied(LINKS, [{ from: "/2" }]);
  assert.deepEqual(writer.log, []);
  assert.equal(contentAt(writer, "/2"), "linked");
});

Deno.test("copy() links two copies of one file", () => {
  const writer = copied(LINKS, [{ from: "/dir/other", to: "/a" }, {
    from: "/dir/other",
    to: "/b",
  }]);
  assert.deepEqual(writer.log, ["b -> a"]);
});

Deno.test("merge() does not take equal ids of different sources for links", () => {
  const writer = new ModelWriter();
  const reader = (name: string) => readModel(directory({ [name]: file(name) }));
  merge([reader("a"), reader("b")], writer);
  assert.deepEqual(writer.log, []);
  assert.equal(contentAt(writer, "/b"), "b");
});

const LEFT = directory({ d: directory({ l: file("l") }, { uid: 1 }), x: file("left") }, { uid: 1 });
const RIGHT = directory(
  { d: directory({ r: file("r") }, { uid: 2 }), x: file("right") },
  { uid: 2 },
);

Deno.test("merge() unites directories and treats conflicts as told", () => {
  const merged = (conflict: "first" | "last" | "rename" | "error") => {
    const writer = new ModelWriter();
    merge([readModel(LEFT), readModel(RIGHT)], writer, { conflict });
    return writer;
  };
  const first = merged("first");
  assert.deepEqual(writtenPaths(first), ["/", "/d", "/d/l", "/d/r", "/x"]);
  assert.equal(contentAt(first, "/x"), "left");
  assert.equal(first.root!.metadata.uid, 1);
  assert.equal(first.root!.children.get("d")!.metadata.uid, 1);
  const last = merged("last");
  assert.equal(contentAt(last, "/x"), "right");
  assert.equal(last.root!.metadata.uid, 2);
  assert.equal(last.root!.children.get("d")!.metadata.uid, 2);
  const renamed = merged("rename");
  assert.deepEqual(writtenPaths(renamed), ["/", "/d", "/d/l", "/d/r", "/x", "/x~2"]);
  assert.equal(contentAt(renamed, "/x~2"), "right");
  assert.throws(
    () => merged("error"),
    (error) => error instanceof OsError && error.code === "EEXIST" && error.path === "/x",
  );
});

Deno.test("merge() finds a free name that can be extracted", () => {
  const long = "ü".repeat(127);
  const sources = [
    directory({ a: file("1"), [long]: file("1") }),
    directory({ a: file("2"), "a~2": file("own"), [long]: file("2") }),
    directory({ a: directory({ in: file("3") }) }),
  ];
  const writer = new ModelWriter();
  merge(sources.map((source) => readModel(source)), writer, { conflict: "rename" });
  assert.deepEqual(writtenPaths(writer), [
    "/",
    "/a",
    "/a~2",
    "/a~3",
    "/a~4",
    "/a~4/in",
    `/${"ü".repeat(126)}~2`,
    `/${long}`,
  ]);
  assert.equal(contentAt(writer, "/a~2"), "own");
});

Deno.test("compose() finds by path what it lists", () => {
  for (const conflict of ["first", "last", "rename"] as const) {
    const reader = compose([
      { tree: readModel(LEFT), from: "/" },
      { tree: readModel(RIGHT), from: "/" },
      { tree: readModel(TREE), from: "/etc", to: "/d/r" },
    ], { conflict });
    for (const { path, entry } of walkEntries(reader)) {
      const found = findEntry(reader, path);
      assert.equal(found?.kind, entry.kind, path);
      if (entry.kind !== "directory") assert.equal(found.id, entry.id, path);
    }
    assert.equal(findEntry(reader, "/d/nothing"), undefined);
  }
});

Deno.test("compose() makes a tree", () => {
  const linked = memoryFile("linked");
  const left = { a: linked, d: memoryDirectory({ b: linked, "\u{1f600}": memoryFile("x") }) };
  const right = { d: memoryDirectory({ "\uffee": memoryFile("y") }), z: memorySymlink("d") };
  const [one, two] = [left, right].map((it) => new MemoryTree(memoryDirectory(it)));
  checkTree(compose([
    { tree: one!, from: "/" },
    { tree: two!, from: "/" },
    { tree: new MemoryTree(memoryDirectory(right)), from: "/d", to: "/new/place/d" },
  ]));
});

Deno.test("compose() passes on a directory that nothing is united with, which lists entries one by one", () => {
  const reader = readModel(TREE);
  assert.equal(compose([{ tree: reader, from: "/", to: "" }]).root, reader.root);
  const placed = compose([{ tree: reader, from: "/", to: "all" }]);
  assert.equal(findEntry(placed, "/all"), reader.root);
});

Deno.test("copyTree() keeps the record of exclude patterns last", () => {
  const writer = new ModelWriter();
  copyTree(readModel(directory({ ".pxarexclude-cli": file("*.tmp"), zz: file("z") })), writer);
  assert.deepEqual([...writer.root!.children.keys()], ["zz", ".pxarexclude-cli"]);
});

Deno.test("copyTree() keeps the prelude and tells how far it is", () => {
  const writer = new ModelWriter();
  const prelude = Uint8Array.of(1, 2);
  const seen: string[] = [];
  let bytes = 0;
  copyTree(readModel(LINKS, prelude), writer, {
    progress: { entry: (path, kind) => seen.push(`${kind} ${path}`), bytes: (n) => bytes += n },
  });
  assert.deepEqual(writer.prelude, prelude);
  assert.deepEqual(seen, [
    "directory /",
    "file /1",
    "hardlink /2",
    "directory /dir",
    "hardlink /dir/0",
    "file /dir/other",
  ]);
  assert.equal(bytes, "linked".length + "x".length);
});

Deno.test("copyTree() takes hard links for one file", () => {
  const linked = memoryFile("x");
  const writer = new ModelWriter();
  copyTree(
    new MemoryTree(
      memoryDirectory({ a: linked, d: memoryDirectory({ b: linked }), e: memoryFile("y") }),
    ),
    writer,
  );
  assert.deepEqual(writer.log, ["b -> a"]);
});

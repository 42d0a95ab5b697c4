import assert from "node:assert/strict";
import { FormatError, UsageError } from "#src/errors.ts";
import { copyStream, copyTree, type StreamCopyOptions, walkEntries } from "#src/transfer/mod.ts";
import { decodeArchive, makeArchive, type MemoryArchive } from "./_archives.ts";
import { directory, file, ModelWriter, readModel } from "./_model.ts";

const LINKED = file("linked");
const TREE = directory({
  a: directory({ x: file("x"), y: file("y") }, { uid: 1 }),
  b: directory({ c: directory({ z: LINKED }, { uid: 3 }) }, { uid: 2 }),
  link: LINKED,
});

function archive(version: 1 | 2 = 1): MemoryArchive {
  return makeArchive(version, (writer) => copyTree(readModel(TREE), writer));
}

function selected(select: StreamCopyOptions["select"] & object): string[] {
  const writer = new ModelWriter();
  copyStream(decodeArchive(archive(2)), writer, { select });
  assert.ok(writer.isFinished);
  return [...walkEntries(readModel(writer.root!))].map(({ path }) => path);
}

Deno.test("copyStream() takes what is chosen with all that is in it, and the way to it", () => {
  assert.deepEqual(selected((path) => path === "/a"), ["/", "/a", "/a/x", "/a/y"]);
  assert.deepEqual(selected((path) => path === "/b/c/z"), ["/", "/b", "/b/c", "/b/c/z"]);
  assert.deepEqual(selected(() => false), ["/"]);
});

Deno.test("copyStream() gives directories on the way their metadata", () => {
  const writer = new ModelWriter();
  copyStream(decodeArchive(archive()), writer, { select: (path) => path.endsWith("/z") });
  const uids = [...walkEntries(readModel(writer.root!))].map(({ entry }) => entry.metadata.uid);
  assert.deepEqual(uids, [0, 2, 3, 0]);
});

Deno.test("copyStream() keeps a link whose file is chosen, and says what it needs for others", () => {
  assert.deepEqual(selected((path) => path === "/b" || path === "/link"), [
    "/",
    "/b",
    "/b/c",
    "/b/c/z",
    "/link",
  ]);
  assert.throws(
    () => selected((path) => path === "/link"),
    (error) => error instanceof UsageError && error.code === "needs-random-access",
  );
});

Deno.test("copyStream() tells how far it is", () => {
  const seen: string[] = [];
  let bytes = 0;
  copyStream(decodeArchive(archive()), new ModelWriter(), {
    progress: { entry: (path, kind) => seen.push(`${kind} ${path}`), bytes: (n) => bytes += n },
  });
  assert.deepEqual(seen.slice(0, 3), ["directory /", "directory /a", "file /a/x"]);
  assert.equal(seen.at(-1), "hardlink /link");
  assert.equal(bytes, 8);
});

Deno.test("copyStream() fails at every place where the archive may be cut", () => {
  for (const version of [1, 2] as const) {
    const whole = archive(version);
    for (let size = 0; size < whole.metadata.length; size++) {
      const cut = { ...whole, metadata: whole.metadata.slice(0, size) };
      assert.throws(
        () => copyStream(decodeArchive(cut), new ModelWriter()),
        FormatError,
        `${size} bytes`,
      );
    }
  }
});

import assert from "node:assert/strict";
import { FormatError, OsError } from "#src/errors.ts";
import { buildArchive, type BuildOptions, planArchive } from "#src/pxar/mod.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { Tree } from "#src/tree/node.ts";
import { copyTree, makeTreeSource, walkEntries } from "#src/transfer/mod.ts";
import { makeArchive, MemorySink, openArchive } from "./_archives.ts";
import { describeTree, directory, file, metadata, readModel, symlink } from "./_model.ts";

const EIO = 5;
const ACL: Metadata["acl"] = {
  users: [{ id: 7n, permissions: 4n }],
  groups: [],
  groupObject: 5n,
  default: undefined,
  defaultUsers: [],
  defaultGroups: [],
};

const LINKED = file("one file, two names");
const TREE = directory({
  "a.txt": file("a", { xattrs: [{ name: "user.x", value: new Uint8Array([1, 2]) }], acl: ACL }),
  deep: directory({
    "again": LINKED,
    "fifo": { kind: "fifo", metadata: metadata("fifo") },
    "socket": { kind: "socket", metadata: metadata("socket") },
    "disk": { kind: "device", metadata: metadata("device"), major: 4095n, minor: 0xfffffn },
  }, { uid: 33, mtime: { seconds: -5, nanoseconds: 7 } }),
  "empty": directory(),
  "large": file(new Uint8Array(3_000_000).map((_, at) => at % 251)),
  "link": symlink("deep/again"),
  "z-first": LINKED,
});

function build(reader: Tree, options: BuildOptions = {}, isSplit = false, path = "/") {
  const sink = new MemorySink();
  const payload = isSplit ? new MemorySink() : undefined;
  const makeSource = makeTreeSource(reader);
  const report = buildArchive(path, { metadata: sink, payload }, { ...options, makeSource });
  return { archive: { metadata: sink.bytes, payload: payload?.bytes }, report };
}

/** A model in which the content of `/a.txt` cannot be opened. */
function failingWith(error: Error): Tree {
  const reader = readModel(TREE);
  const { root } = reader;
  const entries = () =>
    Array.from(root.entries(), ({ name, node }) => {
      const isFailing = name === "a.txt" && node.kind === "file";
      return { name, node: isFailing ? { ...node, open: () => fail(error) } : node };
    });
  return { ...reader, root: { ...root, entries } };
}

function fail(error: Error): never {
  throw error;
}

Deno.test("makeTreeSource() gives the builder what a copy would write, byte for byte", () => {
  for (const version of [1, 2] as const) {
    const { archive, report } = build(readModel(TREE), {}, version === 2);
    assert.deepEqual(archive, makeArchive(version, (it) => copyTree(readModel(TREE), it)));
    assert.deepEqual(describeTree(openArchive(archive)), describeTree(readModel(TREE)));
    assert.equal(report.isPartial, false);
    assert.equal(report.counts.hardlink, 1);
  }
});

Deno.test("makeTreeSource() begins at any directory of the tree, and knows patterns", () => {
  const { archive } = build(readModel(TREE), { exclude: ["/fifo", "*sock*"] }, true, "/deep");
  const paths = [...walkEntries(openArchive(archive))].map(({ path }) => path);
  assert.deepEqual(paths, ["/", "/again", "/disk"]);
  assert.throws(() => build(readModel(TREE), {}, false, "/nothing"), { code: "ENOENT" });
  assert.throws(() => build(readModel(TREE), {}, false, "/a.txt"), { code: "ENOTDIR" });
  assert.throws(() => build(readModel(TREE), {}, false, "/link"), { code: "ELOOP" });
});

Deno.test("makeTreeSource() leaves out the metadata that are not wanted", () => {
  const entry = (options: BuildOptions) => {
    const found = openArchive(build(readModel(TREE), options).archive).root.lookup("a.txt")!;
    return [found.metadata.xattrs.length, found.metadata.acl.users.length];
  };
  assert.deepEqual(entry({}), [1, 1]);
  assert.deepEqual(entry({ acls: false }), [1, 0]);
  assert.deepEqual(entry({ xattrs: false }), [0, 0]);
});

Deno.test("planArchive() of a tree reads no contents", () => {
  const makeSource = makeTreeSource(readModel(TREE));
  const report = planArchive("/", { makeSource });
  assert.equal(report.contentBytes, 3_000_000 + 1 + 19);
});

Deno.test("a file of a tree that cannot be opened is left out; damage ends the archive", () => {
  const { archive, report } = build(failingWith(new OsError(EIO, "open", "/a.txt")));
  assert.deepEqual(report.problems.map(({ kind, path }) => [kind, path]), [
    ["unreadable", "/a.txt"],
  ]);
  assert.equal(openArchive(archive).root.lookup("a.txt"), undefined);
  const damage = new FormatError("damaged");
  assert.throws(() => build(failingWith(damage)), damage);
});

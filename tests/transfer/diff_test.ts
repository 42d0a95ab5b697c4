import assert from "node:assert/strict";
import type { Metadata } from "#src/tree/metadata.ts";
import { LoopbackTree } from "#tests/support/loopback_tree.ts";
import { type Difference, type DiffOptions, diffTrees } from "#src/transfer/mod.ts";
import { ATTRIBUTE_FIELDS, METADATA_FIELDS, type MetadataField, type Tree } from "#src/tree/mod.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  directory,
  file,
  metadata,
  type ModelDirectory,
  type ModelNode,
  readModel,
  symlink,
} from "./_model.ts";

function diff(left: ModelDirectory, right: ModelDirectory, options?: DiffOptions): Difference[] {
  return [...diffTrees(readModel(left), readModel(right), options)];
}

/** A difference as a short text. */
function text(difference: Difference): string {
  const { type, path } = difference;
  if (type !== "changed") return `${type} ${path}`;
  const { fields, isContentChanged, isHidden } = difference;
  return [path, ...fields, isContentChanged ? "content" : "", isHidden ? "hidden" : ""]
    .filter((part) => part !== "").join(" ");
}

Deno.test("diffTrees() tells what only one side has, with all that is in it", () => {
  const left = directory({ a: file("a"), d: directory({ x: file("x") }) });
  const right = directory({ a: file("a"), e: directory({ y: file("y") }) });
  assert.deepEqual(diff(left, right).map(text), [
    "left-only /d",
    "left-only /d/x",
    "right-only /e",
    "right-only /e/y",
  ]);
});

Deno.test("diffTrees() tells changes of type, and what was or is in a directory", () => {
  const device = (mode: number): ModelNode => ({
    kind: "device",
    metadata: { ...metadata("device"), mode },
    major: 1n,
    minor: 3n,
  });
  const left = directory({ a: directory({ x: file("x") }), b: file("b"), dev: device(0o20600) });
  const right = directory({ a: file("a"), b: symlink("b"), dev: device(0o60600) });
  assert.deepEqual(diff(left, right).map(text), [
    "type /a",
    "left-only /a/x",
    "type /b",
    "type /dev",
  ]);
});

const CHANGES: Readonly<Record<Exclude<MetadataField, "links">, Partial<Metadata>>> = {
  mode: { mode: 0o600 },
  uid: { uid: 1 },
  gid: { gid: 1 },
  mtime: { mtime: { seconds: 1_700_000_000, nanoseconds: 6 } },
  flags: { flags: 0x10000n },
  xattrs: { xattrs: [{ name: "user.a", value: Uint8Array.of(1) }] },
  acl: {
    acl: {
      users: [{ id: 1n, permissions: 7n }],
      groups: [],
      groupObject: 5n,
      default: undefined,
      defaultUsers: [],
      defaultGroups: [],
    },
  },
  fcaps: { fcaps: Uint8Array.of(1) },
  projectId: { projectId: 1n },
};

for (const [field, change] of Object.entries(CHANGES)) {
  Deno.test(`diffTrees() tells a change of ${field} alone, unless it is to be ignored`, () => {
    const left = directory({ f: file("same") });
    const right = directory({ f: file("same", change) });
    assert.deepEqual(diff(left, right).map(text), [`/f ${field}`]);
    const ignoredFields = new Set([field as MetadataField]);
    assert.deepEqual(diff(left, right, { ignoredFields }), []);
  });
}

Deno.test("diffTrees() takes the order of xattrs for nothing", () => {
  const xattrs = ["user.a", "user.b"].map((name) => ({ name, value: Uint8Array.of(1) }));
  const left = directory({}, { xattrs });
  assert.deepEqual(diff(left, directory({}, { xattrs: xattrs.toReversed() })), []);
});

Deno.test("diffTrees() tells contents apart, and those that no metadata betrays", () => {
  const left = directory({ f: file("left!"), l: symlink("left!"), s: file("1") });
  const right = directory({ f: file("right"), l: symlink("right"), s: file("12") });
  assert.deepEqual(diff(left, right).map(text), [
    "/f content hidden",
    "/l content hidden",
    "/s content",
  ]);
  assert.deepEqual(diff(left, right, { compareContents: false }).map(text), [
    "/l content hidden",
    "/s content",
  ]);
  const touched = directory({ f: file("right", CHANGES.mtime) });
  assert.deepEqual(diff(directory({ f: file("left!") }), touched).map(text), ["/f mtime content"]);
});

Deno.test("diffTrees() finds a difference behind the first piece of a large file", () => {
  const bytes = new Uint8Array(1_000_001);
  const changed = bytes.slice();
  changed[1_000_000] = 1;
  const trees = [bytes, changed].map((content) => directory({ f: file(content) }));
  assert.deepEqual(diff(trees[0]!, trees[1]!).map(text), ["/f content hidden"]);
  assert.deepEqual(diff(trees[0]!, directory({ f: file(bytes.slice()) })), []);
});

Deno.test("diffTrees() tells when files are linked on one side only", () => {
  const linked = file("x");
  const left = directory({ a: linked, b: linked, c: linked });
  const right = directory({ a: linked, b: linked, c: file("x") });
  assert.deepEqual(diff(left, right).map(text), ["/c links"]);
  assert.deepEqual(diff(left, right, { ignoredFields: new Set(["links"] as const) }), []);
});

Deno.test("diffTrees() compares an archive's root too and stops when told", () => {
  const left = directory({ a: file("1"), b: file("1") }, { uid: 1 });
  const right = directory({ a: file("2"), b: file("2") }, { uid: 2 });
  const walk = diffTrees(readModel(left), readModel(right));
  assert.equal(text(walk.next().value!), "/ uid");
  walk.return();
  assert.equal(walk.next().done, true);
});

Deno.test("diffTrees() compares with a directory what a directory tells", () => {
  using place = new TempDirectory("diff");
  Deno.writeTextFileSync(place.join("f"), "content");
  Deno.symlinkSync("f", place.join("l"));
  Deno.linkSync(place.join("f"), place.join("g"));
  const { uid, gid } = Deno.lstatSync(place.path);
  const owner = { uid: uid!, gid: gid! };
  const time = (path: string) => {
    const mtimeMs = Deno.lstatSync(path).mtime!.getTime();
    const seconds = Math.floor(mtimeMs / 1000);
    return { mtime: { seconds, nanoseconds: (mtimeMs - seconds * 1000) * 1e6 + 1 } };
  };
  const mode = (path: string) => ({ mode: Deno.lstatSync(path).mode! & 0o7777 });
  const of = (path: string) => ({ ...owner, ...time(path), ...mode(path) });
  const linked = file("content", of(place.join("f")));
  const archive = directory({
    f: linked,
    g: linked,
    l: { ...symlink("f"), metadata: metadata("symlink", of(place.join("l"))) },
  }, {
    ...of(place.path),
    // What a directory read without FFI does not tell must not count.
    xattrs: [{ name: "user.x", value: Uint8Array.of(1) }],
  });
  const reader: Tree = {
    root: new LoopbackTree(place.path).root,
    mtimePrecisionNs: 1_000_000,
    knownFields: new Set(["mode", "uid", "gid", "mtime", "links"] as const),
    close: () => {},
  };
  assert.deepEqual([...diffTrees(readModel(archive), reader)].map(text), []);
  Deno.writeTextFileSync(place.join("f"), "CONTENT");
  Deno.utimeSync(place.join("f"), new Date(0), new Date(0));
  const changed: Tree = {
    root: new LoopbackTree(place.path).root,
    mtimePrecisionNs: 1_000_000,
    knownFields: ATTRIBUTE_FIELDS,
    close: () => {},
  };
  const fields = [...diffTrees(readModel(archive), changed)].map(text);
  assert.deepEqual(fields, ["/ xattrs", "/f mtime content", "/g mtime content"]);
});

Deno.test("METADATA_FIELDS names every field that is compared", () => {
  assert.deepEqual([...METADATA_FIELDS].sort(), [...Object.keys(CHANGES), "links"].sort());
});

/**
 * What every `Tree` must do, as a function that each format's tests call.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { splitDeviceNumber } from "#src/bytes/device_number.ts";
import { METADATA_FIELDS, NO_XATTRS, xattrsFromMetadata } from "#src/tree/metadata.ts";
import type { DirectoryNode, FileNode, MountableTree, Node, Tree } from "#src/tree/node.ts";
import { FileType } from "#src/tree/node.ts";
import { compareNames } from "#src/tree/paths.ts";
import { sortedEntries } from "#src/tree/sorted_entries.ts";
import { walk } from "#src/tree/walk.ts";

const ID_MAX = 2 ** 47;
/** Sizes that are multiples of nothing in particular. */
const PIECE_SIZES = [1, 4095, 8192, 65_537];
/** Files above this size are read in large pieces only. */
const SMALL_PIECE_SIZE_MAX = 100_000;
const GUARD = 0xa5;
const GUARD_SIZE = 16;

const TYPES: Readonly<Record<Node["kind"], readonly number[]>> = {
  directory: [FileType.DIRECTORY],
  file: [FileType.FILE],
  symlink: [FileType.SYMLINK],
  fifo: [FileType.FIFO],
  socket: [FileType.SOCKET],
  device: [FileType.BLOCK_DEVICE, FileType.CHARACTER_DEVICE],
};

/** Checks a tree and closes it. */
export function checkTree(tree: Tree): void {
  try {
    checkNodes(tree);
  } finally {
    tree.close();
  }
}

/** Checks the trees that `open` returns, which must be the same each time. */
export function checkMountableTree(open: () => MountableTree): void {
  const tree = open();
  const again = open();
  try {
    checkNodes(tree);
    const idsByPath = new Map<string, number>();
    const ids = new Set<number>();
    for (const { path, node } of walk(tree)) {
      checkId(tree, path, node);
      idsByPath.set(path, node.id);
      ids.add(node.id);
    }
    for (const { path, node } of walk(again)) {
      assert.equal(node.id, idsByPath.get(path), `"${path}" has another id when opened again`);
    }
    assert.equal(tree.nodeById(unusedId(ids)), undefined);
  } finally {
    tree.close();
    again.close();
  }
}

function unusedId(seen: ReadonlySet<number>): number {
  let id = ID_MAX;
  while (seen.has(id)) id--;
  return id;
}

function checkNodes(tree: Tree): void {
  for (const field of tree.knownFields) assert.ok(METADATA_FIELDS.includes(field), field);
  const paths = new Set<string>();
  /** By origin and id: what has several names. */
  const seen = new Map<object, Map<number, { path: string; node: Node; names: number }>>();
  for (const { path, node } of walk(tree)) {
    assert.ok(!paths.has(path), `"${path}" is there twice`);
    paths.add(path);
    checkNode(tree, path, node);
    let ofOrigin = seen.get(node.origin);
    if (ofOrigin === undefined) seen.set(node.origin, ofOrigin = new Map());
    const known = ofOrigin.get(node.id);
    if (known !== undefined) {
      assert.equal(node.kind === "directory", false, `directory "${path}" has two names`);
      assert.equal(node.kind, known.node.kind, `"${path}" is "${known.path}"`);
      known.names++;
      continue;
    }
    ofOrigin.set(node.id, { path, node, names: 1 });
    if (node.kind === "directory") checkDirectory(tree, path, node);
    if (node.kind === "file") checkFile(path, node);
  }
  for (const ofOrigin of seen.values()) {
    for (const { path, node, names } of ofOrigin.values()) {
      if (node.kind === "file") assert.ok((node.linkCount ?? names) >= names, path);
    }
  }
}

function checkId(tree: MountableTree, path: string, node: Node): void {
  assert.ok(node.id <= ID_MAX, `${path}: ${node.id}`);
  const found = tree.nodeById(node.id);
  assert.equal(found?.id, node.id, path);
  assert.equal(found?.kind, node.kind, path);
  assert.equal(found?.origin, node.origin, path);
  assert.deepEqual(found?.metadata, node.metadata, path);
  for (const field of ["mode", "size", "nlink", "rdev", "dataBytes"] as const) {
    assert.equal(found?.attributes[field], node.attributes[field], `${path}: ${field}`);
  }
}

function checkNode(tree: Tree, path: string, node: Node): void {
  const { attributes } = node;
  assert.ok(Number.isSafeInteger(node.id) && node.id >= 1, `${path}: ${node.id}`);
  assert.ok(TYPES[node.kind].includes(attributes.mode & FileType.MASK), `${path}: mode and kind`);
  assert.ok(attributes.nlink >= 1, path);
  assert.ok(Number.isSafeInteger(attributes.size) && attributes.size >= 0, path);
  const { nanoseconds } = attributes.mtime;
  assert.ok(Number.isInteger(nanoseconds) && nanoseconds >= 0 && nanoseconds < 1e9, path);
  assert.equal(nanoseconds % (tree.mtimePrecisionNs ?? 1), 0, path);
  if (node.kind === "symlink") {
    assert.equal(attributes.size, encodeFileName(node.target).length, path);
  } else if (node.kind !== "file") {
    assert.equal(attributes.size, 0, path);
  }
  if (node.kind === "device") {
    const { major, minor } = splitDeviceNumber(BigInt(attributes.rdev));
    assert.deepEqual([node.major, node.minor], [major, minor], path);
  }
  checkMetadata(tree, path, node);
}

/** Metadata say what attributes and extended attributes say, and nothing that is not known. */
function checkMetadata(tree: Tree, path: string, node: Node): void {
  const { metadata, attributes } = node;
  for (const field of ["mode", "uid", "gid"] as const) {
    assert.equal(metadata[field], attributes[field], `${path}: ${field}`);
  }
  assert.deepEqual(metadata.mtime, attributes.mtime, path);
  const shown = node.xattrs();
  for (const [name, value] of xattrsFromMetadata(metadata)) {
    assert.deepEqual(shown.get(name), value, `${path}: ${name}`);
  }
  if (!tree.knownFields.has("flags")) assert.equal(metadata.flags, 0n, path);
  if (!tree.knownFields.has("projectId")) assert.equal(metadata.projectId, 0n, path);
  if (!tree.knownFields.has("xattrs")) assert.deepEqual(shown, NO_XATTRS, path);
}

function checkDirectory(tree: Tree, path: string, directory: DirectoryNode): void {
  const first = [...directory.entries()];
  const names = first.map((entry) => entry.name);
  assert.equal(new Set(names).size, names.length, `${path}: a name is there twice`);
  assert.deepEqual([...directory.entries()].map((entry) => entry.name), names, path);
  for (const { name, node } of first) {
    assert.ok(name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name), `${path}`);
    const found = directory.lookup(name);
    assert.equal(found?.kind, node.kind, `${path}/${name}`);
    // A directory that is made of several may be another one each time.
    if ("nodeById" in tree || node.kind !== "directory") {
      assert.equal(found?.id, node.id, `${path}/${name}`);
    }
  }
  for (const missing of ["no such name", "", "__proto__", "constructor"]) {
    if (!names.includes(missing)) assert.equal(directory.lookup(missing), undefined, path);
  }
  const sorted = sortedEntries(directory, (damage) => assert.fail(damage));
  assert.deepEqual(sorted.map((entry) => entry.name), names.toSorted(compareNames), path);
}

/** A read must fill exactly the bytes it returns and leave those around them alone. */
function readPiece(path: string, file: FileNode, target: NativeBuffer, size: number): Uint8Array {
  const result = new Uint8Array(file.attributes.size);
  const content = file.open();
  try {
    let offset = 0;
    while (true) {
      target.bytes.fill(GUARD);
      const count = content.readInto(target, GUARD_SIZE, size, offset);
      assert.equal(count, Math.min(size, file.attributes.size - offset), `${path} at ${offset}`);
      for (let i = 0; i < GUARD_SIZE; i++) {
        assert.equal(target.bytes[i], GUARD, `${path}: byte before the target changed`);
        assert.equal(target.bytes[GUARD_SIZE + size + i], GUARD, `${path}: byte behind it changed`);
      }
      if (count === 0) break;
      result.set(target.bytes.subarray(GUARD_SIZE, GUARD_SIZE + count), offset);
      offset += count;
    }
    assert.equal(content.readInto(target, 0, size, file.attributes.size + 12_345), 0, path);
  } finally {
    content.close();
  }
  return result;
}

function checkFile(path: string, file: FileNode): void {
  assert.equal(file.payload?.size ?? file.attributes.size, file.attributes.size, path);
  let expected: Uint8Array | undefined;
  for (const size of PIECE_SIZES) {
    if (file.attributes.size > SMALL_PIECE_SIZE_MAX && size < SMALL_PIECE_SIZE_MAX / 2) continue;
    const target = nativeBufferOf(new Uint8Array(size + 2 * GUARD_SIZE));
    const bytes = readPiece(path, file, target, size);
    expected ??= bytes;
    // deepEqual on large arrays is slow and its message useless.
    assert.ok(Buffer.from(bytes.buffer).equals(Buffer.from(expected.buffer)), `${path}: ${size}`);
  }
}

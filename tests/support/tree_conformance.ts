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
import type { DirectoryNode, FileNode, Node, Tree } from "#src/tree/node.ts";
import { FileType } from "#src/tree/node.ts";
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
  special: [
    FileType.FIFO,
    FileType.SOCKET,
    FileType.BLOCK_DEVICE,
    FileType.CHARACTER_DEVICE,
  ],
};

/** Checks the trees that `open` returns, which must be the same each time. */
export function checkTree(open: () => Tree): void {
  const tree = open();
  const again = open();
  try {
    const idsByPath = new Map<string, number>();
    const seen = new Set<Node["id"]>();
    for (const { path, node } of walk(tree)) {
      checkNode(tree, path, node);
      assert.ok(!idsByPath.has(path), `"${path}" is there twice`);
      idsByPath.set(path, node.id);
      if (seen.has(node.id)) {
        assert.equal(node.kind === "directory", false, `directory "${path}" has two names`);
        continue;
      }
      seen.add(node.id);
      if (node.kind === "directory") checkDirectory(path, node);
      if (node.kind === "file") checkFile(path, node);
    }
    for (const { path, node } of walk(again)) {
      assert.equal(node.id, idsByPath.get(path), `"${path}" has another id when opened again`);
    }
    assert.equal(tree.nodeById(unusedId(seen)), undefined);
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

function checkNode(tree: Tree, path: string, node: Node): void {
  const { attributes } = node;
  assert.ok(Number.isInteger(node.id) && node.id >= 1 && node.id <= ID_MAX, `${path}: ${node.id}`);
  const found = tree.nodeById(node.id);
  assert.equal(found?.id, node.id, path);
  assert.equal(found?.kind, node.kind, path);
  assert.deepEqual(found?.attributes, attributes, path);
  assert.ok(TYPES[node.kind].includes(attributes.mode & FileType.MASK), `${path}: mode and kind`);
  assert.ok(attributes.nlink >= 1, path);
  assert.ok(Number.isSafeInteger(attributes.size) && attributes.size >= 0, path);
  const { nanoseconds } = attributes.mtime;
  assert.ok(Number.isInteger(nanoseconds) && nanoseconds >= 0 && nanoseconds < 1e9, path);
  if (node.kind === "symlink") {
    assert.equal(attributes.size, encodeFileName(node.target).length, path);
  } else if (node.kind !== "file") {
    assert.equal(attributes.size, 0, path);
  }
}

function checkDirectory(path: string, directory: DirectoryNode): void {
  const first = [...directory.entries()];
  const names = first.map((entry) => entry.name);
  assert.equal(new Set(names).size, names.length, `${path}: a name is there twice`);
  assert.deepEqual([...directory.entries()].map((entry) => entry.name), names, path);
  for (const { name, node } of first) {
    assert.ok(name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name), `${path}`);
    assert.equal(directory.lookup(name)?.id, node.id, `${path}/${name}`);
  }
  for (const missing of ["no such name", "", "__proto__", "constructor"]) {
    if (!names.includes(missing)) assert.equal(directory.lookup(missing), undefined, path);
  }
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

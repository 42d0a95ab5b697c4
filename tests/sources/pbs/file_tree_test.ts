import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";
import { fileTree } from "#src/sources/pbs/file_tree.ts";
import type { ByteSource } from "#src/io/byte_source.ts";

const OWNER = { uid: 1, gid: 2, mtime: { seconds: 3, nanoseconds: 4 } };

function image(bytes: Uint8Array): { source: ByteSource; isClosed: () => boolean } {
  let isClosed = false;
  const source: ByteSource = {
    size: bytes.length,
    readAt(target, start, size, offset) {
      const part = bytes.subarray(offset, offset + size);
      target.bytes.set(part, start);
      return part.length;
    },
    close: () => {
      isClosed = true;
    },
  };
  return { source, isClosed: () => isClosed };
}

Deno.test("fileTree() is a tree", () => {
  checkMountableTree(() => fileTree(image(new Uint8Array(9999)).source, "disk.img", OWNER));
});

Deno.test("fileTree() shows an image as the only file of a directory", () => {
  const { source, isClosed } = image(Uint8Array.of(1, 2, 3, 4, 5));
  const tree = fileTree(source, "disk.img", OWNER);
  const entries = [...tree.root.entries()];
  assert.deepEqual(entries.map(({ name }) => name), ["disk.img"]);
  const file = tree.root.lookup("disk.img");
  assert.equal(tree.root.lookup("other"), undefined);
  assert.ok(file?.kind === "file");
  assert.equal(tree.nodeById(file.id), file);
  assert.equal(tree.nodeById(tree.root.id), tree.root);
  assert.equal(tree.nodeById(77), undefined);
  const { mode, size, uid, gid } = file.attributes;
  assert.deepEqual({ mode, size, uid, gid }, { mode: 0o100400, size: 5, uid: 1, gid: 2 });
  const content = file.open();
  const buffer = plainBuffer(8);
  assert.equal(content.readInto(buffer, 1, 7, 3), 2);
  assert.deepEqual([...buffer.bytes], [0, 4, 5, 0, 0, 0, 0, 0]);
  assert.equal(content.readInto(buffer, 0, 8, 5), 0);
  tree.close();
  assert.ok(isClosed());
});

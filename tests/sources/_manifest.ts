/**
 * All that a tree shows.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import type { FileNode, MountableTree } from "#src/tree/node.ts";
import { walk } from "#src/tree/walk.ts";

/** Plain values: entries by their paths. */
export function manifestOf(tree: MountableTree): Record<string, unknown> {
  const entries: Record<string, unknown> = {};
  for (const { path, node } of walk(tree)) {
    const { mode, uid, gid, size, mtime, nlink, rdev, dataBytes } = node.attributes;
    entries[path] = {
      kind: node.kind,
      id: node.id,
      attributes: { mode, uid, gid, size, mtime: { ...mtime }, nlink, rdev, dataBytes },
      xattrs: [...node.xattrs()].map(([name, value]) => [name, value.toHex()]),
      ...(node.kind === "file" ? { sha256: digestOf(node) } : {}),
      ...(node.kind === "symlink" ? { target: node.target } : {}),
    };
  }
  return entries;
}

function digestOf(file: FileNode): string {
  const { size } = file.attributes;
  const target = allocateNativeBuffer(size);
  const content = file.open();
  let done = 0;
  while (done < size) {
    const count = content.readInto(target, done, size - done, done);
    if (count === 0) break;
    done += count;
  }
  content.close();
  return createHash("sha256").update(target.bytes.subarray(0, done)).digest("hex");
}

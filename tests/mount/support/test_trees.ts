/**
 * Trees that tests mount, by a description that can be sent to a worker.
 *
 * @module
 */

import { LoopbackTree } from "#tests/support/loopback_tree.ts";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  memorySpecial,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import { FileType, type MountableTree } from "#src/tree/node.ts";

/** Which tree to open. */
export type TestTree =
  | { readonly kind: "memory" }
  | { readonly kind: "loopback"; readonly path: string };

/** Number of files in the directory `many` of the memory tree. */
export const MANY_COUNT = 20_000;
/** Bytes of the file `large` of the memory tree. */
export const LARGE_SIZE = 8 * 1024 * 1024 + 12_345;
/** A name of the greatest length. */
export const LONG_NAME = "n".repeat(255);
/** The name of bytes ff 61 fe 62, which is not UTF-8. */
export const NON_UTF8_NAME = "\udcffa\udcfeb";

/** Opens the tree. */
export function openTestTree(description: TestTree): MountableTree {
  return description.kind === "memory" ? makeMemoryTree() : new LoopbackTree(description.path);
}

/** Deterministic bytes without a short period. */
export function patternBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = 0x2545f491;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

function makeMemoryTree(): MemoryTree {
  const many: Record<string, MemoryEntry> = {};
  for (let i = 0; i < MANY_COUNT; i++) many[`file-${i}`] = memoryFile("");
  const linked = memoryFile("two names\n");
  const root = memoryDirectory({
    "hello.txt": memoryFile("hello\n", {
      permissions: 0o640,
      uid: 12,
      gid: 34,
      mtime: { seconds: 1_000_000_000, nanoseconds: 123_456_789 },
      xattrs: { "user.color": new TextEncoder().encode("blue"), "user.empty": new Uint8Array() },
    }),
    "old.txt": memoryFile("", { mtime: { seconds: -86_400, nanoseconds: 5 } }),
    empty: memoryFile(""),
    large: memoryFile(patternBytes(LARGE_SIZE)),
    link: memorySymlink("hello.txt"),
    one: linked,
    fifo: memorySpecial(FileType.FIFO),
    many: memoryDirectory(many),
    sub: memoryDirectory({ two: linked, deeper: memoryDirectory({ leaf: memoryFile("leaf\n") }) }),
    [LONG_NAME]: memoryFile("long\n"),
    // Linux makes no such names, but archives can hold them.
    [`lengthy${"y".repeat(300)}`]: memoryFile("lengthy\n"),
    [NON_UTF8_NAME]: memoryFile("bytes\n"),
    "grün-日本": memoryFile("unicode\n"),
  });
  return new MemoryTree(root);
}

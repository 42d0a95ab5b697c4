import assert from "node:assert/strict";
import {
  memoryDirectory,
  memoryFile,
  memorySpecial,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import { FileType } from "#src/tree/node.ts";
import { findEntry } from "#src/tree/paths.ts";
import { walk } from "#src/tree/walk.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

function makeTree(): MemoryTree {
  const linked = memoryFile(new Uint8Array(70_000).fill(7));
  return new MemoryTree(memoryDirectory({
    a: memoryFile("text"),
    empty: memoryFile(""),
    link: memorySymlink("grün"),
    dir: memoryDirectory({ again: linked, "\udcff": memoryFile("x") }),
    linked,
    device: memorySpecial(FileType.CHARACTER_DEVICE, 0x103),
  }));
}

Deno.test("MemoryTree is a tree", () => checkMountableTree(makeTree));

Deno.test("MemoryTree gives one node to an entry with two names", () => {
  const tree = makeTree();
  const linked = tree.root.lookup("linked")!;
  const directory = tree.root.lookup("dir")!;
  assert.equal(directory.kind, "directory");
  assert.equal(directory.kind === "directory" && directory.lookup("again"), linked);
  assert.equal(linked.attributes.nlink, 2);
});

Deno.test("walk() visits every name once, a directory before its entries", () => {
  const paths = [...walk(makeTree())].map(({ path }) => path);
  assert.deepEqual(paths, [
    "",
    "a",
    "empty",
    "link",
    "dir",
    "linked",
    "device",
    "dir/again",
    "dir/\udcff",
  ]);
});

Deno.test("MemoryTree tells devices, FIFOs, sockets and links apart", () => {
  const tree = new MemoryTree(memoryDirectory({
    block: memorySpecial(FileType.BLOCK_DEVICE, 0x0801),
    wide: memorySpecial(FileType.CHARACTER_DEVICE, 0xabcf_ffde),
    fifo: memorySpecial(FileType.FIFO),
    socket: memorySpecial(FileType.SOCKET),
    link: memorySymlink("target"),
  }));
  const block = findEntry(tree, "/block");
  assert.ok(block?.kind === "device");
  assert.deepEqual([block.major, block.minor, block.metadata.mode >> 12], [8n, 1n, 6]);
  const wide = findEntry(tree, "/wide");
  assert.ok(wide?.kind === "device");
  assert.deepEqual([wide.major, wide.minor], [0xfffn, 0xabcden]);
  assert.equal(findEntry(tree, "/fifo")?.kind, "fifo");
  assert.equal(findEntry(tree, "/socket")?.kind, "socket");
  const link = findEntry(tree, "/link");
  assert.equal(link?.kind === "symlink" && link.target, "target");
});

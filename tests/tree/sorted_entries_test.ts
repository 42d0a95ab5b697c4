import assert from "node:assert/strict";
import { FormatError } from "#src/errors.ts";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import type { DirectoryNode } from "#src/tree/node.ts";
import { sortedEntries } from "#src/tree/sorted_entries.ts";

function treeOf(entries: Record<string, MemoryEntry>): MemoryTree {
  return new MemoryTree(memoryDirectory(entries));
}

Deno.test("sortedEntries() lists names in the order of their bytes", () => {
  // As UTF-16 the emoji would come before U+FFEE.
  const tree = treeOf({
    "\u{1f600}": memoryFile(""),
    "\uffee": memoryFile(""),
    b: memoryFile(""),
    "\udcff": memoryFile(""),
    B: memoryFile(""),
    ba: memoryFile(""),
  });
  const names = sortedEntries(tree.root).map(({ name }) => name);
  assert.deepEqual(names, ["B", "b", "ba", "\uffee", "\u{1f600}", "\udcff"]);
});

/** Two entries, then what ends a list. */
function endingIn(end: (onDamage: (damage: Error) => void) => void): DirectoryNode {
  const { root } = treeOf({ b: memoryFile(""), a: memoryFile("") });
  return {
    ...root,
    kind: "directory",
    *entries(onDamage) {
      yield* root.entries();
      end(onDamage!);
    },
  };
}

Deno.test("sortedEntries() gives what can be read, and tells why there may be more", () => {
  const damage = new FormatError("damaged");
  const ends = [
    (onDamage: (damage: Error) => void) => onDamage(damage),
    () => {
      throw damage;
    },
  ];
  for (const end of ends) {
    const heard: Error[] = [];
    const entries = sortedEntries(endingIn(end), (it) => heard.push(it));
    assert.deepEqual(entries.map(({ name }) => name), ["a", "b"]);
    assert.deepEqual(heard, [damage]);
    assert.throws(() => sortedEntries(endingIn(end)), damage);
  }
});

Deno.test("sortedEntries() takes no fault of the program for damage", () => {
  const fault = new TypeError("fault");
  const broken = endingIn(() => {
    throw fault;
  });
  assert.throws(() => sortedEntries(broken, () => assert.fail("heard")), fault);
});

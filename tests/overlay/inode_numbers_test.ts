/**
 * Inode numbers stay for the life of a mount, also when the kernel has forgotten a file: programs
 * that look for hard links, or compare what they have opened with what is there now, take another
 * number for another file.
 */

import assert from "node:assert/strict";
import { OpenFlag } from "#ffi/libc/calls.ts";
import { AttributeChange, Change } from "#src/tree/file_system.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { type HarnessOptions, OverlayHarness } from "./harness.ts";

const CONTENT = new Uint8Array(3 << 20).fill(1);
const NEW = new Uint8Array(8192).fill(2);

/** All nodes are forgotten after each step, as by a kernel that needs memory. */
function withHarness(
  test: (harness: OverlayHarness) => void,
  options: Partial<HarnessOptions> = {},
): void {
  using place = new TempDirectory("inodes");
  const base = memoryDirectory({ large: memoryFile(CONTENT), empty: memoryFile(new Uint8Array()) });
  const harness = new OverlayHarness(
    new MemoryTree(memoryDirectory({ base })),
    place.path,
    options,
  );
  test(harness);
}

/** Stands for the kernel, which serves whole copies alone. */
const backing = { register: () => 42, unregister: () => {} };

const CHANGES: Record<string, (harness: OverlayHarness) => string> = {
  "emptied at open": (harness) => {
    harness.open("base/large", OpenFlag.WRONLY | OpenFlag.TRUNC, () => {});
    return "base/large";
  },
  "an empty one that is written": (harness) => {
    harness.write("base/empty", 0, NEW);
    return "base/empty";
  },
  "changed by blocks": (harness) => {
    harness.write("base/large", 0, NEW);
    return "base/large";
  },
  "changed and renamed": (harness) => {
    harness.write("base/empty", 0, NEW);
    harness.rename("base/empty", "base/other");
    return "base/other";
  },
  "another mode": (harness) => {
    const change = new AttributeChange();
    change.mask = Change.MODE;
    change.mode = 0o100600;
    harness.change("base/empty", change);
    return "base/empty";
  },
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`a file keeps its inode number when it was forgotten: ${what}`, () => {
    withHarness((harness) => {
      const before = ["large", "empty"].map((name) => harness.stat(`base/${name}`).ino);
      const path = change(harness);
      const { ino } = harness.stat(path);
      assert.equal(ino, before[path === "base/large" ? 0 : 1]);
      assert.equal(harness.stat(path).ino, ino);
    });
  });
}

Deno.test({
  name: "a file that is copied whole keeps its inode number when it was forgotten",
  // Whole copies carry an attribute that only root may set.
  ignore: Deno.uid() !== 0,
  fn: () => {
    withHarness((harness) => {
      const { ino } = harness.stat("base/large");
      harness.write("base/large", 0, NEW);
      assert.equal(harness.stat("base/large").ino, ino);
      if (harness.statistics.counters.wholeCopies === 0) {
        console.log("left out: no whole copies here");
      }
      harness.fsync("base/large");
      assert.equal(harness.stat("base/large").ino, ino);
      assert.deepEqual(harness.read("base/large", 0, NEW.length), NEW);
    }, { backing, wholeCopyBytesMax: 64 << 20 });
  },
});

Deno.test("a file that is removed is forgotten, and its number is not another file's", () => {
  withHarness((harness) => {
    harness.write("base/large", 0, NEW);
    const { nodes } = harness.statistics;
    harness.write("base/empty", 0, NEW);
    const { ino } = harness.stat("base/empty");
    harness.unlink("base/empty");
    for (let round = 0; round < 50; round++) {
      harness.create("base/empty", NEW);
      assert.notEqual(harness.stat("base/empty").ino, ino, "a new file, a new number");
      harness.unlink("base/empty");
    }
    assert.equal(harness.statistics.nodes, nodes);
  });
});

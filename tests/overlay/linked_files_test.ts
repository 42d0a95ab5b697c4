/** Files of the lower tree with several names, changed under one of them. */

import assert from "node:assert/strict";
import { AttributeChange, Change } from "#src/tree/file_system.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import { BOOT_ID_OFFSET } from "#src/overlay/partial_file.ts";
import { OverlayHarness } from "./harness.ts";

const BLOCK = 8192;
const OLD = new Uint8Array(3 * BLOCK).fill(1);
const NEW = new Uint8Array(BLOCK).fill(2);
const NAMES = ["a", "b", "d/c"];

function withHarness(test: (harness: OverlayHarness) => void): void {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-linked-" });
  try {
    const linked = memoryFile(OLD);
    const lower = new MemoryTree(memoryDirectory({
      a: linked,
      b: linked,
      d: memoryDirectory({ c: linked, other: memoryFile(OLD) }),
    }));
    test(new OverlayHarness(lower, diffPath));
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
}

/** Which links of the file wait for their names. */
function waiting({ diffPath }: OverlayHarness): string[] {
  return [...Deno.readDirSync(`${diffPath}/links`)].flatMap(({ name }) =>
    [...Deno.readDirSync(`${diffPath}/links/${name}`)].map((link) => `${name}/${link.name}`)
  );
}

/** What all names show: the second block, the inode number, how many names there are. */
function assertSame(harness: OverlayHarness, names: readonly string[], block: Uint8Array): void {
  const inos = new Set<number>();
  for (const name of names) {
    assert.deepEqual(harness.read(name, BLOCK, BLOCK), block, name);
    assert.deepEqual(harness.read(name, 0, BLOCK), OLD.subarray(0, BLOCK), name);
    const { ino, nlink } = harness.stat(name);
    inos.add(ino);
    assert.equal(nlink, names.length, `names of ${name}`);
  }
  assert.equal(inos.size, 1);
}

for (const settle of [true, false]) {
  const end = settle ? "an unmount" : "a kill";
  Deno.test(`Overlay shows a change under all names of a file, also after ${end}`, () => {
    withHarness((harness) => {
      const { ino } = harness.stat("b");
      harness.write("a", BLOCK, NEW);
      assert.equal(waiting(harness).length, 2);
      // The other names are looked up only now.
      harness.remount(settle);
      assertSame(harness, NAMES, NEW);
      assert.deepEqual(waiting(harness), []);
      assert.equal(harness.stat("b").ino, ino);
      harness.remount(settle);
      assertSame(harness, NAMES, NEW);
      assert.deepEqual(harness.list("d"), ["c", "other"]);
    });
  });
}

Deno.test("Overlay finds a file whose first name a kill has kept from coming", () => {
  withHarness((harness) => {
    harness.write("a", BLOCK, NEW);
    harness.unmount(false);
    const [link] = waiting(harness);
    Deno.renameSync(`${harness.diffPath}/data/a`, `${harness.diffPath}/links/${link}-more`);
    harness.mount();
    assertSame(harness, NAMES, NEW);
  });
});

Deno.test("Overlay counts the names of a file that are removed, replaced and made", () => {
  withHarness((harness) => {
    harness.unlink("a");
    assert.equal(harness.stat("b").nlink, 2);
    harness.write("b", BLOCK, NEW);
    harness.link("b", "d/e");
    assertSame(harness, ["b", "d/c", "d/e"], NEW);
    harness.rename("d/other", "d/c");
    assertSame(harness, ["b", "d/e"], NEW);
    harness.rename("b", "a");
    assertSame(harness, ["a", "d/e"], NEW);
    harness.remount();
    assertSame(harness, ["a", "d/e"], NEW);
    assert.ok(!harness.exists("b"));
    for (const name of ["a", "d/e"]) harness.unlink(name);
    harness.remount();
    assert.deepEqual(harness.list(""), ["d"]);
    assert.deepEqual(waiting(harness), []);
  });
});

Deno.test("Overlay gives a replaced or moved name of an untouched file back to the count", () => {
  withHarness((harness) => {
    harness.rename("d/other", "a");
    assertSame(harness, ["b", "d/c"], OLD.subarray(0, BLOCK));
    harness.rename("b", "moved");
    harness.remount(false);
    assertSame(harness, ["moved", "d/c"], OLD.subarray(0, BLOCK));
    harness.rename("d", "e");
    assertSame(harness, ["moved", "e/c"], OLD.subarray(0, BLOCK));
  });
});

Deno.test("Overlay empties a file, and changes its mode, under all names", () => {
  withHarness((harness) => {
    const change = new AttributeChange();
    change.mask = Change.MODE;
    change.mode = 0o600;
    harness.change("a", change);
    harness.remount(false);
    assert.equal(harness.stat("b").mode & 0o777, 0o600);
    harness.open("b", 0o1001, () => {}); // O_WRONLY | O_TRUNC
    harness.write("b", 0, NEW);
    harness.remount();
    for (const name of NAMES) assert.deepEqual(harness.read(name), NEW, name);
  });
});

Deno.test("Overlay keeps what was synced of a file none of whose names is left in the diff", () => {
  withHarness((harness) => {
    harness.write("a", BLOCK, NEW);
    harness.unlink("a");
    harness.unmount();
    const [link] = waiting(harness);
    // A reboot: the running system has another boot id than the header.
    const file = Deno.openSync(`${harness.diffPath}/links/${link}`, { write: true });
    file.seekSync(BOOT_ID_OFFSET, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(16).fill(9));
    file.close();
    harness.mount();
    assertSame(harness, ["b", "d/c"], NEW);
  });
});

Deno.test("Overlay leaves the times of directories as they are when names get their file", () => {
  withHarness((harness) => {
    const before = harness.stat("d").mtimeSeconds;
    harness.write("a", BLOCK, NEW);
    harness.remount();
    assertSame(harness, NAMES, NEW);
    assert.equal(harness.stat("d").mtimeSeconds, before);
  });
});

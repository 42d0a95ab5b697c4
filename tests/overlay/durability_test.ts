/** What is left in the diff after a kill, after a power cut, and after somebody damaged it. */

import assert from "node:assert/strict";
import { unwrap } from "#ffi/os_error.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import { measureDiff } from "#src/overlay/diff_usage.ts";
import { BOOT_ID_OFFSET } from "#src/overlay/partial_file.ts";
import { prepareDiffTree } from "#src/overlay/mod.ts";
import { OverlayHarness } from "./harness.ts";

const BLOCK = 8192;
const OLD = new Uint8Array(4 * BLOCK).fill(1);
const NEW = new Uint8Array(BLOCK).fill(2);

function withHarness(test: (harness: OverlayHarness) => void): void {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-durability-" });
  try {
    const lower = new MemoryTree(
      memoryDirectory({ file: memoryFile(OLD), other: memoryFile(OLD) }),
    );
    test(new OverlayHarness(lower, diffPath));
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
}

function patch(path: string, offset: number, bytes: Uint8Array): void {
  const file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(bytes);
  file.close();
}

/** What a reboot does to the diff: the running system has another boot id than the header. */
function pretendReboot(path: string): void {
  patch(path, BOOT_ID_OFFSET, new Uint8Array(16).fill(9));
}

Deno.test("Overlay keeps an acknowledged write that was not synced after a kill", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.remount(false);
    assert.deepEqual(harness.read("file", BLOCK, BLOCK), NEW);
    assert.deepEqual(harness.read("file", 0, BLOCK), OLD.subarray(0, BLOCK));
  });
});

Deno.test("Overlay shows the old block after a power cut before fsync, never zeros", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.unmount(false);
    pretendReboot(`${harness.diffPath}/data/file`);
    harness.mount();
    assert.deepEqual(harness.read("file"), OLD);
  });
});

Deno.test("Overlay shows the new block after a power cut after fsync", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.fsync("file");
    harness.write("file", 2 * BLOCK, NEW);
    harness.unmount(false);
    pretendReboot(`${harness.diffPath}/data/file`);
    harness.mount();
    assert.deepEqual(harness.read("file", BLOCK, BLOCK), NEW);
    assert.deepEqual(harness.read("file", 2 * BLOCK, BLOCK), OLD.subarray(0, BLOCK));
    // Written anew after the reboot, both maps must again agree.
    harness.write("file", 3 * BLOCK, NEW);
    harness.remount(false);
    assert.deepEqual(harness.read("file", BLOCK, BLOCK), NEW);
    assert.deepEqual(harness.read("file", 2 * BLOCK, BLOCK), OLD.subarray(0, BLOCK));
    assert.deepEqual(harness.read("file", 3 * BLOCK, BLOCK), NEW);
  });
});

Deno.test("Overlay keeps everything over a clean unmount and a reboot", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.unmount();
    pretendReboot(`${harness.diffPath}/data/file`);
    harness.mount();
    assert.deepEqual(harness.read("file", BLOCK, BLOCK), NEW);
  });
});

Deno.test("Overlay leaves the times of a file alone when fsync writes the map", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    const before = harness.stat("file");
    harness.fsync("file");
    const after = harness.stat("file");
    assert.equal(after.mtimeSeconds, before.mtimeSeconds);
    assert.equal(after.mtimeNanoseconds, before.mtimeNanoseconds);
  });
});

Deno.test("Overlay leaves the last access of files and directories that nobody has read", () => {
  withHarness((harness) => {
    // Of the size that is looked at for the header of a partial file, and one that is a partial
    // file.
    harness.create("whole", new Uint8Array(100));
    harness.write("file", BLOCK, NEW);
    harness.mkdir("directory");
    const paths = ["whole", "file", "directory"].map((name) => `${harness.diffPath}/data/${name}`);
    for (const path of paths) Deno.utimeSync(path, 631_152_000, 1_000_000_000);
    for (let round = 0; round < 2; round++) {
      harness.remount();
      measureDiff(harness.diffPath);
      for (const name of ["whole", "file", "directory"]) {
        assert.equal(harness.stat(name).atimeSeconds, 631_152_000, name);
      }
    }
  });
});

Deno.test("Overlay takes a file cut shorter than its visible size as cut there", () => {
  withHarness((harness) => {
    harness.write("file", 0, NEW);
    harness.unmount();
    const path = `${harness.diffPath}/data/file`;
    // A kill between the host's truncate and the header's change.
    Deno.truncateSync(path, Deno.statSync(path).size - 2 * BLOCK);
    harness.mount();
    assert.equal(harness.stat("file").size, 2 * BLOCK);
    harness.truncate("file", 4 * BLOCK);
    assert.deepEqual(harness.read("file", 2 * BLOCK, 2 * BLOCK), new Uint8Array(2 * BLOCK));
    harness.remount();
    assert.deepEqual(harness.read("file", 2 * BLOCK, 2 * BLOCK), new Uint8Array(2 * BLOCK));
    assert.deepEqual(harness.read("file", BLOCK, BLOCK), OLD.subarray(0, BLOCK));
  });
});

Deno.test("Overlay refuses a partial file with any flipped header bit, or reads it right", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.unmount();
    const path = `${harness.diffPath}/data/file`;
    const header = Deno.readFileSync(path).slice(0, 80);
    // Bytes 0–23 say what the file is; 40–63 are checked by other means.
    for (let bit = 24 * 8; bit < 76 * 8; bit++) {
      if (bit >= 40 * 8 && bit < 64 * 8) continue;
      const damaged = header.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      patch(path, 0, damaged);
      harness.mount();
      assert.throws(() => harness.read("file"), /Cannot read changed file/, `bit ${bit}`);
      harness.unmount(false);
    }
    patch(path, 0, header);
    harness.mount();
    assert.deepEqual(harness.read("file", BLOCK, BLOCK), NEW);
  });
});

Deno.test("Overlay refuses a partial file that is cut inside its map", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.unmount();
    Deno.truncateSync(`${harness.diffPath}/data/file`, 6000);
    harness.mount();
    assert.throws(() => harness.read("file"), /ends inside the block map/);
    assert.deepEqual(harness.read("other"), OLD);
  });
});

Deno.test("Overlay refuses a partial file that is cut inside its header", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.unmount();
    for (const size of [4095, 72, 71, 24]) {
      Deno.truncateSync(`${harness.diffPath}/data/file`, size);
      harness.mount();
      assert.throws(() => harness.read("file"), /Cannot read changed file/, `${size} bytes`);
      harness.unmount();
    }
  });
});

Deno.test("prepareDiffTree() refuses a nonce that the tree was not made with", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.unmount();
    const { lower, diffPath } = harness;
    const options = { diffPath, lower, volatileDirectories: [], nonce: new Uint8Array(16).fill(8) };
    assert.throws(() => prepareDiffTree(options), /belongs to another tree/);
    harness.mount();
  });
});

Deno.test("Overlay does not write to the diff when files are read", () => {
  withHarness((harness) => {
    harness.read("file");
    harness.stat("other");
    harness.list("");
    harness.open("file", 2, () => {});
    harness.fsync("other");
    const names = [...Deno.readDirSync(`${harness.diffPath}/data`)].map((entry) => entry.name);
    assert.deepEqual(names, [".pbkfs-directory"]);
  });
});

Deno.test("Overlay copies blocks up on read only when told so", () => {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-durability-" });
  try {
    const lower = new MemoryTree(memoryDirectory({ file: memoryFile(OLD) }));
    const harness = new OverlayHarness(lower, diffPath, { materializeOnRead: true });
    harness.read("file", 0, BLOCK);
    assert.equal(harness.statistics.counters.blocksCopied, 1);
    assert.deepEqual(harness.read("file"), OLD);
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
});

Deno.test("Overlay keeps changes of a volatile directory out of the diff", () => {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-durability-" });
  try {
    const lower = new MemoryTree(
      memoryDirectory({ wal: memoryDirectory({ old: memoryFile(OLD) }), file: memoryFile(OLD) }),
    );
    const harness = new OverlayHarness(lower, diffPath, { volatileDirectories: ["wal"] });
    harness.create("wal/new", NEW);
    harness.write("wal/old", 0, NEW);
    harness.rename("wal/old", "wal/renamed");
    assert.deepEqual(harness.list("wal"), ["new", "renamed"]);
    assert.deepEqual(harness.read("wal/renamed", 0, BLOCK), NEW);
    assert.throws(() => harness.rename("wal/new", "new"), /EXDEV/);
    assert.throws(() => harness.rename("wal", "other"), /EBUSY/);
    const names = [...Deno.readDirSync(`${diffPath}/data`)].map((entry) => entry.name);
    assert.deepEqual(names, [".pbkfs-directory"]);
    harness.remount();
    assert.deepEqual(harness.list("wal"), ["old"]);
    assert.deepEqual(harness.read("wal/old"), OLD);
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
});

Deno.test("Overlay starts a volatile directory with the times and attributes that it has in the diff", () => {
  const diffPath = Deno.makeTempDirSync({ prefix: "pbkfs-durability-" });
  try {
    const mtime = { seconds: 900_000_000, nanoseconds: 5 };
    const wal = memoryDirectory({ old: memoryFile(OLD) }, { mtime });
    const lower = new MemoryTree(memoryDirectory({ wal }));
    const untouched = new OverlayHarness(lower, diffPath, { volatileDirectories: ["wal"] });
    assert.equal(untouched.stat("wal").mtimeSeconds, 900_000_000);
    untouched.unmount();
    const kept = new OverlayHarness(lower, diffPath);
    kept.create("wal/new", NEW);
    kept.with("wal/new", (nodeId) => {
      unwrap(kept.overlay.setxattr(nodeId, "user.note", NEW.subarray(0, 4), 0, false), "set", "");
    });
    for (const name of ["wal/new", "wal"]) {
      Deno.utimeSync(`${diffPath}/data/${name}`, 631_152_000, 1_000_000_000);
    }
    kept.unmount();
    const harness = new OverlayHarness(lower, diffPath, { volatileDirectories: ["wal"] });
    for (const name of ["wal/new", "wal"]) {
      const { atimeSeconds, mtimeSeconds } = harness.stat(name);
      assert.deepEqual([atimeSeconds, mtimeSeconds], [631_152_000, 1_000_000_000], name);
    }
    const note = harness.with("wal/new", (id) => harness.overlay.getxattr(id, "user.note"));
    assert.deepEqual(note, NEW.slice(0, 4));
    harness.unmount();
  } finally {
    Deno.removeSync(diffPath, { recursive: true });
  }
});

Deno.test("Overlay lets nobody take the program's own directory away", () => {
  withHarness((harness) => {
    Deno.mkdirSync(`${harness.diffPath}/data/.pbkfs`);
    Deno.writeTextFileSync(`${harness.diffPath}/data/.pbkfs/stat`, "{}");
    harness.create("mine", NEW);
    assert.throws(() => harness.rename(".pbkfs", "gone"), /EPERM/);
    assert.throws(() => harness.rename("mine", ".pbkfs/stat"), /EPERM/);
    assert.throws(() => harness.unlink(".pbkfs/stat"), /EPERM/);
    assert.throws(() => harness.rmdir(".pbkfs"), /EPERM/);
    assert.throws(() => harness.create(".pbkfs/worker.pid", NEW), /EPERM/);
    harness.create(".pbkfs/other", NEW);
    harness.unlink(".pbkfs/other");
    // What this program changes is never kept by the kernel.
    assert.equal(harness.stat(".pbkfs/stat").timeoutSeconds, 0);
  });
});

Deno.test("Overlay serves a file that was removed while open, and changes to it", () => {
  withHarness((harness) => {
    harness.open("file", 2, (nodeId) => {
      harness.unlink("file");
      assert.equal(harness.exists("file"), false);
      assert.deepEqual(harness.readNode(nodeId, 0, BLOCK), OLD.subarray(0, BLOCK));
      harness.writeNode(nodeId, BLOCK, NEW);
      assert.deepEqual(harness.readNode(nodeId, BLOCK, BLOCK), NEW);
      assert.deepEqual(harness.readNode(nodeId, 0, BLOCK), OLD.subarray(0, BLOCK));
      harness.create("file", NEW);
      assert.deepEqual(harness.readNode(nodeId, 2 * BLOCK, BLOCK), OLD.subarray(0, BLOCK));
    });
    assert.deepEqual(harness.read("file"), NEW);
    assert.equal(harness.statistics.nodes, 1);
  });
});

Deno.test("Overlay's node table does not grow with the number of temporary files", () => {
  withHarness((harness) => {
    for (let round = 0; round < 5000; round++) {
      const name = `a-temporary-file-with-a-rather-long-name-${round}`;
      harness.create(name, NEW.subarray(0, 10));
      harness.unlink(name);
    }
    assert.equal(harness.statistics.nodes, 1);
    assert.equal(harness.statistics.handlesOpen, 0);
  });
});

Deno.test("Overlay reads a changed file whose backup shows less of it than when it was changed", () => {
  withHarness((harness) => {
    harness.write("file", BLOCK, NEW);
    harness.unmount();
    const shorter = new MemoryTree(
      memoryDirectory({ file: memoryFile(OLD.subarray(0, 3 * BLOCK)), other: memoryFile(OLD) }),
    );
    const expected = OLD.slice();
    expected.set(NEW, BLOCK);
    expected.fill(0, 3 * BLOCK);
    let again = new OverlayHarness(shorter, harness.diffPath);
    assert.deepEqual(again.read("file"), expected);
    again.write("file", 4 * BLOCK, NEW);
    again.unmount();
    again = new OverlayHarness(shorter, harness.diffPath);
    assert.deepEqual(again.read("file", 0, 4 * BLOCK), expected);
    assert.deepEqual(again.read("file", 4 * BLOCK, BLOCK), NEW);
    again.unmount();
    const longer = new MemoryTree(
      memoryDirectory({ file: memoryFile(new Uint8Array(5 * BLOCK)), other: memoryFile(OLD) }),
    );
    again = new OverlayHarness(longer, harness.diffPath);
    assert.throws(() => again.read("file"), { code: "corrupt" });
    again.unmount();
    harness.mount();
  });
});

/**
 * Files of the backup that are copied whole when they are opened for writing, and what is left of
 * the copies.
 */

import assert from "node:assert/strict";
import * as host from "#ffi/libc/calls.ts";
import { COPIES_FILE_NAME, COPY_MARK_XATTR } from "#src/overlay/copy_mark.ts";
import { HydrationState } from "#src/overlay/hydration/hydration_state.ts";
import { OpenSlot } from "#src/tree/file_system.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import type { FileContent, MountableTree } from "#src/tree/node.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { OverlayPlace } from "#tests/overlay/_overlay_place.ts";
import { treeWithHoles } from "./_tree_with_holes.ts";
import { type HarnessOptions, OverlayHarness } from "./harness.ts";

const MIB = 1 << 20;
const BLOCK = 8192;
const BACKING_ID = 42;
const NEW = new Uint8Array(BLOCK).fill(2);

function pattern(size: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(size / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 2654435761) ^ seed;
  return new Uint8Array(words.buffer);
}

const LARGE = pattern(3 * MIB + 4096, 1);
const OTHER = pattern(2 * MIB, 2);
const SMALL = pattern(MIB / 2, 3);

/** Stands for the kernel: knows which files it may serve alone. */
class Kernel {
  readonly registered: number[] = [];
  register(fd: number): number {
    this.registered.push(fd);
    return BACKING_ID;
  }
  unregister(): void {}
}

/** The mark needs root and a file system that keeps it. */
function canMark(): boolean {
  using place = new TempDirectory("mark");
  Deno.writeTextFileSync(place.join("file"), "");
  const fd = host.open(place.join("file"), host.OpenFlag.RDWR);
  const result = host.setXattr(fd, COPY_MARK_XATTR, new Uint8Array(1), 0);
  host.close(fd);
  return result === 0;
}

const ignore = !canMark();

function sampleTree(): MountableTree {
  return new MemoryTree(memoryDirectory({
    base: memoryDirectory({ large: memoryFile(LARGE), other: memoryFile(OTHER) }),
    small: memoryFile(SMALL),
  }));
}

function withHarness(
  test: (harness: OverlayHarness) => void,
  options: Partial<HarnessOptions> = {},
  lower = sampleTree(),
): void {
  using place = new TempDirectory("copies");
  const backing = new Kernel();
  const harness = new OverlayHarness(lower, place.path, {
    backing,
    wholeCopyBytesMax: 64 * MIB,
    ...options,
  });
  test(harness);
}

/** The backing id that an open is answered with. */
function openedBy(harness: OverlayHarness, path: string, flags: number): number {
  return harness.with(path, (nodeId) => {
    const open = new OpenSlot();
    host.unwrap(harness.overlay.open(nodeId, flags, false, open), "open", path);
    harness.overlay.release(nodeId, open.handle);
    return open.backingId;
  });
}

/** What a reboot does: the copies are of another boot than the running one. */
function pretendReboot(harness: OverlayHarness, names: readonly string[]): void {
  const other = new Uint8Array(16).fill(9);
  for (const name of names) {
    const fd = host.open(`${harness.diffPath}/data/${name}`, host.OpenFlag.RDWR);
    if (typeof host.getXattr(fd, COPY_MARK_XATTR) !== "number") {
      host.setXattr(fd, COPY_MARK_XATTR, other, 0);
    }
    host.close(fd);
  }
  Deno.writeTextFileSync(`${harness.diffPath}/${COPIES_FILE_NAME}`, `${other.toHex()}\n`);
}

/** A write that the kernel makes without asking. */
function writeBehind(harness: OverlayHarness, name: string, offset: number): void {
  using file = Deno.openSync(`${harness.diffPath}/data/${name}`, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(NEW);
}

Deno.test("a large file is copied whole when it is opened for writing, and left to the kernel", {
  ignore,
}, () => {
  withHarness((harness) => {
    assert.equal(openedBy(harness, "base/large", 0), 0);
    assert.equal(harness.statistics.counters.wholeCopies, 0);
    const before = harness.stat("base/large");
    assert.equal(openedBy(harness, "base/large", 2), BACKING_ID);
    assert.equal(harness.statistics.counters.wholeCopies, 1);
    assert.deepEqual(Deno.readFileSync(`${harness.diffPath}/data/base/large`), LARGE);
    const after = harness.stat("base/large");
    assert.deepEqual([after.size, after.mode], [before.size, before.mode]);
    assert.equal(after.mtimeSeconds, before.mtimeSeconds);
    // From now on for whoever reads, too.
    assert.equal(openedBy(harness, "base/large", 0), BACKING_ID);
    assert.deepEqual(harness.read("base/large"), LARGE);
  });
});

Deno.test(
  "no whole copy: small files, files that are open, emptied ones, beyond the total, switched off",
  { ignore },
  () => {
    withHarness((harness) => {
      assert.equal(openedBy(harness, "small", 2), 0);
      harness.open("base/large", 0, () => assert.equal(openedBy(harness, "base/large", 2), 0));
      assert.equal(openedBy(harness, "base/other", 0o1002), BACKING_ID);
      assert.equal(harness.statistics.counters.wholeCopies, 0);
      assert.equal(harness.stat("base/other").size, 0);
    });
    withHarness((harness) => {
      assert.equal(openedBy(harness, "base/large", 2), 0);
      assert.equal(openedBy(harness, "base/other", 2), BACKING_ID);
      assert.equal(openedBy(harness, "base/large", 2), 0);
    }, { wholeCopyBytesMax: 3 * MIB });
    withHarness((harness) => {
      // Four are more than three and two less than five, but not both.
      assert.equal(openedBy(harness, "base/other", 2), BACKING_ID);
      assert.equal(openedBy(harness, "base/large", 2), 0);
    }, { wholeCopyBytesMax: 5 * MIB });
    withHarness((harness) => assert.equal(openedBy(harness, "base/large", 2), 0), {
      wholeCopyBytesMax: 0,
    });
  },
);

Deno.test("while a mount is hydrated, small files are copied whole too, and there is no total", {
  ignore,
}, () => {
  withHarness((harness) => {
    const hydration = new HydrationState(harness.shared.hydration);
    hydration.order(undefined);
    assert.equal(openedBy(harness, "small", 2), BACKING_ID);
    assert.equal(openedBy(harness, "base/large", 2), BACKING_ID);
    hydration.stop();
    assert.equal(openedBy(harness, "base/other", 2), 0);
    assert.deepEqual(harness.read("small"), SMALL);
  }, { wholeCopyBytesMax: 0 });
});

Deno.test("a file with holes is not copied whole: it would lose them", { ignore }, () => {
  const sparse = new Uint8Array(LARGE);
  const hole = { start: BLOCK, end: BLOCK + MIB };
  sparse.fill(0, hole.start, hole.end);
  withHarness(
    (harness) => {
      assert.equal(openedBy(harness, "file", 2), 0);
      harness.write("file", 2 * MIB, NEW);
      assert.equal(openedBy(harness, "file", 2), 0);
      assert.equal(harness.statistics.counters.wholeCopies, 0);
      // Of the diff that is the changed block and a header; of the backup all but the hole.
      const blocks = (LARGE.length - MIB) / 512;
      assert.ok(harness.stat("file").blocks < blocks + MIB / 2 / 512, "the hole takes no space");
      assert.equal(harness.seek("file", host.Seek.HOLE, 0), hole.start);
      assert.equal(harness.seek("file", host.Seek.DATA, hole.start), hole.end);
      sparse.set(NEW, 2 * MIB);
      assert.deepEqual(harness.read("file"), sparse);
    },
    {},
    treeWithHoles(sparse, hole),
  );
  // The same file is copied when nothing is known of its zeros.
  withHarness(
    (harness) => {
      assert.equal(openedBy(harness, "file", 2), BACKING_ID);
      assert.equal(harness.statistics.counters.wholeCopies, 1);
    },
    {},
    new MemoryTree(memoryDirectory({ file: memoryFile(sparse) })),
  );
});

Deno.test(
  "a damaged place of the backup fails who reads it, not who opens the file",
  { ignore },
  () => {
    const lower = sampleTree();
    const directory = lower.root.lookup("base");
    assert.equal(directory?.kind, "directory");
    const file = directory.lookup("large");
    assert.equal(file?.kind, "file");
    const open = file.open.bind(file);
    file.open = () => {
      const content = open();
      const readInto: FileContent["readInto"] = (target, start, size, offset) => {
        if (offset + size > 2 * MIB) throw new host.OsError(host.Errno.EIO, "read", "large");
        return content.readInto(target, start, size, offset);
      };
      return { readInto, close: () => content.close() };
    };
    withHarness(
      (harness) => {
        assert.equal(openedBy(harness, "base/large", 2), 0);
        assert.deepEqual(harness.read("base/large", 0, MIB), LARGE.subarray(0, MIB));
        harness.write("base/large", 2 * MIB, NEW);
        assert.deepEqual(harness.read("base/large", 2 * MIB, BLOCK), NEW);
        assert.deepEqual([...Deno.readDirSync(`${harness.diffPath}/tmp`)], []);
        // What was not used of the total is there for others.
        assert.equal(openedBy(harness, "base/other", 2), BACKING_ID);
      },
      { wholeCopyBytesMax: 5 * MIB },
      lower,
    );
  },
);

Deno.test("a copy keeps what the kernel wrote over a kill, unsynced as it is", { ignore }, () => {
  withHarness((harness) => {
    openedBy(harness, "base/large", 2);
    writeBehind(harness, "base/large", BLOCK);
    harness.remount(false);
    assert.deepEqual(harness.read("base/large", BLOCK, BLOCK), NEW);
    assert.deepEqual(harness.read("base/large", 2 * BLOCK), LARGE.subarray(2 * BLOCK));
  });
});

Deno.test("a copy that was not synced goes after a power cut, one that was synced stays", {
  ignore,
}, () => {
  withHarness((harness) => {
    for (const name of ["base/large", "base/other"]) {
      openedBy(harness, name, 2);
      writeBehind(harness, name, 0);
    }
    harness.fsync("base/other");
    harness.unmount(false);
    pretendReboot(harness, ["base/large", "base/other"]);
    harness.mount();
    assert.deepEqual(harness.read("base/large"), LARGE);
    assert.deepEqual(harness.read("base/other", 0, BLOCK), NEW);
    assert.deepEqual(harness.read("base/other", BLOCK), OTHER.subarray(BLOCK));
  });
});

Deno.test(
  "a copy met again after a kill is still known not to be synced, however short it became",
  { ignore },
  () => {
    withHarness((harness) => {
      openedBy(harness, "base/large", 2);
      harness.truncate("base/large", 5);
      harness.remount(false);
      harness.fsync("base/large");
      harness.unmount(false);
      pretendReboot(harness, ["base/large"]);
      harness.mount();
      assert.deepEqual(harness.read("base/large"), LARGE.subarray(0, 5));
    });
  },
);

Deno.test("a copy that gets another name is made durable first", { ignore }, () => {
  withHarness((harness) => {
    openedBy(harness, "base/large", 2);
    openedBy(harness, "base/other", 2);
    harness.rename("base/large", "base/moved");
    harness.link("base/other", "base/linked");
    harness.unmount(false);
    pretendReboot(harness, ["base/moved", "base/other"]);
    harness.mount();
    assert.deepEqual(harness.list("base"), ["linked", "moved", "other"]);
    assert.deepEqual(harness.read("base/moved"), LARGE);
    assert.deepEqual(harness.read("base/linked"), OTHER);
  });
});

Deno.test("a clean unmount makes copies durable and leaves no mark", { ignore }, () => {
  withHarness((harness) => {
    openedBy(harness, "base/large", 2);
    writeBehind(harness, "base/large", 0);
    assert.ok(host.open(`${harness.diffPath}/${COPIES_FILE_NAME}`, 0) >= 0);
    harness.unmount();
    assert.equal(
      host.open(`${harness.diffPath}/${COPIES_FILE_NAME}`, 0),
      -host.Errno.ENOENT,
    );
    const fd = host.open(`${harness.diffPath}/data/base/large`, 0);
    assert.equal(host.getXattr(fd, COPY_MARK_XATTR), -host.Errno.ENODATA);
    host.close(fd);
    harness.mount();
    assert.deepEqual(harness.read("base/large", 0, BLOCK), NEW);
  });
});

Deno.test(
  "the mark of a copy can be neither seen nor changed through the mount",
  { ignore },
  () => {
    withHarness((harness) => {
      openedBy(harness, "base/large", 2);
      harness.with("base/large", (nodeId) => {
        const { overlay } = harness;
        assert.deepEqual(overlay.listxattr(nodeId), []);
        assert.equal(overlay.getxattr(nodeId, COPY_MARK_XATTR), -host.Errno.ENODATA);
        assert.equal(overlay.removexattr(nodeId, COPY_MARK_XATTR), -host.Errno.ENODATA);
        const value = new Uint8Array(16);
        assert.equal(overlay.setxattr(nodeId, COPY_MARK_XATTR, value, 0, false), -host.Errno.EPERM);
      });
    });
  },
);

Deno.test(
  "threads that have nothing to do take pieces of a copy until a request waits",
  { ignore },
  () => {
    withHarness((harness) => {
      const [owner, helper] = [harness.overlay, harness.overlay];
      let pieces = 0;
      owner.callHelpers = () => {
        helper.help(() => pieces++ >= 3);
        // The second time it finds the job as the first one left it.
        helper.help(() => pieces++ >= 6);
      };
      harness.with("base/large", (nodeId) => {
        const open = new OpenSlot();
        assert.equal(owner.open(nodeId, 2, false, open), 0);
        assert.equal(open.backingId, BACKING_ID);
        owner.release(nodeId, open.handle);
      });
      assert.equal(pieces, 7);
      assert.deepEqual(Deno.readFileSync(`${harness.diffPath}/data/base/large`), LARGE);
      let isAsked = false;
      helper.help(() => isAsked = true);
      assert.equal(isAsked, false, "there is nothing to help with any more");
    });
  },
);

for (const workers of [1, 3]) {
  Deno.test(`a mount serves copies by passthrough (${workers} workers)`, { ignore }, async () => {
    using place = new OverlayPlace();
    place.wholeCopyBytesMax = 64 * MIB;
    const content = pattern(40 * MIB, 5);
    Deno.writeFileSync(`${place.lower}/file`, content);
    await place.mounted(workers, async ({ mount, sh }) => {
      if (!mount.passthrough.isOn) return;
      await sh("printf changed | dd of=file bs=8192 seek=100 conv=notrunc status=none");
      await sh(`cmp -n 819200 file ${place.lower}/file`);
      const { write, read } = mount.statistics.operations();
      assert.equal(write?.count ?? 0, 0, "the kernel wrote by itself");
      assert.equal(read?.count ?? 0, 0, "the kernel read by itself");
    });
    const changed = content.slice();
    changed.set(new TextEncoder().encode("changed"), 100 * BLOCK);
    assert.deepEqual(Deno.readFileSync(`${place.diff}/data/file`), changed);
    assert.deepEqual(Deno.readFileSync(`${place.lower}/file`), content);
  });
}

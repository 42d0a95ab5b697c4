/** Hydration: all that a mount shows comes into the diff, whatever happens meanwhile. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Errno, OsError } from "#ffi/os_error.ts";
import { FormatError } from "#src/errors.ts";
import type { HydrationState } from "#src/overlay/hydration/hydration_state.ts";
import { isHydrated } from "#src/overlay/hydration/hydrated_mark.ts";
import {
  memoryDirectory,
  memoryFile,
  memorySpecial,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import { FileType } from "#src/tree/node.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { SmallDisk } from "#tests/support/small_disk.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  apply,
  buildLower,
  compare,
  lowerFile,
  Model,
  step,
} from "#tests/overlay/_overlay_model.ts";
import { pretendReboot } from "#tests/overlay/_power_cuts.ts";
import { treeWithHoles } from "#tests/overlay/_tree_with_holes.ts";
import { NONCE, OverlayHarness } from "#tests/overlay/harness.ts";
import {
  assertEverythingDurable,
  filesOf,
  hydrateAll,
  Hydration,
  loseContents,
} from "./_hydrated.ts";

const MIB = 1 << 20;
const BLOCK = 8192;

function pattern(size: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed + (index >> 8)) & 0xff);
}

/** A text that compares them would take minutes. */
function assertBytes(found: Uint8Array, wanted: Uint8Array): void {
  assert.equal(found.length, wanted.length);
  assert.equal(found.findIndex((byte, index) => byte !== wanted[index]), -1, "first difference");
}

/** All is there; whether files have become plain depends on the disk. */
function assertComplete({ phase }: HydrationState): void {
  assert.ok(phase === "complete" || phase === "waiting", phase);
}

Deno.test("hydration beside changes, kills and remounts: a model finds no difference", () => {
  fc.assert(
    fc.property(
      fc.array(lowerFile, { maxLength: 7 }),
      fc.array(fc.tuple(step, fc.integer({ min: 0, max: 4 }), fc.boolean()), { maxLength: 30 }),
      (files, steps) => {
        using diff = new TempDirectory("hydration", true);
        const model = new Model();
        const lower = buildLower(files, model);
        const harness = new OverlayHarness(lower, diff.path);
        let hydration = new Hydration(harness);
        for (const [index, [step, stepsOfHydration, isKill]] of steps.entries()) {
          const isRemount = step.kind === "remount";
          if (isRemount) hydration.end(isKill);
          try {
            apply(step, harness, model);
          } catch (error) {
            throw new Error(`step ${index} ${JSON.stringify(step)}`, { cause: error });
          }
          if (isRemount) hydration = new Hydration(harness);
          for (let left = stepsOfHydration; left > 0; left--) hydration.step();
        }
        compare(harness, model);
        hydration.finish();
        hydration.end();
        assertComplete(hydration.state);
        assert.equal(harness.statistics.handlesOpen, 0);
        assert.deepEqual([...Deno.readDirSync(`${diff.path}/tmp`)], []);
        compare(harness, model);
        // From now on the source is not read, not even after a power cut.
        harness.unmount(false);
        assertEverythingDurable(`${diff.path}/data`);
        loseContents(lower);
        pretendReboot(`${diff.path}/data`);
        harness.mount();
        assert.ok(isHydrated(diff.path, NONCE));
        compare(harness, model);
        for (const [step] of steps) if (step.kind !== "remount") apply(step, harness, model);
        compare(harness, model);
        harness.unmount();
      },
    ),
    {
      seed: 20261130,
      numRuns: Number(Deno.env.get("PBKFS_FUZZ_RUNS") ?? 60),
      endOnFailure: false,
    },
  );
});

Deno.test("directories, links and devices come into the diff with all that is said of them", () => {
  using diff = new TempDirectory("hydration", true);
  const attributes = { permissions: 0o640, uid: 5, gid: 7, mtime: { seconds: 9, nanoseconds: 8 } };
  const twice = memoryFile(pattern(3 * BLOCK, 4), attributes);
  const lower = new MemoryTree(memoryDirectory({
    empty: memoryDirectory({}, { ...attributes, permissions: 0o2750 }),
    ".pbkfs": memoryDirectory({
      tblspc: memoryDirectory({ "16385": memoryDirectory({ "1": memoryFile(pattern(99, 5)) }) }),
    }),
    deep: memoryDirectory({
      link: memorySymlink("../empty", { ...attributes, permissions: 0o777 }),
      fifo: memorySpecial(FileType.FIFO, 0, attributes),
      twice,
    }),
    again: twice,
    nothing: memoryFile("", attributes),
    setuid: memoryFile("x", { ...attributes, permissions: 0o4755 }),
  }));
  const harness = new OverlayHarness(lower, diff.path);
  const paths = ["empty", "deep/link", "deep/fifo", "deep/twice", "again", "nothing", "setuid"];
  const attributesOf = (path: string) => {
    const { mode, uid, gid, size, mtimeSeconds, mtimeNanoseconds, nlink } = harness.stat(path);
    const common = { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, nlink };
    return path === "empty" ? common : { ...common, size };
  };
  const before = paths.map(attributesOf);
  const { state } = hydrateAll(harness);
  assert.deepEqual(paths.map(attributesOf), before);
  const { filesDone, filesTotal, bytesDone, bytesTotal, filesLeftOut } = state.read();
  assertComplete(state);
  assert.equal(filesLeftOut, 0);
  // One of them has two names.
  assert.equal(filesTotal, 5);
  assert.equal(filesDone, 5);
  assert.equal(bytesTotal, 2 * 3 * BLOCK + 99 + 1);
  assert.equal(bytesDone, bytesTotal);
  harness.remount(false);
  assert.deepEqual(paths.map(attributesOf), before);
  for (const path of [...paths, ".pbkfs/tblspc/16385/1"]) {
    Deno.lstatSync(`${diff.path}/data/${path}`);
  }
  assert.deepEqual([...Deno.readDirSync(`${diff.path}/links`)], []);
  harness.unmount();
});

Deno.test("the WAL comes first, then open files, then small ones before large ones", () => {
  using diff = new TempDirectory("hydration", true);
  const lower = new MemoryTree(memoryDirectory({
    base: memoryDirectory({
      large: memoryFile(pattern(40 * BLOCK, 1)),
      small: memoryFile(pattern(BLOCK, 2)),
      changed: memoryFile(pattern(50 * BLOCK, 3)),
      read: memoryFile(pattern(30 * BLOCK, 4)),
    }),
    pg_wal: memoryDirectory({ segment: memoryFile(pattern(60 * BLOCK, 5)) }),
  }));
  const harness = new OverlayHarness(lower, diff.path);
  harness.write("base/changed", 3 * BLOCK, new Uint8Array(BLOCK).fill(1));
  const order: string[] = [];
  for (const [path, node] of filesOf(lower)) {
    const open = node.open.bind(node);
    node.open = () => {
      order.push(path);
      return open();
    };
  }
  harness.open("base/changed", 2, () => {
    harness.open("base/read", 0, (nodeId) => {
      const { state } = hydrateAll(harness);
      assertComplete(state);
      assert.deepEqual(order, [
        "pg_wal/segment",
        "base/read",
        "base/changed",
        "base/small",
        "base/large",
      ]);
      // Who has it open goes on with it, and may write by now.
      assertBytes(harness.readNode(nodeId, 0, 99 * BLOCK), pattern(30 * BLOCK, 4));
      harness.writeNode(nodeId, 0, new Uint8Array(10).fill(7));
    });
  });
  assertBytes(harness.read("base/read").subarray(0, 10), new Uint8Array(10).fill(7));
  const changed = pattern(50 * BLOCK, 3);
  changed.fill(1, 3 * BLOCK, 4 * BLOCK);
  assertBytes(harness.read("base/changed"), changed);
  harness.unmount();
});

Deno.test("holes of the source stay holes, in whole copies and in files changed by blocks", () => {
  for (const isChanged of [false, true]) {
    using diff = new TempDirectory("hydration", true);
    const content = pattern(4 * MIB, 6);
    const hole = { start: MIB, end: 3 * MIB };
    content.fill(0, hole.start, hole.end);
    const harness = new OverlayHarness(treeWithHoles(content, hole), diff.path);
    if (isChanged) {
      harness.write("file", 0, new Uint8Array(BLOCK).fill(1));
      // What the sparse file has where its map has nothing is not what the file has.
      const path = `${diff.path}/data/file`;
      using file = Deno.openSync(path, { read: true, write: true });
      file.seekSync(file.statSync().size - 2 * MIB - 100, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(3 * BLOCK).fill(9));
    }
    const { state } = hydrateAll(harness);
    assertComplete(state);
    if (isChanged) content.fill(1, 0, BLOCK);
    assertBytes(harness.read("file"), content);
    const { blocks } = Deno.statSync(`${diff.path}/data/file`);
    assert.ok(blocks! * 512 < 2.2 * MIB, "the hole takes no space");
    harness.unmount();
  }
});

Deno.test("a damaged file is said once and left out, and the diff is not called complete", () => {
  using diff = new TempDirectory("hydration", true);
  const lower = new MemoryTree(memoryDirectory({
    good: memoryFile(pattern(5 * BLOCK, 1)),
    bad: memoryFile(pattern(50 * BLOCK, 2)),
    changed: memoryFile(pattern(50 * BLOCK, 3)),
  }));
  for (const name of ["bad", "changed"]) {
    const node = filesOf(lower).get(name)!;
    const open = node.open.bind(node);
    node.open = () => ({
      readInto(target, start, size, offset) {
        if (offset + size > 40 * BLOCK) throw new FormatError("Cannot read a page");
        return open().readInto(target, start, size, offset);
      },
      close() {},
    });
  }
  const harness = new OverlayHarness(lower, diff.path);
  harness.write("changed", 0, new Uint8Array(BLOCK));
  const { state, leftOut } = hydrateAll(harness);
  assert.equal(state.phase, "incomplete");
  assert.deepEqual(leftOut.sort(), ["bad", "changed"]);
  assert.equal(state.read().filesLeftOut, 2);
  assert.ok(!isHydrated(diff.path, NONCE));
  assertBytes(Deno.readFileSync(`${diff.path}/data/good`), pattern(5 * BLOCK, 1));
  assert.throws(() => Deno.lstatSync(`${diff.path}/data/bad`));
  assert.deepEqual([...Deno.readDirSync(`${diff.path}/tmp`)], []);
  // What can be read still can.
  harness.open("bad", 0, (nodeId) => {
    assertBytes(harness.readNode(nodeId, 0, BLOCK), pattern(BLOCK, 2));
  });
  harness.unmount();
});

Deno.test("a source that does not answer for a while is asked again", () => {
  using diff = new TempDirectory("hydration", true);
  const lower = new MemoryTree(memoryDirectory({ file: memoryFile(pattern(2 * BLOCK, 1)) }));
  const node = filesOf(lower).get("file")!;
  const open = node.open.bind(node);
  let failures = 2;
  node.open = () => {
    if (failures-- > 0) throw new OsError(Errno.EAGAIN, "read", "file");
    return open();
  };
  const harness = new OverlayHarness(lower, diff.path);
  const hydration = new Hydration(harness);
  const waits: number[] = [];
  for (let step = hydration.step(); step !== undefined; step = hydration.step()) {
    if ("waitMs" in step) waits.push(step.waitMs);
  }
  hydration.end();
  assert.deepEqual(waits, [1000, 1000]);
  assert.equal(hydration.pauses.length, 2, "said once, and that it goes on");
  assertComplete(hydration.state);
  harness.unmount();
});

Deno.test("on a full disk it pauses, leaves programs a reserve, and goes on", {
  ignore: Deno.uid() !== 0,
}, async () => {
  await using disk = await SmallDisk.create(24);
  const diffPath = disk.join("diff");
  Deno.mkdirSync(diffPath);
  const lower = new MemoryTree(memoryDirectory({
    a: memoryFile(pattern(3 * MIB, 1)),
    b: memoryFile(pattern(5 * MIB, 2)),
    changed: memoryFile(pattern(MIB, 3)),
  }));
  const harness = new OverlayHarness(lower, diffPath);
  harness.write("changed", 0, new Uint8Array(BLOCK));
  const ballast = disk.join("ballast");
  Deno.writeFileSync(ballast, new Uint8Array(12 * MIB).fill(1));
  const hydration = new Hydration(harness);
  let waits = 0;
  while (waits < 3) {
    const step = hydration.step();
    assert.ok(step !== undefined, "it does not come to an end");
    if ("waitMs" in step) waits += 1;
  }
  const { phase, errno } = hydration.state.read();
  assert.equal(phase, "paused");
  assert.equal(errno, Errno.ENOSPC);
  assert.equal(hydration.pauses.length, 1);
  assert.deepEqual([...Deno.readDirSync(`${diffPath}/tmp`)], []);
  // A megabyte is left to those who write.
  harness.create("new", new Uint8Array(MIB).fill(5));
  harness.fsync("new");
  Deno.removeSync(ballast);
  hydration.finish();
  hydration.end();
  assertComplete(hydration.state);
  assert.equal(hydration.pauses.at(-1), "resumed");
  const changed = pattern(MIB, 3);
  changed.fill(0, 0, BLOCK);
  assertBytes(harness.read("changed"), changed);
  assertBytes(harness.read("b"), pattern(5 * MIB, 2));
  harness.unmount();
});

Deno.test(
  "a file that was changed by blocks becomes plain when it is closed, and is passed through",
  {
    ignore: Deno.uid() !== 0,
  },
  async () => {
    // In memory by a copy, on a disk of ext4 by cutting off the header.
    await using memory = await MemoryDisk.create(16);
    using disk = new TempDirectory("hydration");
    for (const diff of [memory, disk]) {
      const old = pattern(9 * BLOCK - 5, 1);
      const attributes = { permissions: 0o640, mtime: { seconds: 9, nanoseconds: 8 } };
      const twice = memoryFile(old, attributes);
      const lower = new MemoryTree(memoryDirectory({
        file: memoryFile(old, attributes),
        twice,
        other: twice,
        left: memoryFile(old),
      }));
      let registered = 0;
      const backing = { register: () => ++registered, unregister() {} };
      const harness = new OverlayHarness(lower, diff.path, { backing });
      const content = old.slice();
      content.fill(7, BLOCK, 2 * BLOCK);
      for (const name of ["file", "twice", "left"]) {
        harness.write(name, BLOCK, new Uint8Array(BLOCK).fill(7));
      }
      const before = harness.stat("file");
      const hydration = new Hydration(harness, () => Date.now() + 60_000);
      harness.open("file", 2, (nodeId) => {
        hydration.finish();
        assert.equal(hydration.state.phase, "waiting");
        for (let steps = 0; steps < 5; steps++) hydration.step();
        assert.equal(hydration.state.phase, "waiting", "it is open");
        assert.ok(isHydrated(diff.path, NONCE));
        assertBytes(harness.readNode(nodeId, 0, content.length), content);
        harness.writeNode(nodeId, 3 * BLOCK, new Uint8Array(3).fill(9));
        content.fill(9, 3 * BLOCK, 3 * BLOCK + 3);
      });
      const written = harness.stat("file");
      for (let steps = 0; hydration.step() !== undefined; steps++) assert.ok(steps < 20);
      hydration.end();
      assert.equal(hydration.state.phase, "complete");
      const after = harness.stat("file");
      assert.deepEqual(
        [after.ino, after.size, after.mode, after.mtimeSeconds, after.mtimeNanoseconds],
        [before.ino, before.size, before.mode, written.mtimeSeconds, written.mtimeNanoseconds],
      );
      assertBytes(Deno.readFileSync(`${diff.path}/data/file`), content);
      registered = 0;
      harness.open("file", 2, (nodeId) => {
        assert.equal(registered, 1, "the kernel has it");
        assertBytes(harness.readNode(nodeId, 0, content.length), content);
        // Its end can be moved as that of any file.
        harness.writeNode(nodeId, content.length, new Uint8Array(5).fill(1));
      });
      harness.fsync("file");
      harness.truncate("file", 3);
      assertBytes(harness.read("twice"), harness.read("other"));
      harness.remount(false);
      assertBytes(harness.read("file"), content.subarray(0, 3));
      assert.deepEqual(
        harness.read("other").subarray(BLOCK, 2 * BLOCK),
        content.subarray(BLOCK, 2 * BLOCK),
      );
      assert.deepEqual([...Deno.readDirSync(`${diff.path}/tmp`)], []);
      harness.unmount();
    }
  },
);

Deno.test("a file that is changed or removed while a plain copy of it is made stays what it is", {
  ignore: Deno.uid() !== 0,
}, async () => {
  await using diff = await MemoryDisk.create(16);
  const old = pattern(9 * BLOCK, 1);
  const lower = new MemoryTree(memoryDirectory({ file: memoryFile(old), gone: memoryFile(old) }));
  const harness = new OverlayHarness(lower, diff.path);
  for (const name of ["file", "gone"]) harness.write(name, 0, new Uint8Array(9).fill(7));
  let asked = 0;
  // The clock is asked once for each file, before it is copied.
  const hydration = new Hydration(harness, () => {
    asked += 1;
    if (asked === 1) harness.write("file", 5, new Uint8Array(9).fill(8));
    if (asked === 2) harness.unlink("gone");
    return Date.now() + 60_000;
  });
  hydration.finish();
  hydration.step();
  hydration.step();
  assert.equal(asked, 2);
  const content = old.slice();
  content.fill(7, 0, 5);
  content.fill(8, 5, 14);
  assertBytes(harness.read("file"), content);
  assert.ok(!harness.exists("gone"));
  hydration.end();
  harness.unmount();
});

Deno.test("what is moved behind the back of the last walk is not forgotten", () => {
  for (let steps = 0; steps < 8; steps++) {
    using diff = new TempDirectory("hydration", true);
    const lower = new MemoryTree(memoryDirectory({
      a: memoryDirectory({}),
      b: memoryDirectory({ file: memoryFile(pattern(3 * BLOCK, 1)) }),
      c: memoryDirectory({}),
    }));
    const harness = new OverlayHarness(lower, diff.path);
    const hydration = new Hydration(harness);
    for (let step = 0; step < steps; step++) hydration.step();
    harness.rename("b/file", "a/file");
    harness.rename("b", "c/b");
    hydration.finish();
    hydration.end();
    assert.ok(isHydrated(diff.path, NONCE));
    assertEverythingDurable(`${diff.path}/data`);
    loseContents(lower);
    assertBytes(harness.read("a/file"), pattern(3 * BLOCK, 1));
    harness.unmount();
  }
});

Deno.test("what is cut off, or written, while its old bytes are read does not come back", () => {
  using diff = new TempDirectory("hydration", true);
  const lower = new MemoryTree(memoryDirectory({ file: memoryFile(pattern(9 * BLOCK, 1)) }));
  const harness = new OverlayHarness(lower, diff.path);
  harness.write("file", 8 * BLOCK, new Uint8Array(10).fill(3));
  const node = filesOf(lower).get("file")!;
  const open = node.open.bind(node);
  let isArmed = true;
  node.open = () => {
    const content = open();
    return {
      readInto(...args) {
        const count = content.readInto(...args);
        if (isArmed) {
          isArmed = false;
          harness.truncate("file", 2 * BLOCK + 100);
          harness.truncate("file", 7 * BLOCK);
          harness.write("file", 5 * BLOCK, new Uint8Array(BLOCK).fill(4));
        }
        return count;
      },
      close: () => content.close(),
    };
  };
  const { state } = hydrateAll(harness);
  assertComplete(state);
  const content = new Uint8Array(7 * BLOCK);
  content.set(pattern(9 * BLOCK, 1).subarray(0, 2 * BLOCK + 100));
  content.fill(4, 5 * BLOCK, 6 * BLOCK);
  assert.ok(!isArmed);
  assertBytes(harness.read("file"), content);
  harness.remount(false);
  assertBytes(harness.read("file"), content);
  harness.unmount();
});

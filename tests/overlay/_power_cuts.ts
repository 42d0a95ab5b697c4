/**
 * Random changes over any lower tree, with kills and power cuts between them.
 *
 * A power cut takes from a changed file all that its working map says since the last fsync; what
 * the disk itself would lose is not taken. So each block is then, as a whole, what it was at the
 * last fsync, or what was written last; sizes and names are as they were left.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { BLOCK_SIZE, BOOT_ID_OFFSET } from "#src/overlay/partial_file.ts";
import type { FileNode, MountableTree } from "#src/tree/node.ts";
import { walk } from "#src/tree/walk.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { OverlayHarness } from "./harness.ts";

const MAGIC = new TextEncoder().encode("PBKFSPRT");
/** No boot has it. */
const OTHER_BOOT_ID = new Uint8Array(16).fill(9);
const STEPS = 40;

/** Makes every changed file of a diff one that was left by another boot of the host. */
export function pretendReboot(diffPath: string): void {
  for (const { name, isFile, isDirectory } of Deno.readDirSync(diffPath)) {
    const path = `${diffPath}/${name}`;
    if (isDirectory) pretendReboot(path);
    if (isFile) changeBootId(path);
  }
}

function changeBootId(path: string): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const start = new Uint8Array(MAGIC.length);
  file.readSync(start);
  if (start.some((byte, index) => byte !== MAGIC[index])) return;
  file.seekSync(BOOT_ID_OFFSET, Deno.SeekMode.Start);
  file.writeSync(OTHER_BOOT_ID);
}

/** A file under all its names. */
interface Survivor {
  /** What was written last. */
  newest: Uint8Array;
  /** What it was at the last fsync, but for its size. */
  synced: Uint8Array;
}

type Files = Map<string, Survivor>;

/**
 * Changes what an overlay shows over a tree, ends it in all ways, and checks what is left.
 *
 * @param lower with at least one file
 */
export function survivePowerCuts(lower: MountableTree, seed: number): void {
  using diff = new TempDirectory("cuts", true);
  const random = new Random(20261130, seed);
  const files = filesOf(lower);
  const harness = new OverlayHarness(lower, diff.path);
  for (let step = 0; step < STEPS; step++) change(harness, files, random);
  cut(harness, files);
  harness.remount();
  check(harness, files, ({ newest }) => [newest]);
  harness.unmount();
}

function filesOf(lower: MountableTree): Files {
  const byId = new Map<number, Survivor>();
  const files: Files = new Map();
  for (const { path, node } of walk(lower)) {
    if (node.kind !== "file") continue;
    const content = contentOf(node);
    const known = byId.get(node.id) ?? { newest: content, synced: content.slice() };
    byId.set(node.id, known);
    files.set(path, known);
  }
  return files;
}

function contentOf(node: FileNode): Uint8Array {
  const { size } = node.attributes;
  const target = allocateNativeBuffer(size);
  const content = node.open();
  assert.equal(content.readInto(target, 0, size, 0), size);
  content.close();
  return target.bytes.slice(0, size);
}

function change(harness: OverlayHarness, files: Files, random: Random): void {
  const path = random.pick([...files.keys()]);
  const file = files.get(path)!;
  const isAligned = random.oneIn(2);
  const anywhere = random.between(0, file.newest.length + BLOCK_SIZE);
  const offset = isAligned ? anywhere - anywhere % BLOCK_SIZE : anywhere;
  const size = isAligned ? BLOCK_SIZE : random.between(1, 20_000);
  switch (random.between(0, 9)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const bytes = new Uint8Array(size).fill(random.between(1, 255));
      harness.write(path, offset, bytes);
      resize(file, Math.max(file.newest.length, offset + size));
      return file.newest.set(bytes, offset);
    }
    case 4:
      harness.truncate(path, offset);
      return resize(file, offset);
    case 5:
      harness.fallocate(path, 3, offset, size); // PUNCH_HOLE | KEEP_SIZE
      return void file.newest.fill(0, offset, offset + size);
    case 6: {
      harness.rename(path, `${path}+`);
      files.delete(path);
      return void files.set(`${path}+`, file);
    }
    case 7:
      harness.fsync(path);
      file.synced = file.newest.slice();
      return;
    case 8:
      harness.remount(false);
      return check(harness, files, ({ newest }) => [newest]);
    default:
      return cut(harness, files);
  }
}

/** The host cuts at once, and what grows is zeros. */
function resize(file: Survivor, size: number): void {
  for (const key of ["newest", "synced"] as const) {
    const resized = new Uint8Array(size);
    resized.set(file[key].subarray(0, size));
    file[key] = resized;
  }
}

/** Ends as by a power cut, mounts again, and goes on with what is there. */
function cut(harness: OverlayHarness, files: Files): void {
  harness.unmount(false);
  pretendReboot(harness.diffPath);
  harness.mount();
  check(harness, files, ({ newest, synced }) => [newest, synced]);
  for (const [path, file] of files) {
    file.newest = harness.read(path);
    file.synced = file.newest.slice();
  }
}

/** Checks that each block of each file is that of one of some contents. */
function check(
  harness: OverlayHarness,
  files: Files,
  allowed: (file: Survivor) => readonly Uint8Array[],
): void {
  for (const [path, file] of files) {
    const found = harness.read(path);
    assert.equal(found.length, file.newest.length, `size of ${path}`);
    for (let start = 0; start < found.length; start += BLOCK_SIZE) {
      const block = Buffer.from(
        found.buffer,
        found.byteOffset + start,
        Math.min(BLOCK_SIZE, found.length - start),
      );
      const isOne = allowed(file).some((content) =>
        block.equals(content.subarray(start, start + BLOCK_SIZE))
      );
      assert.ok(isOne, `block ${start / BLOCK_SIZE} of ${path}`);
    }
  }
}

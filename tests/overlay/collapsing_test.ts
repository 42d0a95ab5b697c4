/** Partial files that have all of their blocks lose their headers, whatever comes in between. */

import assert from "node:assert/strict";
import * as host from "#ffi/libc/calls.ts";
import { mapExtents } from "#ffi/libc/extents.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import {
  collapseAll,
  finishCollapsing,
  isCollapsible,
  UNWRAPPING_DIRECTORY_NAME,
} from "#src/overlay/collapsing.ts";
import { type CompleteFile, examineFile } from "#src/overlay/complete_file.ts";
import { readExtentRecord, unmovedFrom, writeExtentRecord } from "#src/overlay/extent_record.ts";
import { BLOCK_SIZE } from "#src/overlay/partial_file.ts";
import { writePlainCopy } from "#src/overlay/plain_copy.ts";
import { memoryDirectory, memoryFile, MemoryTree } from "#src/tree/memory_tree.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { NONCE, OverlayHarness } from "./harness.ts";

const BLOCKS = 20;
const OLD = Uint8Array.from({ length: BLOCKS * BLOCK_SIZE - 100 }, (_, index) => index % 251);
const NEW = new Uint8Array(BLOCK_SIZE).fill(2);
const CHANGED = 3;
const { OpenFlag, Fallocate } = host;

/** A diff with a partial file that was changed in one block, and has all others or none. */
class Place {
  readonly directory = new TempDirectory("unwrapping");
  readonly harness = new OverlayHarness(
    new MemoryTree(memoryDirectory({ file: memoryFile(OLD), empty: memoryFile(OLD) })),
    this.directory.path,
    { materializeOnRead: true },
  );
  readonly content = OLD.slice();
  fd = -1;

  constructor(isComplete = true) {
    this.content.set(NEW, CHANGED * BLOCK_SIZE);
    this.harness.write("file", CHANGED * BLOCK_SIZE, NEW);
    if (isComplete) this.harness.read("file");
    this.harness.fsync("file");
    this.harness.unmount();
    this.reopen();
    Deno.utimeSync(this.path, 631_152_000, 946_684_800.125);
  }

  get path(): string {
    return this.directory.join("data/file");
  }

  reopen(): void {
    if (this.fd >= 0) host.close(this.fd);
    this.fd = host.unwrap(openQuietlyAt(host.At.FDCWD, this.path, OpenFlag.RDWR), "open", "file");
  }

  get file(): CompleteFile {
    const file = examineFile(this.fd, NONCE, "file");
    assert.ok(typeof file !== "string", `it is ${String(file)}`);
    return file;
  }

  /** The file is plain, and has the same times; the overlay shows the same. */
  check(): void {
    const { mtime, atime } = Deno.statSync(this.path);
    this.reopen();
    assert.equal(examineFile(this.fd, NONCE, "file"), "plain");
    assert.deepEqual(Deno.readFileSync(this.path), this.content);
    assert.equal(mtime!.getTime(), 946_684_800_125);
    assert.equal(atime!.getTime(), 631_152_000_000);
    this.checkShown();
  }

  /** Also of one that still is a partial file. */
  checkShown(): void {
    this.harness.mount();
    assert.deepEqual(this.harness.read("file"), this.content);
    this.harness.unmount();
    assert.throws(() => Deno.statSync(this.directory.join(UNWRAPPING_DIRECTORY_NAME)));
  }

  [Symbol.dispose](): void {
    if (this.fd >= 0) host.close(this.fd);
    this.directory[Symbol.dispose]();
  }
}

function onExt4(place: Place): boolean {
  return isCollapsible(place.fd, place.file);
}

Deno.test("examineFile() tells plain, partial and complete files, by what is durable", () => {
  using place = new Place(false);
  assert.equal(examineFile(place.fd, NONCE, "file"), "incomplete");
  using complete = new Place();
  assert.equal(complete.file.dataOffset % 4096, 0);
  const durable = complete.file.dataOffset - 4096;
  for (const byte of [0, 2]) {
    using file = Deno.openSync(complete.path, { read: true, write: true });
    const map = new Uint8Array(1);
    file.seekSync(durable + byte, Deno.SeekMode.Start);
    file.readSync(map);
    file.seekSync(durable + byte, Deno.SeekMode.Start);
    // Of the last byte four bits stand for blocks.
    file.writeSync(map.map((bits) => bits & ~8));
    assert.equal(examineFile(complete.fd, NONCE, "file"), "incomplete");
    file.seekSync(durable + byte, Deno.SeekMode.Start);
    file.writeSync(map);
  }
  Deno.writeTextFileSync(complete.directory.join("plain"), "x".repeat(100));
  const plain = host.open(complete.directory.join("plain"), OpenFlag.RDONLY);
  assert.equal(examineFile(plain, NONCE, "plain"), "plain");
  host.close(plain);
});

Deno.test("collapseAll() makes a partial file plain under all its names, with its times", () => {
  using place = new Place();
  if (!onExt4(place)) return;
  Deno.linkSync(place.path, place.directory.join("data/other"));
  assert.deepEqual(collapseAll(place.directory.path, [place]), []);
  place.check();
  assert.deepEqual(Deno.readFileSync(place.directory.join("data/other")), place.content);
});

Deno.test("writePlainCopy() keeps holes, mode, times and attributes", () => {
  using place = new Place();
  const { file, fd } = place;
  const { KEEP_SIZE, PUNCH_HOLE } = Fallocate;
  const start = 8 * BLOCK_SIZE;
  const mode = KEEP_SIZE | PUNCH_HOLE;
  host.unwrap(host.fallocate(fd, mode, file.dataOffset + start, start), "punch", "file");
  place.content.fill(0, start, 2 * start);
  const hasXattrs = host.setXattr(fd, "user.test", new Uint8Array([5]), 0) === 0;
  Deno.chmodSync(place.path, 0o640);
  const directory = host.open(place.directory.path, OpenFlag.RDONLY);
  const copy = writePlainCopy(fd, place.file, { fd: directory, name: "copy" });
  if (hasXattrs) assert.deepEqual(host.getXattr(copy, "user.test"), new Uint8Array([5]));
  host.close(copy);
  host.close(directory);
  const path = place.directory.join("copy");
  assert.deepEqual(Deno.readFileSync(path), place.content);
  const stat = Deno.statSync(path);
  assert.equal(stat.mode! & 0o7777, 0o640);
  assert.ok(stat.blocks! * 512 < place.content.length - 4 * BLOCK_SIZE, "the hole is one");
});

/** Ends when it has said what is to be done to the file. @returns the name that says so */
function noteOnly({ directory, fd, file }: Place): string {
  assert.throws(() => collapseAll(directory.path, [{ fd, file }, { fd: -1, file }]));
  const names = [...Deno.readDirSync(directory.join(UNWRAPPING_DIRECTORY_NAME))];
  return names.map(({ name }) => name).sort()[0]!;
}

Deno.test("A file with many leaves of extents is cut in place, after it was noted where they are", () => {
  using place = new Place();
  if (!onExt4(place)) return;
  const { dataOffset } = place.file;
  for (let index = 0; index < 350; index++) {
    const offset = dataOffset + (2 * index + 60) * 4096;
    host.unwrap(host.fallocate(place.fd, 0, offset, 4096), "fallocate", "file");
  }
  // They become few runs again, and the leaves stay.
  const size = 700 * 4096;
  host.unwrap(host.fallocate(place.fd, 0, dataOffset + 60 * 4096, size), "fallocate", "file");
  const content = new Uint8Array(60 * 4096 + size);
  content.set(place.content);
  const name = noteOnly(place);
  const record = readExtentRecord(
    place.directory.join(UNWRAPPING_DIRECTORY_NAME, `${name}.extents`),
  );
  assert.ok(record !== undefined && record.length > 0);
  assert.deepEqual(collapseAll(place.directory.path, [place]), []);
  assert.deepEqual(Deno.readFileSync(place.path), content);
  assert.equal(examineFile(place.fd, NONCE, "file"), "plain");
  place.harness.mount();
  place.harness.unmount();
  assert.throws(() => Deno.statSync(place.directory.join(UNWRAPPING_DIRECTORY_NAME)));
});

/** fallocate(2): the inverse of a cut. */
const INSERT_RANGE = 0x20;

Deno.test("The next start goes on wherever the cut of a file with many leaves had come", () => {
  const blocks = Math.ceil(OLD.length / 4096);
  for (const moved of [0, 1, 7, blocks - 1, blocks]) {
    using place = new Place();
    if (!onExt4(place)) return;
    const { file: { dataOffset, stat }, fd } = place;
    const extents = mapExtents(fd, 100);
    assert.ok(typeof extents !== "number");
    const notes = place.directory.join(UNWRAPPING_DIRECTORY_NAME);
    writeExtentRecord(notes, `${noteOnly(place)}.extents`, extents);
    // What is left when so many blocks were moved: they, room, and the others at their places.
    const start = moved * 4096;
    host.unwrap(host.fallocate(fd, Fallocate.COLLAPSE_RANGE, 0, dataOffset), "cut", "file");
    if (moved < blocks) {
      host.unwrap(host.fallocate(fd, INSERT_RANGE, start, dataOffset), "insert", "file");
    } else {
      host.unwrap(host.ftruncate(fd, stat.size), "truncate", "file");
    }
    assert.equal(Deno.statSync(place.path).size, stat.size);
    place.harness.mount();
    place.harness.unmount();
    place.check();
  }
});

Deno.test("unmovedFrom() refuses what is neither where it was nor where it is to be", () => {
  const before = [
    { logical: 0, physical: 1000, length: 12 },
    { logical: 12, physical: 500, length: 8 },
    { logical: 30, physical: 2000, length: 4 },
  ];
  const moved = [
    { logical: 0, physical: 500, length: 8 },
    { logical: 18, physical: 2000, length: 4 },
  ];
  assert.equal(unmovedFrom(before, before, 12, "file"), 12);
  assert.equal(unmovedFrom(before, before.slice(1), 12, "file"), 12);
  assert.equal(unmovedFrom(before, moved, 12, "file"), undefined);
  assert.equal(unmovedFrom(before, [moved[0]!, before[2]!], 12, "file"), 30);
  for (const change of [{ logical: 17 }, { physical: 1999 }, { physical: 3000 }, { length: 5 }]) {
    const now = [moved[0]!, { ...moved[1]!, ...change }];
    assert.throws(() => unmovedFrom(before, now, 12, "file"), /it was changed/u);
  }
});

/** How a kill or power cut may leave a file that was being cut, by what has happened to it. */
const INTERRUPTIONS: Record<string, (place: Place, file: CompleteFile) => void> = {
  "before anything was done": () => {},
  "when the range was a hole": ({ fd }, { dataOffset }) => {
    const { KEEP_SIZE, PUNCH_HOLE } = Fallocate;
    host.unwrap(host.fallocate(fd, KEEP_SIZE | PUNCH_HOLE, 0, dataOffset), "punch", "file");
  },
  "when it was cut, and the times not set": ({ fd }, { dataOffset }) => {
    host.unwrap(host.fallocate(fd, Fallocate.COLLAPSE_RANGE, 0, dataOffset), "cut", "file");
  },
};

for (const [when, interrupt] of Object.entries(INTERRUPTIONS)) {
  Deno.test(`The next start finishes what was interrupted ${when}`, () => {
    using place = new Place();
    if (!onExt4(place)) return;
    const { file } = place;
    const notes = place.directory.join(UNWRAPPING_DIRECTORY_NAME);
    noteOnly(place);
    assert.equal([...Deno.readDirSync(notes)].length, 1);
    assert.equal(Deno.statSync(place.path).nlink, 2);
    assert.deepEqual(place.file, { ...file, stat: place.file.stat }, "nothing was done yet");
    interrupt(place, file);
    place.harness.mount();
    place.harness.unmount();
    place.check();
    assert.equal(Deno.statSync(place.path).nlink, 1);
  });
}

Deno.test("finishCollapsing() cuts nothing of a file that is not as it was left", () => {
  using place = new Place();
  if (!onExt4(place)) return;
  const { file, fd } = place;
  noteOnly(place);
  const changes: (() => void)[] = [
    () => host.ftruncate(fd, file.stat.size - 1),
    () => {
      host.ftruncate(fd, file.stat.size);
      host.pwriteFully(fd, host.nativeBufferOf(new Uint8Array(4096).fill(5)).address, 4096, 0);
    },
  ];
  for (const change of changes) {
    change();
    const { size } = Deno.statSync(place.path);
    assert.throws(() => finishCollapsing(place.directory.path), /it was changed/);
    assert.equal(Deno.statSync(place.path).size, size);
  }
});

/** WAL that a server needs: where that is said, and what of it is missing. */

import assert from "node:assert/strict";
import { crc32c } from "#src/bytes/crc32c.ts";
import type { BackupControl } from "#src/pgprobackup/format/control.ts";
import {
  memoryDirectory,
  type MemoryEntry,
  memoryFile,
  memorySymlink,
  MemoryTree,
} from "#src/tree/memory_tree.ts";
import type { DirectoryNode } from "#src/tree/node.ts";
import { ArchiveDirectory } from "#src/usecases/wal/archive_directory.ts";
import { findMissingWal, type PlannedRecovery } from "#src/usecases/wal/missing_wal.ts";
import { findNeededWal, type NeededWal } from "#src/usecases/wal/needed_wal.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const SEGMENT_SIZE = 1 << 20;
const LABEL = "START WAL LOCATION: 0/500028 (file 000000020000000000000005)\nSTART TIMELINE: 2\n";

/** A control file of version 15: a checkpoint in segment 7 whose redo is in segment 6. */
function controlFile(segmentSize = SEGMENT_SIZE): Uint8Array {
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 1300, true);
  view.setBigUint64(32, 0x700028n, true);
  view.setBigUint64(40, 0x600028n, true);
  view.setUint32(48, 3, true);
  view.setUint32(228, segmentSize, true);
  view.setUint32(288, crc32c(bytes, 0, 288), true);
  return bytes;
}

function rootWith(
  entries: Record<string, MemoryEntry>,
  control = controlFile(),
): DirectoryNode {
  const global = memoryDirectory({ pg_control: memoryFile(control) });
  return new MemoryTree(memoryDirectory({ global, ...entries })).root;
}

function range(timeline: number, start: bigint, end: bigint) {
  return { timeline, start, end };
}

Deno.test("what a server needs is what says most of it", () => {
  const label = { backup_label: memoryFile(LABEL) };
  const manifest = memoryFile(
    `{ "Files": [${"{},\n".repeat(50_000)}],\n"WAL-Ranges": [\n` +
      '{ "Timeline": 2, "Start-LSN": "0/500028", "End-LSN": "0/600000" },\n' +
      '{ "Timeline": 3, "Start-LSN": "0/600000", "End-LSN": "0/900100" }\n' +
      '],\n"Manifest-Checksum": "x"}\n',
  );
  const backup = { timelineId: 2, startLsn: "0/500028", stopLsn: "0/800000" } as BackupControl;
  const rangesOf = (root: DirectoryNode, control?: BackupControl) =>
    findNeededWal(root, control)?.ranges;
  assert.deepEqual(rangesOf(rootWith(label), backup), [range(2, 0x500028n, 0x800000n)]);
  assert.deepEqual(rangesOf(rootWith({ ...label, backup_manifest: manifest })), [
    range(2, 0x500028n, 0x600000n),
    range(3, 0x600000n, 0x900100n),
  ]);
  assert.deepEqual(rangesOf(rootWith(label)), [range(2, 0x500028n, 0x500029n)]);
  // A server has recovered it: what the backup needed counts no more.
  assert.deepEqual(rangesOf(rootWith({}), backup), [range(3, 0x600028n, 0x700029n)]);
  for (
    const root of [
      rootWith(label, new Uint8Array(8192)),
      rootWith(label, controlFile(12345)),
      rootWith({ backup_label: memoryFile("something else") }),
      new MemoryTree(memoryDirectory(label)).root,
    ]
  ) {
    assert.equal(findNeededWal(root, undefined), undefined);
  }
  const unknown = { ...backup, startLsn: "0/0", stopLsn: "0/0" };
  assert.deepEqual(rangesOf(rootWith(label), unknown), [range(2, 0x500028n, 0x500029n)]);
});

/** A backup that needs segments 5 to 7 of timeline 2, and an archive. */
class Scene implements Disposable {
  readonly home = new TempDirectory("missing-wal");
  readonly archive = new ArchiveDirectory(this.home.path, "main");
  readonly needed: NeededWal = {
    ranges: [range(2, 0x500028n, 0x800000n)],
    segmentSizeBytes: SEGMENT_SIZE,
  };

  constructor() {
    Deno.mkdirSync(this.archive.path, { recursive: true });
  }

  put(name: string, content: Uint8Array | string = new Uint8Array(SEGMENT_SIZE)): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(`${this.archive.path}/${name}`, bytes);
  }

  remove(name: string): void {
    Deno.removeSync(`${this.archive.path}/${name}`);
  }

  missing(more: Partial<PlannedRecovery> = {}, own: Record<string, MemoryEntry> = {}) {
    const { needed, archive } = this;
    const root = rootWith({ pg_wal: memoryDirectory(own) });
    return findMissingWal({ label: "x", needed, root, archive, ...more });
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

function nameOf(timeline: number, segment: number): string {
  return `0000000${timeline}00000000000000${segment.toString(16).toUpperCase().padStart(2, "0")}`;
}

Deno.test("the first segment that is nowhere is named", () => {
  using scene = new Scene();
  const named = (name: string) => ({ name, isForTarget: false });
  assert.deepEqual(scene.missing(), named(nameOf(2, 5)));
  scene.put(nameOf(2, 5));
  scene.put(`${nameOf(2, 6)}.gz`, "x");
  assert.deepEqual(scene.missing(), named(nameOf(2, 7)));
  // What is not whole, or of another timeline, is of no use.
  scene.put(nameOf(2, 7), "short");
  scene.put(`${nameOf(2, 7)}.partial`);
  scene.put(nameOf(1, 7));
  assert.deepEqual(scene.missing(), named(nameOf(2, 7)));
  const whole = memoryFile(new Uint8Array(SEGMENT_SIZE));
  assert.equal(scene.missing({}, { [nameOf(2, 7)]: whole }), undefined);
  assert.deepEqual(scene.missing({}, { [nameOf(2, 7)]: memoryFile("short") }), named(nameOf(2, 7)));
  scene.put(nameOf(2, 7));
  assert.equal(scene.missing(), undefined);
  assert.deepEqual(scene.missing({ archive: undefined }), named(nameOf(2, 5)));
  const root = rootWith({ pg_wal: memorySymlink("/elsewhere") });
  assert.equal(scene.missing({ archive: undefined, root }), undefined);
});

Deno.test("a place in the WAL that is recovered to must be there, on its timeline", () => {
  using scene = new Scene();
  for (const segment of [5, 6, 7]) scene.put(nameOf(2, segment));
  const to = (value: string, timeline?: string) =>
    scene.missing({ target: { type: "lsn", value }, timeline });
  const named = (name: string) => ({ name, isForTarget: true });
  assert.equal(to("0/7FFFFF"), undefined);
  assert.deepEqual(to("0/900028"), named(nameOf(2, 8)));
  scene.put(nameOf(2, 8));
  scene.put(nameOf(2, 9));
  assert.equal(to("0/900028"), undefined);
  assert.equal(to("no place"), undefined);
  // Timeline 3 leaves 2 in segment 8, 4 leaves 3 in segment 10.
  scene.put("00000003.history", "1\t0/100000\tx\n2\t0/880000\tx\n");
  scene.put("00000004.history", "1\t0/100000\tx\n2\t0/880000\tx\n3\t0/A80000\tx\n");
  assert.equal(to("0/900028"), undefined);
  assert.deepEqual(to("0/900028", "3"), undefined);
  scene.remove(nameOf(2, 9));
  assert.deepEqual(to("0/B00028", "latest"), named(nameOf(3, 9)));
  scene.put(nameOf(3, 9));
  scene.put(nameOf(4, 10));
  assert.deepEqual(to("0/B00028", "latest"), named(nameOf(4, 11)));
  scene.put(nameOf(4, 11));
  assert.equal(to("0/B00028", "latest"), undefined);
  assert.deepEqual(to("0/B00028", "3"), named(nameOf(3, 10)));
});

Deno.test("a timeline that is not there, or leads past the backup, is refused", () => {
  using scene = new Scene();
  for (const segment of [5, 6, 7]) scene.put(nameOf(2, segment));
  const along = (timeline: string) => scene.missing({ timeline });
  const notFound = (message: RegExp) => ({ code: "not-found", message });
  assert.throws(() => along("7"), notFound(/no "00000007\.history" in ".*wal\/main"/));
  assert.throws(() => along("1"), notFound(/timeline 1: it does not go through the backup/));
  assert.equal(along("latest"), undefined);
  // Left before the backup was consistent.
  scene.put("00000003.history", "2\t0/780000\tx\n");
  assert.throws(() => along("latest"), notFound(/does not go through the backup/));
  assert.equal(along("current"), undefined);
  scene.put("00000003.history", "1\t0/900000\tx\n");
  assert.throws(() => along("3"), notFound(/does not go through the backup/));
  scene.put("00000003.history", "nonsense\n");
  assert.throws(() => along("3"), { code: "corrupt", message: /00000003\.history/ });
});

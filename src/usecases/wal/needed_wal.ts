/**
 * Which WAL a server needs before it is consistent on a copy of a data directory.
 *
 * A base backup says it in `backup_label`, and where it has one in the last lines of
 * `backup_manifest`; without a label the server was stopped or has crashed, and begins where
 * `pg_control` says.
 *
 * @module
 */

import type { BackupControl } from "#src/pgprobackup/format/control.ts";
import { parseLsn, type WalRange } from "#src/postgres/format/wal_names.ts";
import { parseControlFile } from "#src/sources/format/control_file.ts";
import type { DirectoryNode } from "#src/tree/node.ts";
import { controlFileOf, fileIn, readBytes, readEnd, readText } from "../data_directory_files.ts";

/** See the head of the module. */
export interface NeededWal {
  /** In the order in which they are replayed. */
  readonly ranges: readonly [WalRange, ...WalRange[]];
  /** Bytes of one segment file. */
  readonly segmentSizeBytes: number;
}

/** Is there until a server has recovered the backup. */
const LABEL_NAME = "backup_label";
const LABEL_SIZE_MAX = 1 << 20;
const MANIFEST_NAME = "backup_manifest";
/** Ranges stand at the end, one for each timeline that the backup has seen. */
const MANIFEST_END_SIZE = 64 << 10;
const CONTROL_SIZE_MAX = 64 << 10;
const SEGMENT_SIZE_MIN = 1 << 20;
const SEGMENT_SIZE_MAX = 1 << 30;

/**
 * What a data directory needs; undefined where nothing tells.
 *
 * @param backup what is known from elsewhere of the backup that it is: counts until a server has
 *   recovered it
 * @throws {Failure} when a file cannot be read
 */
export function findNeededWal(
  root: DirectoryNode,
  backup: BackupControl | undefined,
): NeededWal | undefined {
  const file = controlFileOf(root);
  const control = file && parseControlFile(readBytes(file, CONTROL_SIZE_MAX));
  if (control === undefined) return undefined;
  const { walSegmentSizeBytes: segmentSizeBytes, redo, checkpoint, timeline } = control;
  if (!isSegmentSize(segmentSizeBytes)) return undefined;
  const label = fileIn(root, LABEL_NAME);
  if (label === undefined) {
    return { ranges: [{ timeline, start: redo, end: checkpoint + 1n }], segmentSizeBytes };
  }
  const ranges = rangesOfBackup(backup) ?? rangesOfManifest(root) ??
    rangesOfLabel(readText(label, LABEL_SIZE_MAX));
  return ranges && { ranges, segmentSizeBytes };
}

type Ranges = NeededWal["ranges"];

function rangesOfBackup(backup: BackupControl | undefined): Ranges | undefined {
  if (backup === undefined) return undefined;
  const { timelineId: timeline, startLsn, stopLsn } = backup;
  return rangesOf([rangeOf(timeline, startLsn, stopLsn)]);
}

function rangesOfManifest(root: DirectoryNode): Ranges | undefined {
  const file = fileIn(root, MANIFEST_NAME);
  if (file === undefined) return undefined;
  const [, text = ""] = /"WAL-Ranges":\s*\[([^\]]*)\]/u.exec(readEnd(file, MANIFEST_END_SIZE)) ??
    [];
  const pattern =
    /\{\s*"Timeline":\s*(\d{1,10}),\s*"Start-LSN":\s*"([^"]*)",\s*"End-LSN":\s*"([^"]*)"\s*\}/gu;
  return rangesOf(
    [...text.matchAll(pattern)].map(([, timeline, start, end]) =>
      rangeOf(Number(timeline), start!, end!)
    ),
  );
}

/** Where it ends is not said: it needs one segment at least. */
function rangesOfLabel(text: string): Ranges | undefined {
  const [, start, timeline] =
    /^START WAL LOCATION: (\S+) \(file ([0-9A-F]{8})[0-9A-F]{16}\)$/mu.exec(text) ?? [];
  if (start === undefined) return undefined;
  return rangesOf([rangeOf(Number.parseInt(timeline!, 16), start, start)]);
}

/** Undefined for what is no range: `0/0` stands for a place that is not known. */
function rangeOf(timeline: number, startText: string, endText: string): WalRange | undefined {
  const [start, end] = [parseLsn(startText), parseLsn(endText)];
  if (start === undefined || start === 0n || end === undefined) return undefined;
  return { timeline, start, end: end > start ? end : start + 1n };
}

function rangesOf(found: readonly (WalRange | undefined)[]): Ranges | undefined {
  const [first, ...more] = found.filter((range) => range !== undefined);
  return first === undefined || more.length + 1 < found.length ? undefined : [first, ...more];
}

function isSegmentSize(size: number): boolean {
  return size >= SEGMENT_SIZE_MIN && size <= SEGMENT_SIZE_MAX && Number.isInteger(Math.log2(size));
}

/**
 * The WAL archive of an instance of a pg_probackup catalog: which files it has, and in which form.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { decodeLz4File } from "#src/codecs/lz4_frame.ts";
import { hostFiles } from "#src/io/files/files.ts";
import {
  historyName,
  parseTimelineHistory,
  type TimelineStep,
} from "#src/postgres/format/wal_names.ts";

/** Expands a whole file into a buffer. @returns the number of bytes; negative for damage */
type Expand = (source: Uint8Array<ArrayBuffer>, target: Uint8Array<ArrayBuffer>) => number;

/** A file of an archive. */
export interface ArchivedFile {
  readonly path: string;
  /** Bytes as it is stored. */
  readonly storedBytes: number;
  readonly isCompressed: boolean;
  readonly expand: Expand;
}

/** By the end of the file's name. */
const FORMS: readonly (readonly [suffix: string, expand: Expand])[] = [
  ["", expandPlain],
  [".gz", expandGzip],
  [".zst", expandZstd],
  [".lz4", decodeLz4File],
];
/** A line for each time that somebody was promoted. */
const HISTORY_SIZE_MAX = 1 << 20;

/** See the head of the module. */
export class ArchiveDirectory {
  /** Absolute if the catalog's is. */
  readonly path: string;

  /** @param store directory of the catalog */
  constructor(store: string, instance: string) {
    this.path = `${store}/wal/${instance}`;
  }

  /** Whether there is an archive at all. @throws {OsError} */
  get exists(): boolean {
    return hostFiles.status(this.path)?.kind === "directory";
  }

  /** The file that a server calls so, in the first form that there is. @throws {OsError} */
  find(name: string): ArchivedFile | undefined {
    for (const [suffix, expand] of FORMS) {
      const path = `${this.path}/${name}${suffix}`;
      const status = hostFiles.status(path);
      if (status === undefined) continue;
      return { path, storedBytes: status.size, isCompressed: suffix !== "", expand };
    }
    return undefined;
  }

  /**
   * Whether there is a segment, as far as it can be told without reading it: one that is not
   * compressed must have its full size. @throws {OsError}
   */
  hasSegment(name: string, segmentSizeBytes: number): boolean {
    const file = this.find(name);
    if (file === undefined) return false;
    return file.isCompressed ? file.storedBytes > 0 : file.storedBytes === segmentSizeBytes;
  }

  /**
   * The way to a timeline; undefined where its history is not there.
   *
   * @throws {FormatError | OsError}
   */
  readHistory(timeline: number): TimelineStep[] | undefined {
    // Histories are never compressed.
    const path = `${this.path}/${historyName(timeline)}`;
    if (hostFiles.status(path) === undefined) return undefined;
    const text = new TextDecoder().decode(hostFiles.read(path, HISTORY_SIZE_MAX));
    return parseTimelineHistory(text, timeline, path);
  }
}

function expandPlain(source: Uint8Array<ArrayBuffer>, target: Uint8Array<ArrayBuffer>): number {
  if (source.length > target.length) return -1;
  target.set(source);
  return source.length;
}

function expandGzip(source: Uint8Array<ArrayBuffer>, target: Uint8Array<ArrayBuffer>): number {
  try {
    return expandPlain(
      new Uint8Array(gunzipSync(source, { maxOutputLength: target.length })),
      target,
    );
  } catch {
    // The built-in has no other way to say that the input is damaged or the output too long.
    return -1;
  }
}

function expandZstd(source: Uint8Array<ArrayBuffer>, target: Uint8Array<ArrayBuffer>): number {
  const [from, to] = [hostFiles.bufferOf(source), hostFiles.bufferOf(target)];
  return hostCodecs().zstd(from, 0, source.length, to, 0, target.length);
}

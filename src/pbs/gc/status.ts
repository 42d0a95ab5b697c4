/**
 * What the last garbage collection of a datastore found: `<datastore>/.gc-status`, as a server
 * keeps it.
 *
 *     {"upid":"UPID:…","index-file-count":2,"index-data-bytes":5520187,"disk-bytes":1079785,…}
 *
 * @module
 */

import * as v from "valibot";
import { FormatError } from "#src/errors.ts";
import { emptySweepResult, type SweepResult } from "../storage/garbage_support.ts";

/** Name of the file in a datastore. */
export const GC_STATUS_NAME = ".gc-status";

/** Far more than such a file ever has. */
export const GC_STATUS_SIZE_MAX: number = 64 << 10;

/** Figures of one garbage collection. */
export interface GcStatus extends SweepResult {
  /** Name of the task that ran; undefined where none ran yet. */
  readonly upid: string | undefined;
  /** Index files that named chunks to be kept. */
  readonly indexFileCount: number;
  /** Bytes of the streams that these describe. */
  readonly indexDataBytes: number;
}

/** Before the first garbage collection. */
export const EMPTY_GC_STATUS: GcStatus = {
  upid: undefined,
  indexFileCount: 0,
  indexDataBytes: 0,
  ...emptySweepResult(),
};

/** A status with the names that the file and a server's API use. */
export interface GcStatusFields {
  /** See {@link GcStatus}; null before the first run. */
  readonly "upid": string | null;
  /** See {@link GcStatus.indexFileCount}. */
  readonly "index-file-count": number;
  /** See {@link GcStatus.indexDataBytes}. */
  readonly "index-data-bytes": number;
  /** See {@link GcStatus.diskBytes}. */
  readonly "disk-bytes": number;
  /** See {@link GcStatus.diskChunks}. */
  readonly "disk-chunks": number;
  /** See {@link GcStatus.removedBytes}. */
  readonly "removed-bytes": number;
  /** See {@link GcStatus.removedChunks}. */
  readonly "removed-chunks": number;
  /** See {@link GcStatus.pendingBytes}. */
  readonly "pending-bytes": number;
  /** See {@link GcStatus.pendingChunks}. */
  readonly "pending-chunks": number;
  /** See {@link GcStatus.removedBad}. */
  readonly "removed-bad": number;
  /** See {@link GcStatus.stillBad}. */
  readonly "still-bad": number;
}

const COUNT = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0);

/** Fields that other versions add are passed over, those that they lack count as 0. */
const FIELDS = v.object({
  "upid": v.nullish(v.string()),
  "index-file-count": COUNT,
  "index-data-bytes": COUNT,
  "disk-bytes": COUNT,
  "disk-chunks": COUNT,
  "removed-bytes": COUNT,
  "removed-chunks": COUNT,
  "pending-bytes": COUNT,
  "pending-chunks": COUNT,
  "removed-bad": COUNT,
  "still-bad": COUNT,
});

const SCHEMA = v.pipe(
  v.custom<object>((value) => typeof value === "object" && value !== null && !Array.isArray(value)),
  FIELDS,
);

/** See {@link GcStatusFields}. */
export function gcStatusFields(status: GcStatus): GcStatusFields {
  return {
    "upid": status.upid ?? null,
    "index-file-count": status.indexFileCount,
    "index-data-bytes": status.indexDataBytes,
    "disk-bytes": status.diskBytes,
    "disk-chunks": status.diskChunks,
    "removed-bytes": status.removedBytes,
    "removed-chunks": status.removedChunks,
    "pending-bytes": status.pendingBytes,
    "pending-chunks": status.pendingChunks,
    "removed-bad": status.removedBad,
    "still-bad": status.stillBad,
  };
}

/** Reads the text of a status file. @throws {FormatError} */
export function parseGcStatus(text: string, path?: string): GcStatus {
  if (text.length > GC_STATUS_SIZE_MAX) {
    throw new FormatError(`Cannot read status of garbage collection: ${text.length} bytes`, {
      path,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError("Cannot read status of garbage collection", { cause, path });
  }
  const result = v.safeParse(SCHEMA, value);
  if (!result.success) {
    const [issue] = result.issues;
    const field = v.getDotPath(issue) ?? "value";
    throw new FormatError(
      `Cannot read status of garbage collection: ${field}: ${issue.message}`,
      { path },
    );
  }
  const fields = result.output;
  return {
    upid: fields.upid ?? undefined,
    indexFileCount: fields["index-file-count"],
    indexDataBytes: fields["index-data-bytes"],
    diskBytes: fields["disk-bytes"],
    diskChunks: fields["disk-chunks"],
    removedBytes: fields["removed-bytes"],
    removedChunks: fields["removed-chunks"],
    pendingBytes: fields["pending-bytes"],
    pendingChunks: fields["pending-chunks"],
    removedBad: fields["removed-bad"],
    stillBad: fields["still-bad"],
  };
}

/** The text of a status file. */
export function formatGcStatus(status: GcStatus): string {
  return JSON.stringify(gcStatusFields(status));
}

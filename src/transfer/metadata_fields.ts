/**
 * Comparison of metadata, field by field.
 *
 * @module
 */

import { isSameAcl, isSameBytes, isSameXattrs } from "#src/pxar/metadata_equality.ts";
import type { Metadata, Timestamp } from "#src/tree/metadata.ts";

/** Whether one field is equal in two metadata. */
export type FieldComparison = (a: Metadata, b: Metadata) => boolean;

/**
 * The comparison of each field, times only to `mtimePrecisionNs` nanoseconds. Hard links take the
 * whole tree to compare.
 */
export function fieldComparisons(
  mtimePrecisionNs: number,
): Readonly<Record<keyof Metadata, FieldComparison>> {
  return {
    mode: (a, b) => a.mode === b.mode,
    uid: (a, b) => a.uid === b.uid,
    gid: (a, b) => a.gid === b.gid,
    mtime: (a, b) => isSameTime(a.mtime, b.mtime, mtimePrecisionNs),
    flags: (a, b) => a.flags === b.flags,
    xattrs: (a, b) => isSameXattrs(a.xattrs, b.xattrs),
    acl: (a, b) => isSameAcl(a.acl, b.acl),
    fcaps: (a, b) => isSameBytes(a.fcaps, b.fcaps),
    projectId: (a, b) => a.projectId === b.projectId,
  };
}

function isSameTime(a: Timestamp, b: Timestamp, precisionNs: number): boolean {
  return a.seconds === b.seconds &&
    Math.floor(a.nanoseconds / precisionNs) === Math.floor(b.nanoseconds / precisionNs);
}

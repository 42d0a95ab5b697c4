/**
 * Comparison of metadata, field by field.
 *
 * @module
 */

import type { PxarMetadata } from "#src/pxar/entry.ts";
import { isSameAcl, isSameBytes, isSameXattrs } from "#src/pxar/metadata_equality.ts";
import type { Timestamp } from "#src/tree/node.ts";
import type { MetadataField } from "./reader.ts";

/** Fields that are parts of an entry's metadata; hard links take the whole tree to compare. */
export type OwnField = Exclude<MetadataField, "links">;

/** Whether one field is equal in two metadata. */
export type FieldComparison = (a: PxarMetadata, b: PxarMetadata) => boolean;

/** The comparison of each field; times only to `mtimePrecisionNs` nanoseconds. */
export function fieldComparisons(
  mtimePrecisionNs: number,
): Readonly<Record<OwnField, FieldComparison>> {
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

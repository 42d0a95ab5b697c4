/**
 * Comparison of metadata, field by field.
 *
 * @module
 */

import buffer from "node:buffer";
import type {
  PxarAcl,
  PxarAclEntry,
  PxarDefaultAcl,
  PxarMetadata,
  PxarXattr,
} from "#src/pxar/entry.ts";
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

/** The order of extended attributes says nothing. */
function isSameXattrs(a: readonly PxarXattr[], b: readonly PxarXattr[]): boolean {
  if (a.length !== b.length) return false;
  const values = new Map(b.map(({ name, value }) => [name, value]));
  return a.every(({ name, value }) => values.has(name) && isSameBytes(value, values.get(name)));
}

function isSameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && buffer.Buffer.compare(a, b) === 0;
}

function isSameAcl(a: PxarAcl, b: PxarAcl): boolean {
  if (a === b) return true;
  return a.groupObject === b.groupObject && isSameDefault(a.default, b.default) &&
    isSameEntries(a.users, b.users) && isSameEntries(a.groups, b.groups) &&
    isSameEntries(a.defaultUsers, b.defaultUsers) &&
    isSameEntries(a.defaultGroups, b.defaultGroups);
}

function isSameDefault(a: PxarDefaultAcl | undefined, b: PxarDefaultAcl | undefined): boolean {
  return a?.userObject === b?.userObject && a?.groupObject === b?.groupObject &&
    a?.other === b?.other && a?.mask === b?.mask;
}

function isSameEntries(a: readonly PxarAclEntry[], b: readonly PxarAclEntry[]): boolean {
  return a.length === b.length &&
    a.every((entry, i) => entry.id === b[i]!.id && entry.permissions === b[i]!.permissions);
}

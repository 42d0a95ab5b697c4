/**
 * All metadata of an entry: what copies keep, comparisons compare and listings print.
 *
 * @module
 */

import {
  type Acl,
  decodePosixAcl,
  encodeAccessAcl,
  encodeDefaultAcl,
  NO_ACL,
} from "#src/bytes/acl.ts";
import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import type { Xattr } from "#src/bytes/xattr.ts";

export type { Xattr };

/**
 * A point in time since 1970-01-01 UTC; `seconds` is negative before it, `nanoseconds` is
 * 0…999999999.
 */
export interface Timestamp {
  /** Whole seconds, rounded down, so that `nanoseconds` is always added. */
  readonly seconds: number;
  /** 0…999999999, added to `seconds`. */
  readonly nanoseconds: number;
}

/** Of {@link Timestamp.nanoseconds}. */
export const NANOSECONDS_MAX = 999_999_999;

/** Metadata of an entry. */
export interface Metadata {
  /** `st_mode` with type bits. An archive stores 64 bits; what a file system knows has 32. */
  readonly mode: number;
  /** chattr and FAT attributes, as bits of a pxar archive's ENTRY. */
  readonly flags: bigint;
  /** Owner as a number. */
  readonly uid: number;
  /** Owning group as a number. */
  readonly gid: number;
  /** Last change of the content. */
  readonly mtime: Timestamp;
  /** Those that are kept as they are ({@link isStoredXattr}), in the order of the tree. */
  readonly xattrs: readonly Xattr[];
  /** {@link NO_ACL} where the mode says all. */
  readonly acl: Acl;
  /** Raw `security.capability`. */
  readonly fcaps: Uint8Array | undefined;
  /** Quota project id; 0n when there is none. */
  readonly projectId: bigint;
}

/** A part of what is known of an entry beside its content. */
export type MetadataField = keyof Metadata | "links";

/** All fields, in the order in which differences are told. */
export const METADATA_FIELDS: readonly MetadataField[] = [
  "mode",
  "uid",
  "gid",
  "mtime",
  "flags",
  "xattrs",
  "acl",
  "fcaps",
  "projectId",
  "links",
];

/** What a tree knows that knows everything. */
export const ALL_FIELDS: ReadonlySet<MetadataField> = new Set(METADATA_FIELDS);

/** What a tree knows whose nodes have nothing but attributes and extended attributes. */
export const ATTRIBUTE_FIELDS: ReadonlySet<MetadataField> = new Set(
  METADATA_FIELDS.filter((field) => field !== "flags" && field !== "projectId"),
);

/** Name of the extended attribute with the capabilities of a program. */
export const XATTR_CAPABILITY = "security.capability";

/** No extended attributes. */
export const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

/** Whether {@link Metadata.xattrs} has an attribute of that name; others have fields, or go. */
export function isStoredXattr(name: string): boolean {
  return name.startsWith("user.") || name.startsWith("trusted.") || name === "security.NTACL";
}

/**
 * Metadata of an entry of which only attributes and extended attributes are known.
 *
 * @param xattrs by full name
 * @throws {FormatError} `bad-acl` when the value of an ACL attribute is malformed
 */
export function metadataFromXattrs(
  { mode, uid, gid, mtime }: Pick<Metadata, "mode" | "uid" | "gid" | "mtime">,
  xattrs: ReadonlyMap<string, Uint8Array>,
): Metadata {
  const access = xattrs.get(XATTR_ACL_ACCESS);
  const inherited = xattrs.get(XATTR_ACL_DEFAULT);
  return {
    mode,
    uid,
    gid,
    mtime,
    flags: 0n,
    projectId: 0n,
    xattrs: [...xattrs].filter(([name]) => isStoredXattr(name))
      .map(([name, value]) => ({ name, value })),
    acl: decodePosixAcl(access, inherited) ?? NO_ACL,
    fcaps: xattrs.get(XATTR_CAPABILITY),
  };
}

/**
 * The extended attributes by full name that metadata stand for, ACLs and capabilities among them.
 *
 * @throws {FormatError} `bad-acl` when ids or permissions of the ACL are none
 */
export function xattrsFromMetadata(
  { mode, acl, fcaps, xattrs }: Metadata,
): ReadonlyMap<string, Uint8Array> {
  if (xattrs.length === 0 && acl === NO_ACL && fcaps === undefined) return NO_XATTRS;
  const result = new Map(xattrs.map(({ name, value }) => [name, value]));
  const add = (name: string, value: Uint8Array | undefined) => {
    if (value !== undefined) result.set(name, value);
  };
  add(XATTR_ACL_ACCESS, encodeAccessAcl(acl, mode));
  add(XATTR_ACL_DEFAULT, encodeDefaultAcl(acl));
  add(XATTR_CAPABILITY, fcaps);
  return result;
}

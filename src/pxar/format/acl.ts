/**
 * Contents of the ACL items (format specification, sections 2.1 and 5): 64-bit numbers without
 * gaps.
 *
 * | item | numbers |
 * |------|---------|
 * | ACL_USER, ACL_GROUP, ACL_DEFAULT_USER, ACL_DEFAULT_GROUP | id, permissions |
 * | ACL_GROUP_OBJ | permissions |
 * | ACL_DEFAULT | permissions of owner, owning group, others, mask; all ones for "not set" |
 *
 * @module
 */

import type { AclDefault, AclEntry } from "#src/bytes/acl.ts";
import { FormatError } from "#src/errors.ts";

const NOT_SET = 0xffff_ffff_ffff_ffffn;
/** Read, write and execute. */
export const ACL_PERMISSIONS_MAX = 7n;

/** Largest id of a user or group. */
export const ACL_ID_MAX = 0xffff_ffffn;

/** Writes the content of an ACL_USER or the like. */
export function encodeAclEntry(view: DataView, offset: number, entry: AclEntry): void {
  view.setBigUint64(offset, entry.id, true);
  view.setBigUint64(offset + 8, entry.permissions, true);
}

/** Reads the content of an ACL_USER or the like. @throws {FormatError} `bad-acl` */
export function decodeAclEntry(view: DataView, offset: number): AclEntry {
  const id = view.getBigUint64(offset, true);
  if (id > ACL_ID_MAX) {
    throw new FormatError(`Cannot read ACL: id ${id} is above ${ACL_ID_MAX}`, { code: "bad-acl" });
  }
  return { id, permissions: decodeAclPermissions(view, offset + 8) };
}

/** Writes the content of an ACL_GROUP_OBJ. */
export function encodeAclPermissions(view: DataView, offset: number, permissions: bigint): void {
  view.setBigUint64(offset, permissions, true);
}

/** Reads the content of an ACL_GROUP_OBJ. @throws {FormatError} `bad-acl` */
export function decodeAclPermissions(view: DataView, offset: number): bigint {
  const permissions = view.getBigUint64(offset, true);
  if (permissions <= ACL_PERMISSIONS_MAX) return permissions;
  throw new FormatError(`Cannot read ACL: permissions ${permissions}`, { code: "bad-acl" });
}

/** Writes the content of an ACL_DEFAULT. */
export function encodeAclDefault(view: DataView, offset: number, acl: AclDefault): void {
  view.setBigUint64(offset, acl.userObject ?? NOT_SET, true);
  view.setBigUint64(offset + 8, acl.groupObject ?? NOT_SET, true);
  view.setBigUint64(offset + 16, acl.other ?? NOT_SET, true);
  view.setBigUint64(offset + 24, acl.mask ?? NOT_SET, true);
}

/** Reads the content of an ACL_DEFAULT. @throws {FormatError} `bad-acl` */
export function decodeAclDefault(view: DataView, offset: number): AclDefault {
  return {
    userObject: decodeOptional(view, offset),
    groupObject: decodeOptional(view, offset + 8),
    other: decodeOptional(view, offset + 16),
    mask: decodeOptional(view, offset + 24),
  };
}

function decodeOptional(view: DataView, offset: number): bigint | undefined {
  const isSet = view.getBigUint64(offset, true) !== NOT_SET;
  return isSet ? decodeAclPermissions(view, offset) : undefined;
}

/**
 * POSIX ACLs as the kernel takes them: values of `system.posix_acl_access` and `system.posix_acl_default` (format
 * specification, section 13).
 *
 * | offset | size | name |
 * |-------:|-----:|------|
 * | 0 | 4 | version, 2 |
 * | 4 + 8i | 2 | tag of entry i |
 * | 6 + 8i | 2 | permissions: read 4, write 2, execute 1 |
 * | 8 + 8i | 4 | uid or gid; all ones unless USER or GROUP |
 *
 * @module
 */

import type { PxarAcl, PxarAclEntry } from "../entry.ts";

const VERSION = 2;
const HEADER_SIZE = 4;
const ENTRY_SIZE = 8;
const NO_ID = 0xffff_ffffn;

const Tag = {
  USER_OBJECT: 0x01,
  USER: 0x02,
  GROUP_OBJECT: 0x04,
  GROUP: 0x08,
  MASK: 0x10,
  OTHER: 0x20,
} as const;

interface AclParts {
  userObject: bigint;
  users: readonly PxarAclEntry[];
  groupObject: bigint;
  groups: readonly PxarAclEntry[];
  mask: bigint | undefined;
  other: bigint;
}

/** An access ACL, and whether the archive did not say what the owning group may. */
export interface AccessAcl {
  readonly value: Uint8Array;
  /** The ACL names users or groups but has no entry for the owning group: it was given the mask. */
  readonly isGroupObjectMissing: boolean;
}

/**
 * The access ACL of an entry, or undefined when its mode says everything. Owner, others and mask come from the mode.
 */
export function accessAclValue(acl: PxarAcl, mode: number): AccessAcl | undefined {
  const { users, groups, groupObject } = acl;
  if (groupObject === undefined && users.length === 0 && groups.length === 0) return undefined;
  const mask = BigInt(mode >> 3 & 7);
  const value = encodeParts({
    userObject: BigInt(mode >> 6 & 7),
    users,
    groupObject: groupObject ?? mask,
    groups,
    mask,
    other: BigInt(mode & 7),
  });
  return { value, isGroupObjectMissing: groupObject === undefined };
}

/** The default ACL of a directory, or undefined when it has none. What is not set gives no permission. */
export function defaultAclValue(acl: PxarAcl): Uint8Array | undefined {
  const { default: own, defaultUsers: users, defaultGroups: groups } = acl;
  if (own === undefined && users.length === 0 && groups.length === 0) return undefined;
  return encodeParts({
    userObject: own?.userObject ?? 0n,
    users,
    groupObject: own?.groupObject ?? 0n,
    groups,
    mask: own?.mask,
    other: own?.other ?? 0n,
  });
}

function encodeParts(parts: AclParts): Uint8Array {
  const entries: [tag: number, permissions: bigint, id: bigint][] = [
    [Tag.USER_OBJECT, parts.userObject, NO_ID],
    ...named(Tag.USER, parts.users),
    [Tag.GROUP_OBJECT, parts.groupObject, NO_ID],
    ...named(Tag.GROUP, parts.groups),
  ];
  if (parts.mask !== undefined) entries.push([Tag.MASK, parts.mask, NO_ID]);
  entries.push([Tag.OTHER, parts.other, NO_ID]);
  const bytes = new Uint8Array(HEADER_SIZE + ENTRY_SIZE * entries.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, VERSION, true);
  entries.forEach(([tag, permissions, id], index) => {
    const offset = HEADER_SIZE + ENTRY_SIZE * index;
    view.setUint16(offset, tag, true);
    view.setUint16(offset + 2, Number(permissions & 7n), true);
    view.setUint32(offset + 4, Number(id & NO_ID), true);
  });
  return bytes;
}

/** The kernel wants them by id. */
function named(tag: number, entries: readonly PxarAclEntry[]): [number, bigint, bigint][] {
  return [...entries]
    .sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
    .map(({ id, permissions }) => [tag, permissions, id]);
}

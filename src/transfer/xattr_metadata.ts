/**
 * What extended attributes say, in the terms of an archive (format specification, sections 5 and 13).
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import {
  NO_ACL,
  type PxarAcl,
  type PxarAclEntry,
  type PxarMetadata,
  type PxarXattr,
} from "#src/pxar/entry.ts";

const ACCESS_ACL = "system.posix_acl_access";
const DEFAULT_ACL = "system.posix_acl_default";
const CAPABILITY = "security.capability";
const ACL_VERSION = 2;
const ACL_HEADER_SIZE = 4;
const ACL_ENTRY_SIZE = 8;

/** Tags of ACL entries. */
const Tag = {
  USER_OBJECT: 0x01,
  USER: 0x02,
  GROUP_OBJECT: 0x04,
  GROUP: 0x08,
  MASK: 0x10,
  OTHER: 0x20,
} as const;

interface AclEntry {
  readonly tag: number;
  readonly permissions: bigint;
  readonly id: bigint;
}

/** Whether an archive stores an attribute of that name as it is. */
function isStored(name: string): boolean {
  return name.startsWith("user.") || name.startsWith("trusted.") || name === "security.NTACL";
}

/**
 * Divides extended attributes by full name into what an archive keeps apart; those it does not store are left out.
 *
 * @throws {FormatError} `bad-acl` when the value of an ACL attribute is malformed
 */
export function metadataFromXattrs(
  attributes: ReadonlyMap<string, Uint8Array>,
): Pick<PxarMetadata, "xattrs" | "acl" | "fcaps"> {
  const xattrs: PxarXattr[] = [];
  for (const [name, value] of attributes) if (isStored(name)) xattrs.push({ name, value });
  const access = decodeAcl(attributes.get(ACCESS_ACL));
  const inherited = decodeAcl(attributes.get(DEFAULT_ACL));
  const fcaps = attributes.get(CAPABILITY);
  return { xattrs, acl: makeAcl(access, inherited), fcaps };
}

function decodeAcl(value: Uint8Array | undefined): readonly AclEntry[] {
  if (value === undefined || value.length === 0) return [];
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const isWhole = value.length >= ACL_HEADER_SIZE &&
    (value.length - ACL_HEADER_SIZE) % ACL_ENTRY_SIZE === 0;
  if (!isWhole || view.getUint32(0, true) !== ACL_VERSION) {
    throw new FormatError(`Cannot read ACL: ${value.length} bytes are not of version 2`, {
      code: "bad-acl",
    });
  }
  const entries: AclEntry[] = [];
  for (let offset = ACL_HEADER_SIZE; offset < value.length; offset += ACL_ENTRY_SIZE) {
    entries.push({
      tag: view.getUint16(offset, true),
      permissions: BigInt(view.getUint16(offset + 2, true)),
      id: BigInt(view.getUint32(offset + 4, true)),
    });
  }
  return entries;
}

function makeAcl(access: readonly AclEntry[], inherited: readonly AclEntry[]): PxarAcl {
  if (access.length === 0 && inherited.length === 0) return NO_ACL;
  const hasMask = find(access, Tag.MASK) !== undefined;
  return {
    users: named(access, Tag.USER),
    groups: named(access, Tag.GROUP),
    groupObject: hasMask ? find(access, Tag.GROUP_OBJECT) : undefined,
    default: inherited.length === 0 ? undefined : {
      userObject: find(inherited, Tag.USER_OBJECT),
      groupObject: find(inherited, Tag.GROUP_OBJECT),
      other: find(inherited, Tag.OTHER),
      mask: find(inherited, Tag.MASK),
    },
    defaultUsers: named(inherited, Tag.USER),
    defaultGroups: named(inherited, Tag.GROUP),
  };
}

function find(entries: readonly AclEntry[], tag: number): bigint | undefined {
  return entries.find((entry) => entry.tag === tag)?.permissions;
}

/** Users or groups, sorted by id, then permission. */
function named(entries: readonly AclEntry[], tag: number): PxarAclEntry[] {
  return entries.filter((entry) => entry.tag === tag)
    .map(({ id, permissions }) => ({ id, permissions }))
    .sort((a, b) => Number(a.id - b.id) || Number(a.permissions - b.permissions));
}

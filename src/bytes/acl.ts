/**
 * POSIX ACLs by their entries, and the kernel's extended attributes they come from
 * (`posix_acl.ts`). An access ACL's entries for owner, others and mask are left out: the mode has
 * them.
 *
 * Pure: bytes in, values out.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import { ACL_ENTRY_SIZE, ACL_HEADER_SIZE, ACL_VERSION, AclTag } from "./posix_acl.ts";

/** Permission bits (read 4, write 2, execute 1) that an ACL gives to a user or group. */
export interface AclEntry {
  /** uid or gid. */
  readonly id: bigint;
  /** Sum of the bits. */
  readonly permissions: bigint;
}

/** Default ACL without its named users and groups; undefined stands for "not set". */
export interface AclDefault {
  /** Permission of the owner of what is made there. */
  readonly userObject: bigint | undefined;
  /** Permission of its owning group. */
  readonly groupObject: bigint | undefined;
  /** Permission of all other users. */
  readonly other: bigint | undefined;
  /** Upper bound of what named users and groups get. */
  readonly mask: bigint | undefined;
}

/** ACLs of a file, without what its mode already says. */
export interface Acl {
  /** Users besides the owner. */
  readonly users: readonly AclEntry[];
  /** Groups besides the owning one. */
  readonly groups: readonly AclEntry[];
  /** Permission of the owning group; there exactly when the ACL has a mask. */
  readonly groupObject: bigint | undefined;
  /** What entries made in the directory get; undefined when it has no default ACL. */
  readonly default: AclDefault | undefined;
  /** Users that the default ACL names besides the owner. */
  readonly defaultUsers: readonly AclEntry[];
  /** Groups that the default ACL names besides the owning one. */
  readonly defaultGroups: readonly AclEntry[];
}

/** An ACL that says nothing. */
export const NO_ACL: Acl = {
  users: [],
  groups: [],
  groupObject: undefined,
  default: undefined,
  defaultUsers: [],
  defaultGroups: [],
};

const NO_ID = 0xffff_ffff;
const PERMISSIONS_MAX = 7n;
const ID_MAX = 0xffff_fffen;

/** An ACL xattr taken apart. */
interface DecodedAcl {
  readonly users: AclEntry[];
  readonly groups: AclEntry[];
  userObject: bigint | undefined;
  groupObject: bigint | undefined;
  mask: bigint | undefined;
  other: bigint | undefined;
}

function badAcl(reason: string): FormatError {
  return new FormatError(`Cannot use ACL: ${reason}`, { code: "bad-acl" });
}

function decode(value: Uint8Array): DecodedAcl {
  const acl: DecodedAcl = {
    users: [],
    groups: [],
    userObject: undefined,
    groupObject: undefined,
    mask: undefined,
    other: undefined,
  };
  if (value.length < ACL_HEADER_SIZE || (value.length - ACL_HEADER_SIZE) % ACL_ENTRY_SIZE !== 0) {
    throw badAcl(`${value.length} bytes are not a header and entries`);
  }
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const version = view.getUint32(0, true);
  if (version !== ACL_VERSION) throw badAcl(`version ${version}, expected ${ACL_VERSION}`);
  for (let offset = ACL_HEADER_SIZE; offset < value.length; offset += ACL_ENTRY_SIZE) {
    const tag = view.getUint16(offset, true);
    const permissions = BigInt(view.getUint16(offset + 2, true));
    const id = BigInt(view.getUint32(offset + 4, true));
    if (tag === AclTag.USER) acl.users.push({ id, permissions });
    else if (tag === AclTag.GROUP) acl.groups.push({ id, permissions });
    else if (tag === AclTag.USER_OBJECT) acl.userObject = permissions;
    else if (tag === AclTag.GROUP_OBJECT) acl.groupObject = permissions;
    else if (tag === AclTag.MASK) acl.mask = permissions;
    else if (tag === AclTag.OTHER) acl.other = permissions;
    else throw badAcl(`unknown tag ${tag}`);
  }
  acl.users.sort(compareEntries);
  acl.groups.sort(compareEntries);
  return acl;
}

function compareEntries(a: AclEntry, b: AclEntry): number {
  return Number(a.id - b.id) || Number(a.permissions - b.permissions);
}

/**
 * What the extended attributes of a file say of its ACLs.
 *
 * @param access value of `system.posix_acl_access`, undefined when there is none
 * @param defaults value of `system.posix_acl_default`, undefined when there is none
 * @returns undefined when there is neither
 * @throws {FormatError} with code `bad-acl`
 */
export function decodePosixAcl(
  access: Uint8Array | undefined,
  defaults: Uint8Array | undefined,
): Acl | undefined {
  const acl = access === undefined ? undefined : decode(access);
  const defaultAcl = defaults === undefined || defaults.length === 0 ? undefined : decode(defaults);
  if (acl === undefined && defaultAcl === undefined) return undefined;
  const objects = defaultAcl === undefined ? [] : [
    defaultAcl.userObject,
    defaultAcl.groupObject,
    defaultAcl.other,
    defaultAcl.mask,
  ];
  return {
    users: acl?.users ?? [],
    groups: acl?.groups ?? [],
    groupObject: acl?.mask === undefined ? undefined : acl.groupObject,
    default: objects.every((permissions) => permissions === undefined) ? undefined : {
      userObject: defaultAcl!.userObject,
      groupObject: defaultAcl!.groupObject,
      other: defaultAcl!.other,
      mask: defaultAcl!.mask,
    },
    defaultUsers: defaultAcl?.users ?? [],
    defaultGroups: defaultAcl?.groups ?? [],
  };
}

/**
 * Whether a file with this ACL has more than its mode says, so that {@link encodeAccessAcl} makes a
 * value.
 */
export function hasAccessAcl(acl: Acl): boolean {
  return acl.groupObject !== undefined || acl.users.length > 0 || acl.groups.length > 0;
}

/**
 * Whether an entry has users or groups but lacks the permission of the owning group, which then is
 * taken from the mode.
 */
export function lacksGroupObject(acl: Acl): boolean {
  return acl.groupObject === undefined && (acl.users.length > 0 || acl.groups.length > 0);
}

/**
 * The value of `system.posix_acl_access` that restores an ACL.
 *
 * @param mode `st_mode` of the entry: its group bits are the mask
 * @returns undefined when the mode says everything
 * @throws {FormatError} with code `bad-acl` when ids or permissions are none
 */
export function encodeAccessAcl(
  acl: Acl,
  mode: number,
): Uint8Array<ArrayBuffer> | undefined {
  if (!hasAccessAcl(acl)) return undefined;
  const mask = BigInt(mode >> 3 & 7);
  return encode({
    userObject: BigInt(mode >> 6 & 7),
    users: acl.users,
    groupObject: acl.groupObject ?? mask,
    groups: acl.groups,
    mask,
    other: BigInt(mode & 7),
  });
}

/**
 * The value of `system.posix_acl_default` that restores a directory's default ACL. The kernel
 * refuses one that lacks owner, group or others.
 *
 * @returns undefined when there is none
 * @throws {FormatError} with code `bad-acl` when ids or permissions are none
 */
export function encodeDefaultAcl(acl: Acl): Uint8Array<ArrayBuffer> | undefined {
  if (
    acl.default === undefined && acl.defaultUsers.length === 0 && acl.defaultGroups.length === 0
  ) return undefined;
  return encode({
    userObject: acl.default?.userObject,
    users: acl.defaultUsers,
    groupObject: acl.default?.groupObject,
    groups: acl.defaultGroups,
    mask: acl.default?.mask,
    other: acl.default?.other,
  });
}

interface AclToEncode {
  readonly userObject: bigint | undefined;
  readonly users: readonly AclEntry[];
  readonly groupObject: bigint | undefined;
  readonly groups: readonly AclEntry[];
  readonly mask: bigint | undefined;
  readonly other: bigint | undefined;
}

/** Entries in the only order that the kernel takes. */
function encode(acl: AclToEncode): Uint8Array<ArrayBuffer> {
  const sizeMax = ACL_HEADER_SIZE + (4 + acl.users.length + acl.groups.length) * ACL_ENTRY_SIZE;
  const bytes = new Uint8Array(sizeMax);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ACL_VERSION, true);
  let offset = ACL_HEADER_SIZE;
  const add = (tag: number, permissions: bigint, id: number) => {
    if (permissions > PERMISSIONS_MAX) throw badAcl(`permissions ${permissions}`);
    view.setUint16(offset, tag, true);
    view.setUint16(offset + 2, Number(permissions), true);
    view.setUint32(offset + 4, id, true);
    offset += ACL_ENTRY_SIZE;
  };
  const addObject = (tag: number, permissions: bigint | undefined) => {
    if (permissions !== undefined) add(tag, permissions, NO_ID);
  };
  const addNamed = (tag: number, entries: readonly AclEntry[]) => {
    for (const { id, permissions } of [...entries].sort(compareEntries)) {
      if (id > ID_MAX) throw badAcl(`id ${id}`);
      add(tag, permissions, Number(id));
    }
  };
  addObject(AclTag.USER_OBJECT, acl.userObject);
  addNamed(AclTag.USER, acl.users);
  addObject(AclTag.GROUP_OBJECT, acl.groupObject);
  addNamed(AclTag.GROUP, acl.groups);
  addObject(AclTag.MASK, acl.mask);
  addObject(AclTag.OTHER, acl.other);
  return bytes.subarray(0, offset);
}

/**
 * POSIX ACLs as the kernel's extended attributes hold them, and what they mean for modes (acl(5)).
 *
 *     0  u32  version 2
 *     4  n × { u16 tag, u16 permissions, u32 id (0xFFFFFFFF unless the tag is USER or GROUP) }
 *
 * Pure: bytes in, values out.
 *
 * @module
 */

/** Name of the extended attribute with the ACL that access is checked by. */
export const XATTR_ACL_ACCESS = "system.posix_acl_access";
/**
 * Name of the extended attribute with a directory's default ACL, which what is made in it inherits.
 */
export const XATTR_ACL_DEFAULT = "system.posix_acl_default";

/** The only version. */
export const ACL_VERSION = 2;
/** Bytes before the entries. */
export const ACL_HEADER_SIZE = 4;
/** Bytes of an entry. */
export const ACL_ENTRY_SIZE = 8;

/** What an entry is about. */
export const AclTag = {
  USER_OBJECT: 0x01,
  USER: 0x02,
  GROUP_OBJECT: 0x04,
  GROUP: 0x08,
  MASK: 0x10,
  OTHER: 0x20,
} as const;

const ALL_PERMISSIONS = 7;
const OWNER_SHIFT = 6;
const GROUP_SHIFT = 3;

function isAcl(value: Uint8Array): boolean {
  return value.length >= ACL_HEADER_SIZE &&
    (value.length - ACL_HEADER_SIZE) % ACL_ENTRY_SIZE === 0 &&
    viewOf(value).getUint32(0, true) === ACL_VERSION;
}

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.byteLength);
}

/**
 * The mode under which nobody gets more than an ACL gives, where nobody checks by the ACL itself.
 * The bits of group and others then stand for several entries at once, so they are what all of
 * these have in common.
 *
 * @param access value of {@link XATTR_ACL_ACCESS}; where it is malformed, only the owner keeps his
 *   permissions
 * @param mode `st_mode` of the file; its file type and the bits above the permissions are kept
 */
export function restrictedMode(access: Uint8Array, mode: number): number {
  if (!isAcl(access)) return mode & ~0o77;
  const view = viewOf(access);
  let mask = ALL_PERMISSIONS;
  let group = ALL_PERMISSIONS;
  let users = ALL_PERMISSIONS;
  let groups = ALL_PERMISSIONS;
  let other = mode & ALL_PERMISSIONS;
  let hasNamed = false;
  for (let offset = ACL_HEADER_SIZE; offset < access.length; offset += ACL_ENTRY_SIZE) {
    const permissions = view.getUint16(offset + 2, true);
    switch (view.getUint16(offset, true)) {
      case AclTag.USER:
        users &= permissions;
        hasNamed = true;
        break;
      case AclTag.GROUP_OBJECT:
        group &= permissions;
        break;
      case AclTag.GROUP:
        groups &= permissions;
        hasNamed = true;
        break;
      case AclTag.MASK:
        mask &= permissions;
        break;
      case AclTag.OTHER:
        other &= permissions;
        break;
    }
  }
  group &= mode >> GROUP_SHIFT & mask;
  if (hasNamed) {
    // A named user may be in the owning group or not, a member of a named group counts as one of
    // the others.
    group &= users;
    other &= users & groups & mask;
  }
  return mode & ~0o77 | group << GROUP_SHIFT | other;
}

/** What a new file inherits. */
export interface InheritedAcl {
  /** The permissions that it is made with, of those asked for. */
  readonly mode: number;
  /** Value of its {@link XATTR_ACL_ACCESS}; undefined when the mode says everything. */
  readonly access: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * What is made with `mode` in a directory with a default ACL: its entries, with those of owner,
 * mask (or owning group) and others cut to what was asked for. The process's umask counts for
 * nothing then.
 *
 * @param defaults value of {@link XATTR_ACL_DEFAULT}, as the kernel accepted it
 */
export function inheritAcl(defaults: Uint8Array, mode: number): InheritedAcl {
  const access = new Uint8Array(defaults);
  const view = viewOf(access);
  let permissions = mode & 0o777;
  let groupOffset = 0;
  let maskOffset = 0;
  let isExtended = false;
  const cut = (offset: number, shift: number) => {
    const kept = view.getUint16(offset + 2, true) & (permissions >> shift & ALL_PERMISSIONS);
    view.setUint16(offset + 2, kept, true);
    permissions = permissions & ~(ALL_PERMISSIONS << shift) | kept << shift;
  };
  for (let offset = ACL_HEADER_SIZE; offset < access.length; offset += ACL_ENTRY_SIZE) {
    const tag = view.getUint16(offset, true);
    if (tag === AclTag.USER_OBJECT) cut(offset, OWNER_SHIFT);
    else if (tag === AclTag.OTHER) cut(offset, 0);
    else if (tag === AclTag.GROUP_OBJECT) groupOffset = offset;
    else isExtended = true;
    if (tag === AclTag.MASK) maskOffset = offset;
  }
  const group = maskOffset === 0 ? groupOffset : maskOffset;
  if (group !== 0) cut(group, GROUP_SHIFT);
  return { mode: mode & ~0o777 | permissions, access: isExtended ? access : undefined };
}

/**
 * Whether metadata say the same.
 *
 * @module
 */

import buffer from "node:buffer";
import type { Acl, AclDefault, AclEntry } from "#src/bytes/acl.ts";
import type { Metadata, Xattr } from "#src/tree/metadata.ts";

/** Whether everything is equal: that nothing else than the content of the two files can differ. */
export function isSameMetadata(a: Metadata, b: Metadata): boolean {
  return a.mtime.seconds === b.mtime.seconds && a.mtime.nanoseconds === b.mtime.nanoseconds &&
    a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.flags === b.flags &&
    a.projectId === b.projectId && isSameXattrs(a.xattrs, b.xattrs) && isSameAcl(a.acl, b.acl) &&
    isSameBytes(a.fcaps, b.fcaps);
}

/** Whether there are the same extended attributes. Their order says nothing. */
export function isSameXattrs(a: readonly Xattr[], b: readonly Xattr[]): boolean {
  if (a.length !== b.length) return false;
  if (a.length === 0) return true;
  const values = new Map(b.map(({ name, value }) => [name, value]));
  return a.every(({ name, value }) => values.has(name) && isSameBytes(value, values.get(name)));
}

/** Whether both are undefined, or have the same bytes. */
export function isSameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && buffer.Buffer.compare(a, b) === 0;
}

/** Whether two ACLs are equal. */
export function isSameAcl(a: Acl, b: Acl): boolean {
  if (a === b) return true;
  return a.groupObject === b.groupObject && isSameDefault(a.default, b.default) &&
    isSameEntries(a.users, b.users) && isSameEntries(a.groups, b.groups) &&
    isSameEntries(a.defaultUsers, b.defaultUsers) &&
    isSameEntries(a.defaultGroups, b.defaultGroups);
}

function isSameDefault(a: AclDefault | undefined, b: AclDefault | undefined): boolean {
  return a?.userObject === b?.userObject && a?.groupObject === b?.groupObject &&
    a?.other === b?.other && a?.mask === b?.mask;
}

function isSameEntries(a: readonly AclEntry[], b: readonly AclEntry[]): boolean {
  return a.length === b.length &&
    a.every((entry, i) => entry.id === b[i]!.id && entry.permissions === b[i]!.permissions);
}

/**
 * Entries of archives as programs read them. The keys are part of the command line's interface
 * (docs/pxar.md).
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import type { Acl, AclDefault, AclEntry } from "#src/bytes/acl.ts";
import { HEADER_SIZE } from "#src/pxar/format/item.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { FileType, type PayloadRange } from "#src/tree/node.ts";
import type { EntryDescription } from "./description.ts";
import type { ShownEntry } from "./shown_entry.ts";

/** An entry as an object. What an entry does not have is left out. */
export function entryRecord(
  path: string,
  entry: ShownEntry,
): Record<string, unknown> {
  const base = { path, ...hexOf("path", path) };
  if (entry.kind === "hardlink") {
    const { targetPath } = entry;
    return { ...base, type: "hardlink", hardlink: targetPath, ...hexOf("hardlink", targetPath) };
  }
  const common = { ...base, type: typeName(entry), ...metadataToJson(entry.metadata) };
  switch (entry.kind) {
    case "file":
      return { ...common, size: entry.size };
    case "symlink":
      return { ...common, link: entry.target, ...hexOf("link", entry.target) };
    case "device":
      return { ...common, device: [toNumber(entry.major), toNumber(entry.minor)] };
    default:
      return common;
  }
}

/** `file`, `dir`, `symlink`, `hardlink`, `chardev`, `blockdev`, `fifo` or `socket`. */
export function typeName(entry: ShownEntry): string {
  switch (entry.kind) {
    case "directory":
      return "dir";
    case "device": {
      const isBlock = (entry.metadata.mode & FileType.MASK) === FileType.BLOCK_DEVICE;
      return isBlock ? "blockdev" : "chardev";
    }
    default:
      return entry.kind;
  }
}

function metadataToJson(metadata: Metadata): Record<string, unknown> {
  const { mode, xattrs, fcaps, projectId } = metadata;
  return {
    mode,
    mode_octal: mode.toString(8),
    flags: toNumber(metadata.flags),
    uid: metadata.uid,
    gid: metadata.gid,
    mtime_secs: metadata.mtime.seconds,
    mtime_nanos: metadata.mtime.nanoseconds,
    xattrs: xattrs.length === 0
      ? undefined
      : xattrs.map(({ name, value }) => [name, value.toHex()]),
    acl: hasAcl(metadata) ? aclToJson(metadata.acl) : undefined,
    fcaps: fcaps?.toHex(),
    projid: projectId === 0n ? undefined : toNumber(projectId),
  };
}

function aclToJson(acl: Acl): Record<string, unknown> {
  return {
    users: aclEntries(acl.users),
    groups: aclEntries(acl.groups),
    group_obj: orNull(acl.groupObject),
    default: acl.default === undefined ? null : defaultAcl(acl.default),
    default_users: aclEntries(acl.defaultUsers),
    default_groups: aclEntries(acl.defaultGroups),
  };
}

function defaultAcl({ userObject, groupObject, other, mask }: AclDefault): unknown {
  return [orNull(userObject), orNull(groupObject), orNull(other), orNull(mask)];
}

function aclEntries(entries: readonly AclEntry[]): unknown {
  return entries.map(({ id, permissions }) => [toNumber(id), toNumber(permissions)]);
}

function orNull(value: bigint | undefined): unknown {
  return value === undefined ? null : toNumber(value);
}

/** A number where that is exact, else its digits. */
function toNumber(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}

/** The bytes of a name that no JSON string can hold. */
function hexOf(key: string, name: string): Record<string, string> {
  return name.isWellFormed() ? {} : { [`${key}_hex`]: encodeFileName(name).toHex() };
}

/** Where a content is; in a payload stream that is its header. */
export function payloadRecord({ stream, offset, size }: PayloadRange) {
  return stream === "archive"
    ? { kind: "inline", offset, size }
    : { kind: "reference", offset: offset - HEADER_SIZE, size };
}

/** A description as `stat --format json` prints it. */
export function descriptionRecord(description: EntryDescription): Record<string, unknown> {
  const { path, entry, offset, payload, target } = description;
  return {
    ...entryRecord(path, entry),
    offset,
    payload: payload && payloadRecord(payload),
    target: target && descriptionRecord(target),
  };
}

/** Whether there is an ACL beside the mode. */
export function hasAcl({ acl }: Metadata): boolean {
  return acl.users.length > 0 || acl.groups.length > 0 || acl.groupObject !== undefined ||
    acl.default !== undefined || acl.defaultUsers.length > 0 || acl.defaultGroups.length > 0;
}

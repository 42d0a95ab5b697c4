/**
 * Writes an entry's ENTRY and attribute items in the order of the format.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { DeviceNumber } from "#src/bytes/device_number.ts";
import type { OutputBuffer } from "./output_buffer.ts";
import { type Acl, type AclEntry, NO_ACL } from "#src/bytes/acl.ts";
import { type Metadata, NANOSECONDS_MAX } from "#src/tree/metadata.ts";
import {
  ACL_ID_MAX,
  ACL_PERMISSIONS_MAX,
  encodeAclDefault,
  encodeAclEntry,
  encodeAclPermissions,
} from "../format/acl.ts";
import { DEVICE_HALF_MAX, DEVICE_SIZE, encodeDevice } from "../format/device.ts";
import { encodeHeader, HEADER_SIZE, Item } from "../format/item.ts";
import { XATTR_CONTENT_SIZE_MAX } from "../format/limits.ts";
import { encodePayloadReference, PAYLOAD_REF_SIZE } from "../format/payload.ts";
import { encodeStat, STAT_SIZE } from "../format/stat.ts";
import { encodeXattr } from "../format/xattr.ts";

const UINT32_MAX = 0xffff_ffff;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/** Makes room for an item and writes its header. @returns the index of its content */
export function beginItem(output: OutputBuffer, item: Item, contentSize: number): number {
  const index = output.reserve(HEADER_SIZE + contentSize);
  encodeHeader(output.view, index, item, contentSize);
  return index + HEADER_SIZE;
}

/** Writes an item with `content`. */
function writeItem(output: OutputBuffer, item: Item, content: Uint8Array): void {
  output.bytes.set(content, beginItem(output, item, content.length));
}

/**
 * Writes ENTRY and everything that describes it. @throws {UsageError} for metadata that cannot be
 * stored
 */
export function writeMetadata(output: OutputBuffer, metadata: Metadata): void {
  checkMetadata(metadata);
  encodeStat(output.view, beginItem(output, Item.ENTRY, STAT_SIZE), metadata);
  for (const xattr of metadata.xattrs) writeItem(output, Item.XATTR, encodeXattr(xattr));
  writeAcl(output, metadata.acl);
  if (metadata.fcaps !== undefined) writeItem(output, Item.FCAPS, metadata.fcaps);
  if (metadata.projectId !== 0n) {
    const index = beginItem(output, Item.QUOTA_PROJID, 8);
    output.view.setBigUint64(index, metadata.projectId, true);
  }
}

/** Writes a PAYLOAD_REF. */
export function writePayloadReference(output: OutputBuffer, offset: number, size: number): void {
  const index = beginItem(output, Item.PAYLOAD_REF, PAYLOAD_REF_SIZE);
  encodePayloadReference(output.view, index, { offset, size });
}

/** Writes a DEVICE. @throws {UsageError} for numbers that no device has */
export function writeDevice(output: OutputBuffer, device: DeviceNumber): void {
  checkNumber(device.major, DEVICE_HALF_MAX, "major device number");
  checkNumber(device.minor, DEVICE_HALF_MAX, "minor device number");
  encodeDevice(output.view, beginItem(output, Item.DEVICE, DEVICE_SIZE), device);
}

/** Writes the header of a PAYLOAD of `size` bytes. */
export function writePayloadHeader(output: OutputBuffer, size: number): void {
  encodeHeader(output.view, output.reserve(HEADER_SIZE), Item.PAYLOAD, size);
}

function writeAcl(output: OutputBuffer, acl: Acl): void {
  writeAclEntries(output, Item.ACL_USER, acl.users);
  writeAclEntries(output, Item.ACL_GROUP, acl.groups);
  if (acl.groupObject !== undefined) {
    encodeAclPermissions(output.view, beginItem(output, Item.ACL_GROUP_OBJ, 8), acl.groupObject);
  }
  if (acl.default !== undefined) {
    encodeAclDefault(output.view, beginItem(output, Item.ACL_DEFAULT, 32), acl.default);
  }
  writeAclEntries(output, Item.ACL_DEFAULT_USER, acl.defaultUsers);
  writeAclEntries(output, Item.ACL_DEFAULT_GROUP, acl.defaultGroups);
}

function writeAclEntries(output: OutputBuffer, item: Item, entries: readonly AclEntry[]): void {
  const sorted = entries.length > 1 ? entries.toSorted(compareAclEntries) : entries;
  for (const entry of sorted) encodeAclEntry(output.view, beginItem(output, item, 16), entry);
}

function compareAclEntries(first: AclEntry, second: AclEntry): number {
  return Number(first.id - second.id) || Number(first.permissions - second.permissions);
}

function checkMetadata(metadata: Metadata): void {
  const { mode, uid, gid, mtime, fcaps, acl } = metadata;
  if (mode >>> 16 !== 0) throw new UsageError(`Cannot store mode 0${mode.toString(8)}`);
  for (const [value, what] of [[mode, "mode"], [uid, "uid"], [gid, "gid"]] as const) {
    if (!(Number.isInteger(value) && value >= 0 && value <= UINT32_MAX)) {
      throw new UsageError(`Cannot store ${what} ${value}`);
    }
  }
  const { seconds, nanoseconds } = mtime;
  const hasNanoseconds = Number.isInteger(nanoseconds) && nanoseconds >= 0 &&
    nanoseconds <= NANOSECONDS_MAX;
  if (!Number.isSafeInteger(seconds) || !hasNanoseconds) {
    throw new UsageError(`Cannot store time of ${seconds} s and ${nanoseconds} ns`);
  }
  if (fcaps !== undefined && fcaps.length > XATTR_CONTENT_SIZE_MAX) {
    throw new UsageError(`Cannot store file capabilities of ${fcaps.length} bytes`);
  }
  checkNumber(metadata.flags, UINT64_MAX, "flags");
  checkNumber(metadata.projectId, UINT64_MAX, "project id");
  if (acl !== NO_ACL) checkAcl(acl);
}

function checkAcl(acl: Acl): void {
  for (const entries of [acl.users, acl.groups, acl.defaultUsers, acl.defaultGroups]) {
    for (const { id, permissions } of entries) {
      checkNumber(id, ACL_ID_MAX, "id in an ACL");
      checkPermissions(permissions);
    }
  }
  checkPermissions(acl.groupObject);
  checkPermissions(acl.default?.userObject);
  checkPermissions(acl.default?.groupObject);
  checkPermissions(acl.default?.other);
  checkPermissions(acl.default?.mask);
}

function checkPermissions(permissions: bigint | undefined): void {
  if (permissions !== undefined) checkNumber(permissions, ACL_PERMISSIONS_MAX, "permissions");
}

/** What does not fit would be stored as another number. */
function checkNumber(value: bigint, max: bigint, what: string): void {
  if (value < 0n || value > max) throw new UsageError(`Cannot store ${what} ${value}`);
}

/**
 * Reads an entry's items: FILENAME, HARDLINK, or ENTRY with attributes up to the item that says
 * what it is.
 *
 * @module
 */

import { LimitError, withPlace } from "#src/errors.ts";
import { FileType } from "#src/tree/node.ts";
import type { ItemInput } from "./item_input.ts";
import type { PxarEntry, PxarHardlink } from "../entry.ts";
import { type AclDefault, type AclEntry, NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata, Xattr } from "#src/tree/metadata.ts";
import { decodeAclDefault, decodeAclEntry, decodeAclPermissions } from "../format/acl.ts";
import { decodeDevice } from "../format/device.ts";
import { Item, itemName } from "../format/item.ts";
import { ATTRIBUTE_COUNT_MAX, ATTRIBUTES_SIZE_MAX } from "../format/limits.ts";
import { decodeName, decodeTarget } from "../format/name.ts";
import { decodePayloadReference } from "../format/payload.ts";
import { decodeStat, decodeStatV1, type Stat } from "../format/stat.ts";
import { decodeXattr } from "../format/xattr.ts";

const NO_XATTRS: readonly Xattr[] = [];

/** What the attribute items of an entry said, while they are read. */
interface Attributes {
  xattrs: Xattr[];
  users: AclEntry[];
  groups: AclEntry[];
  defaultUsers: AclEntry[];
  defaultGroups: AclEntry[];
  groupObject: bigint | undefined;
  default: AclDefault | undefined;
  fcaps: Uint8Array | undefined;
  projectId: bigint | undefined;
  count: number;
  size: number;
}

/** Runs a decoder; errors of codecs, which know no places, get that of the current item. */
export function atItem<Result>(input: ItemInput, decode: (input: ItemInput) => Result): Result {
  try {
    return decode(input);
  } catch (error) {
    throw withPlace(error, input.place);
  }
}

/** Reads the content of the FILENAME whose header was taken. */
export function readName(input: ItemInput): string {
  input.content();
  const name = decodeName(input.bytes, input.start, input.contentSize);
  input.consume(input.contentSize);
  return name;
}

/** Reads what follows a FILENAME: an entry, or a hard link. */
export function readEntryOrHardlink(
  input: ItemInput,
  endsAtLimit: boolean,
): PxarEntry | PxarHardlink {
  input.header();
  return input.item === Item.HARDLINK ? readHardlink(input) : readEntry(input, endsAtLimit);
}

/**
 * Reads the entry whose ENTRY header was taken. Behind a regular file of version 1 the input is at
 * the content, otherwise at the next item.
 *
 * @param endsAtLimit whether the input may end behind the entry
 */
export function readEntry(input: ItemInput, endsAtLimit: boolean): PxarEntry {
  const stat = readStat(input);
  let attributes: Attributes | undefined;
  while (true) {
    if (endsAtLimit && !input.ensure(1)) return bareEntry(input, stat, attributes);
    input.header();
    switch (input.item) {
      case Item.FILENAME:
      case Item.GOODBYE:
        input.unreadHeader();
        return bareEntry(input, stat, attributes);
      case Item.PAYLOAD:
        requireType(input, stat, FileType.FILE);
        return {
          kind: "file",
          metadata: metadataOf(stat, attributes),
          payload: { kind: "inline", offset: input.position, size: input.contentSize },
        };
      case Item.PAYLOAD_REF:
        return readReference(input, stat, attributes);
      case Item.SYMLINK:
        return readSymlink(input, stat, attributes);
      case Item.DEVICE:
        return readDevice(input, stat, attributes);
      default:
        attributes = readAttribute(input, attributes);
    }
  }
}

function readStat(input: ItemInput): Stat {
  if (input.item !== Item.ENTRY && input.item !== Item.ENTRY_V1) {
    input.fail("unexpected-item", `Cannot read entry: ${itemName(input.item)} instead of ENTRY`);
  }
  input.content();
  const stat = input.item === Item.ENTRY
    ? decodeStat(input.view, input.start)
    : decodeStatV1(input.view, input.start);
  input.consume(input.contentSize);
  return stat;
}

function readHardlink(input: ItemInput): PxarHardlink {
  input.content();
  const distance = input.view.getBigUint64(input.start, true);
  const targetPath = decodeTarget(
    input.bytes,
    input.start + 8,
    input.contentSize - 8,
    "bad-hardlink",
  );
  input.consume(input.contentSize);
  return { kind: "hardlink", distance, targetPath };
}

function readReference(
  input: ItemInput,
  stat: Stat,
  attributes: Attributes | undefined,
): PxarEntry {
  requireType(input, stat, FileType.FILE);
  input.content();
  const { offset, size } = decodePayloadReference(input.view, input.start);
  input.consume(input.contentSize);
  return {
    kind: "file",
    metadata: metadataOf(stat, attributes),
    payload: { kind: "reference", offset, size },
  };
}

function readSymlink(input: ItemInput, stat: Stat, attributes: Attributes | undefined): PxarEntry {
  requireType(input, stat, FileType.SYMLINK);
  input.content();
  const target = decodeTarget(input.bytes, input.start, input.contentSize, "bad-name");
  input.consume(input.contentSize);
  return { kind: "symlink", metadata: metadataOf(stat, attributes), target };
}

function readDevice(input: ItemInput, stat: Stat, attributes: Attributes | undefined): PxarEntry {
  requireType(input, stat, FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE);
  input.content();
  const { major, minor } = decodeDevice(input.view, input.start);
  input.consume(input.contentSize);
  return { kind: "device", metadata: metadataOf(stat, attributes), major, minor };
}

/** An entry without an item that says what it is. */
function bareEntry(input: ItemInput, stat: Stat, attributes: Attributes | undefined): PxarEntry {
  const metadata = metadataOf(stat, attributes);
  switch (stat.mode & FileType.MASK) {
    case FileType.DIRECTORY:
      return { kind: "directory", metadata };
    case FileType.FIFO:
      return { kind: "fifo", metadata };
    case FileType.SOCKET:
      return { kind: "socket", metadata };
    default:
      failType(input, stat);
  }
}

function requireType(input: ItemInput, stat: Stat, ...types: readonly number[]): void {
  if (!types.includes(stat.mode & FileType.MASK)) failType(input, stat);
}

function failType(input: ItemInput, stat: Stat): never {
  input.fail(
    "type-mismatch",
    `Cannot read entry: mode 0${stat.mode.toString(8)} and ${itemName(input.item)} do not agree`,
  );
}

function readAttribute(input: ItemInput, known: Attributes | undefined): Attributes {
  const attributes = known ?? {
    xattrs: [],
    users: [],
    groups: [],
    defaultUsers: [],
    defaultGroups: [],
    groupObject: undefined,
    default: undefined,
    fcaps: undefined,
    projectId: undefined,
    count: 0,
    size: 0,
  };
  // Before its bytes are waited for: an item that has no place here says so whatever its size.
  const isAttribute = input.item >= Item.XATTR && input.item <= Item.QUOTA_PROJID;
  if (!isAttribute) {
    input.fail(
      "unexpected-item",
      `Cannot read entry: ${itemName(input.item)} among its attributes`,
    );
  }
  input.content();
  attributes.count++;
  attributes.size += input.contentSize;
  if (attributes.count > ATTRIBUTE_COUNT_MAX || attributes.size > ATTRIBUTES_SIZE_MAX) {
    throw new LimitError(
      `Cannot read entry at offset ${input.itemOffset}: more than ${ATTRIBUTE_COUNT_MAX} attributes or ${ATTRIBUTES_SIZE_MAX} bytes of them`,
    );
  }
  decodeAttribute(input, attributes);
  input.consume(input.contentSize);
  return attributes;
}

function decodeAttribute(input: ItemInput, attributes: Attributes): void {
  const { view, start } = input;
  switch (input.item) {
    case Item.XATTR:
      attributes.xattrs.push(decodeXattr(input.bytes, start, input.contentSize));
      return;
    case Item.ACL_USER:
      attributes.users.push(decodeAclEntry(view, start));
      return;
    case Item.ACL_GROUP:
      attributes.groups.push(decodeAclEntry(view, start));
      return;
    case Item.ACL_DEFAULT_USER:
      attributes.defaultUsers.push(decodeAclEntry(view, start));
      return;
    case Item.ACL_DEFAULT_GROUP:
      attributes.defaultGroups.push(decodeAclEntry(view, start));
      return;
    case Item.ACL_GROUP_OBJ:
      requireFirst(input, attributes.groupObject);
      attributes.groupObject = decodeAclPermissions(view, start);
      return;
    case Item.ACL_DEFAULT:
      requireFirst(input, attributes.default);
      attributes.default = decodeAclDefault(view, start);
      return;
    case Item.FCAPS:
      requireFirst(input, attributes.fcaps);
      attributes.fcaps = input.bytes.slice(start, start + input.contentSize);
      return;
    case Item.QUOTA_PROJID:
      requireFirst(input, attributes.projectId);
      attributes.projectId = view.getBigUint64(start, true);
  }
}

function requireFirst(input: ItemInput, known: unknown): void {
  if (known === undefined) return;
  input.fail("duplicate-item", `Cannot read entry: a second ${itemName(input.item)}`);
}

function metadataOf(stat: Stat, attributes: Attributes | undefined): Metadata {
  const { mode, flags, uid, gid, mtime } = stat;
  if (attributes === undefined) {
    return {
      mode,
      flags,
      uid,
      gid,
      mtime,
      xattrs: NO_XATTRS,
      acl: NO_ACL,
      fcaps: undefined,
      projectId: 0n,
    };
  }
  const { xattrs, users, groups, groupObject, defaultUsers, defaultGroups } = attributes;
  return {
    mode,
    flags,
    uid,
    gid,
    mtime,
    xattrs,
    acl: { users, groups, groupObject, default: attributes.default, defaultUsers, defaultGroups },
    fcaps: attributes.fcaps,
    projectId: attributes.projectId ?? 0n,
  };
}

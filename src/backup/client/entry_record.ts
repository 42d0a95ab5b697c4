/**
 * Entries and parts of directories as payloads of frames.
 *
 *     entry   name, 64 bytes of numbers, u8 what follows, then of that: target, flags and project,
 *             file capabilities, ACLs as the kernel's own attributes, xattrs, errno, problems, ctime
 *     page    items until the payload ends, each a u8 and what it says: the directory itself
 *             (u8 whether it is made up by the kernel, entry), an entry, a failure (name, u16 errno)
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
import { ERRNO_MAX, FormatError } from "#src/errors.ts";
import {
  type AttributeProblem,
  type ClientDirectory,
  type ClientEntry,
  type ClientFailure,
  type ClientPage,
  PAGE_ENTRIES_MAX,
} from "./provider.ts";
import { type Metadata, NANOSECONDS_MAX, type Xattr } from "#src/tree/metadata.ts";
import { FieldReader, FieldWriter } from "#src/bytes/fields.ts";

/** What an entry has besides numbers. */
const Part = {
  TARGET: 1,
  FLAGS: 2,
  FCAPS: 4,
  ACL: 8,
  XATTRS: 16,
  ERRNO: 32,
  PROBLEMS: 64,
  CTIME: 128,
} as const;

/** What comes in a part of a directory. */
const Item = { SELF: 0, ENTRY: 1, FAILURE: 2 } as const;

const NAME_SIZE_MAX = 4096;
const XATTR_VALUE_SIZE_MAX = 1 << 20;
const XATTR_COUNT_MAX = 32_768;
const PROBLEM_COUNT_MAX = 1024;
const MESSAGE_SIZE_MAX = 4096;
const MESSAGE_LENGTH_MAX = MESSAGE_SIZE_MAX / 4;

/** Bytes of one entry: what is larger has lost its extended attributes. */
export const ENTRY_SIZE_MAX = 1 << 20;
/** A part of a directory ends when it has as many bytes, with the entry that makes it so. */
const PAGE_SIZE = 256 << 10;

const NO_BYTES = new Uint8Array();
const NO_PROBLEMS: readonly never[] = [];
const NO_XATTRS: readonly never[] = [];

/** Payload of one entry. */
export function encodeEntry(entry: ClientEntry): Uint8Array<ArrayBuffer> {
  const fields = new FieldWriter();
  writeRecord(fields, entry);
  return fields.bytes;
}

/** Reads one entry. @throws {FormatError} */
export function decodeEntry(payload: Uint8Array<ArrayBuffer>): ClientEntry {
  const fields = new FieldReader(payload);
  const entry = readRecord(fields);
  fields.end();
  return entry;
}

/**
 * The payloads of a part of a directory: several where one would be too large.
 *
 * @param fields holds each of them until the next one; may be used for others in between
 */
export function* encodePage(
  page: ClientPage,
  fields: FieldWriter,
): Generator<Uint8Array<ArrayBuffer>> {
  const { self, entries, failures } = page;
  fields.truncate(0);
  let count = 0;
  if (self !== undefined) {
    fields.u8(Item.SELF);
    fields.u8(Number(self.isPseudo));
    writeRecord(fields, self.entry);
  }
  for (const entry of entries) {
    if (fields.size >= PAGE_SIZE || count === PAGE_ENTRIES_MAX) {
      yield fields.bytes;
      fields.truncate(0);
      count = 0;
    }
    fields.u8(Item.ENTRY);
    writeRecord(fields, entry);
    count++;
  }
  if (fields.size > 0) yield fields.bytes;
  if (failures.length > 0) yield encodeFailures(failures, fields);
}

function encodeFailures(
  failures: readonly ClientFailure[],
  fields: FieldWriter,
): Uint8Array<ArrayBuffer> {
  fields.truncate(0);
  for (const { name, errno } of failures) {
    fields.u8(Item.FAILURE);
    fields.name(name);
    fields.u16(errno);
  }
  return fields.bytes;
}

/** Reads a part of a directory. @throws {FormatError} */
export function decodePage(payload: Uint8Array<ArrayBuffer>): ClientPage {
  if (payload.length === 0) throw new FormatError("A part of a directory is empty");
  const fields = new FieldReader(payload);
  const entries: ClientEntry[] = [];
  const failures: ClientFailure[] = [];
  let self: ClientDirectory | undefined;
  while (fields.rest > 0) {
    const item = fields.u8();
    if (item === Item.SELF && self === undefined) {
      const isPseudo = fields.u8() !== 0;
      self = { isPseudo, entry: readRecord(fields) };
    } else if (item === Item.ENTRY) {
      entries.push(readRecord(fields));
    } else if (item === Item.FAILURE) {
      failures.push({ name: fields.name(NAME_SIZE_MAX), errno: readErrno(fields.u16()) });
    } else {
      throw new FormatError(`A directory has no item of type ${item}`);
    }
    if (entries.length + failures.length > PAGE_ENTRIES_MAX) {
      throw new FormatError(`A part of a directory has more than ${PAGE_ENTRIES_MAX} entries`);
    }
  }
  return { entries, failures, self };
}

/** Writes one entry. */
export function writeRecord(fields: FieldWriter, entry: ClientEntry): void {
  const start = fields.size;
  writeWhole(fields, entry);
  if (fields.size - start <= ENTRY_SIZE_MAX) return;
  fields.truncate(start);
  const message = `Cannot send extended attributes: more than ${ENTRY_SIZE_MAX} bytes`;
  writeWhole(fields, {
    ...entry,
    metadata: { ...entry.metadata, xattrs: NO_XATTRS },
    problems: [{ message, isTooLarge: true }],
  });
}

function writeWhole(fields: FieldWriter, entry: ClientEntry): void {
  const { metadata, target, openErrno, problems, ctimeSeconds } = entry;
  const { flags, projectId, fcaps, acl, xattrs } = metadata;
  const hasFlags = flags !== 0n || projectId !== 0n;
  fields.name(entry.name);
  fields.u32(metadata.mode);
  fields.u32(metadata.uid);
  fields.u32(metadata.gid);
  fields.u32(entry.linkCount);
  fields.bits64(BigInt(entry.ino));
  fields.u64(entry.device);
  fields.u64(entry.sizeBytes);
  fields.u64(entry.blocks);
  fields.u32(entry.rdev);
  fields.i64(metadata.mtime.seconds);
  fields.u32(metadata.mtime.nanoseconds);
  fields.u8(
    Number(target !== undefined) * Part.TARGET | Number(hasFlags) * Part.FLAGS |
      Number(fcaps !== undefined) * Part.FCAPS | Number(acl !== NO_ACL) * Part.ACL |
      Number(xattrs.length > 0) * Part.XATTRS | Number(openErrno !== undefined) * Part.ERRNO |
      Number(problems.length > 0) * Part.PROBLEMS |
      Number(ctimeSeconds !== undefined) * Part.CTIME,
  );
  if (target !== undefined) fields.name(target);
  if (hasFlags) {
    fields.bits64(flags);
    fields.bits64(projectId);
  }
  if (fcaps !== undefined) fields.blob(fcaps);
  if (acl !== NO_ACL) {
    fields.blob(encodeAccessAcl(acl, metadata.mode) ?? NO_BYTES);
    fields.blob(encodeDefaultAcl(acl) ?? NO_BYTES);
  }
  if (xattrs.length > 0) {
    fields.u32(xattrs.length);
    for (const { name, value } of xattrs) {
      fields.name(name);
      fields.blob(value);
    }
  }
  if (openErrno !== undefined) fields.u16(openErrno);
  if (problems.length > 0) {
    const told = problems.slice(0, PROBLEM_COUNT_MAX);
    fields.u16(told.length);
    for (const { message, isTooLarge } of told) {
      fields.name(message.slice(0, MESSAGE_LENGTH_MAX));
      fields.u8(Number(isTooLarge));
    }
  }
  if (ctimeSeconds !== undefined) fields.i64(ctimeSeconds);
}

/** Reads one entry. @throws {FormatError} */
export function readRecord(fields: FieldReader): ClientEntry {
  const name = fields.name(NAME_SIZE_MAX);
  const mode = fields.u32();
  const uid = fields.u32();
  const gid = fields.u32();
  const linkCount = fields.u32();
  const ino = Number(fields.bits64());
  const device = fields.u64();
  const sizeBytes = fields.u64();
  const blocks = fields.u64();
  const rdev = fields.u32();
  const seconds = fields.i64();
  const nanoseconds = fields.u32();
  if (nanoseconds > NANOSECONDS_MAX) {
    throw new FormatError(`${nanoseconds} nanoseconds are more than a second has`);
  }
  const parts = fields.u8();
  const has = (part: number) => (parts & part) !== 0;
  const target = has(Part.TARGET) ? fields.name(NAME_SIZE_MAX) : undefined;
  const flags = has(Part.FLAGS) ? fields.bits64() : 0n;
  const projectId = has(Part.FLAGS) ? fields.bits64() : 0n;
  const fcaps = has(Part.FCAPS) ? fields.blob(XATTR_VALUE_SIZE_MAX).slice() : undefined;
  const acl = has(Part.ACL) ? readAcl(fields) : NO_ACL;
  const xattrs = has(Part.XATTRS) ? readXattrs(fields) : NO_XATTRS;
  const openErrno = has(Part.ERRNO) ? readErrno(fields.u16()) : undefined;
  const problems = has(Part.PROBLEMS) ? readProblems(fields) : NO_PROBLEMS;
  const ctimeSeconds = has(Part.CTIME) ? fields.i64() : undefined;
  const metadata: Metadata = {
    mode,
    flags,
    uid,
    gid,
    mtime: { seconds, nanoseconds },
    xattrs,
    acl,
    fcaps,
    projectId,
  };
  return {
    name,
    metadata,
    linkCount,
    ino,
    device,
    sizeBytes,
    blocks,
    rdev,
    ctimeSeconds,
    target,
    openErrno,
    problems,
  };
}

function readAcl(fields: FieldReader): Acl {
  const access = fields.blob(XATTR_VALUE_SIZE_MAX);
  const inherited = fields.blob(XATTR_VALUE_SIZE_MAX);
  return decodePosixAcl(
    access.length === 0 ? undefined : access,
    inherited.length === 0 ? undefined : inherited,
  ) ?? NO_ACL;
}

function readXattrs(fields: FieldReader): Xattr[] {
  return readList(fields.u32(), XATTR_COUNT_MAX, () => {
    const name = fields.name(NAME_SIZE_MAX);
    // Of its own: the frame that it came in goes.
    return { name, value: fields.blob(XATTR_VALUE_SIZE_MAX).slice() };
  });
}

function readProblems(fields: FieldReader): AttributeProblem[] {
  return readList(fields.u16(), PROBLEM_COUNT_MAX, () => {
    const message = fields.name(MESSAGE_SIZE_MAX);
    return { message, isTooLarge: fields.u8() !== 0 };
  });
}

function readList<Kind>(count: number, countMax: number, read: () => Kind): Kind[] {
  if (count > countMax) throw new FormatError(`${count} attributes where ${countMax} are allowed`);
  const items: Kind[] = [];
  // One by one: the bytes may end before as many are there.
  for (let index = 0; index < count; index++) items.push(read());
  return items;
}

function readErrno(errno: number): number {
  if (errno >= 1 && errno <= ERRNO_MAX) return errno;
  throw new FormatError(`${errno} is not an error number`);
}

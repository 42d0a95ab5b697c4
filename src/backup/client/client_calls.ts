/**
 * What the thread that backs up and the thread with the client say to each other, through a
 * mailbox: requests as plain values, answers in bytes.
 *
 * @module
 */

import type { FieldReader, FieldWriter } from "#src/bytes/fields.ts";
import { readRecord, writeRecord } from "./entry_record.ts";
import type { ClientEntry, ContentPiece } from "./provider.ts";

/** Requests at a time: one, beside those that nobody waits for. */
export const CLIENT_SLOT_COUNT = 4;
/** Bytes of contents in an answer. */
export const CONTENT_BYTES_MAX: number = 1 << 20;
/** Bytes of an answer, in parts of which listings come: contents and what is said of them. */
export const CLIENT_AREA_BYTES: number = 4 << 20;

/** What of a directory will be archived, as far as it can be known beforehand. */
export interface ExpectedWalk {
  /** Path of the directory on the client. */
  readonly root: string;
  /** Patterns of the caller. */
  readonly exclude: readonly string[];
  readonly skipsLostAndFound: boolean;
  /** Whether directories of other file systems are gone into. */
  readonly allFileSystems: boolean;
  /**
   * Contents of files that were not changed since, in seconds since 1970, are probably not read;
   * undefined: all are, `never`: none is.
   */
  readonly readsSinceSeconds: number | "never" | undefined;
}

/** A request. */
export type ClientCall =
  /** Answer: nothing, as soon as the client is there. */
  | { readonly call: "connect" }
  /** Opens a directory of which all will be asked for. Answer: a {@link RootAnswer}, its entry. */
  | { readonly call: "open"; readonly walk: ExpectedWalk }
  /** Device of a directory. Answer: its entry. */
  | { readonly call: "stat"; readonly path: string }
  /** Answer: a {@link ListAnswer}, and records of a listing in parts. */
  | { readonly call: "list"; readonly path: string }
  /** Answer: contents, of that file from there on, and of those that follow. */
  | { readonly call: "read"; readonly path: string; readonly offset: number }
  /** Nothing more is asked for of a file. */
  | { readonly call: "close"; readonly path: string }
  /** Nothing more is asked for in a directory, nor below. */
  | { readonly call: "leave"; readonly path: string };

/** What is known of a client. */
export interface RootAnswer {
  readonly uid: number;
  readonly gid: number;
  /** Fields of entries that it cannot tell. */
  readonly unknownFields: readonly string[];
}

/** How a listing went. */
export interface ListAnswer {
  /** Why it ended early. */
  readonly errno: number | undefined;
  readonly isPseudo: boolean | undefined;
}

/**
 * How a record of a listing begins: entries and contents have their size as u32 behind it, then
 * themselves; a failure its name and errno.
 */
export const ListRecord = {
  /** An entry whose content comes when it is asked for. */
  ENTRY: 0,
  /** A file whose content is on its way: it is opened as it is by then. */
  READ: 1,
  /** A name and an errno. */
  FAILURE: 2,
  /** Content of a file that is wanted at once. */
  CONTENT: 3,
} as const;

/** Writes an entry of a listing. */
export function writeListed(fields: FieldWriter, kind: number, entry: ClientEntry): void {
  writeSized(fields, kind, () => writeRecord(fields, entry));
}

/** Writes the content of a file into a listing. */
export function writeContent(fields: FieldWriter, part: ContentPart): void {
  writeSized(fields, ListRecord.CONTENT, () => writePart(fields, part));
}

function writeSized(fields: FieldWriter, kind: number, write: () => void): void {
  fields.u8(kind);
  const at = fields.size;
  fields.u32(0);
  const start = fields.size;
  write();
  fields.setU32(at, fields.size - start);
}

/** Contents of a file from an offset on. */
export interface ContentPart {
  readonly path: string;
  readonly offset: number;
  /** As it was opened. */
  readonly entry: ClientEntry | undefined;
  readonly pieces: readonly ContentPiece[];
  /** What is wrong with the file, or behind the pieces. */
  readonly errno: number | undefined;
  /** Whether the file ends behind them. */
  readonly isEnd: boolean;
}

const Flag = { ENTRY: 1, ERRNO: 2, END: 4 } as const;

/** Writes a part. */
export function writePart(fields: FieldWriter, part: ContentPart): void {
  const { path, offset, entry, pieces, errno, isEnd } = part;
  fields.name(path);
  fields.u64(offset);
  fields.u8(
    (entry === undefined ? 0 : Flag.ENTRY) | (errno === undefined ? 0 : Flag.ERRNO) |
      (isEnd ? Flag.END : 0),
  );
  if (entry !== undefined) writeRecord(fields, entry);
  if (errno !== undefined) fields.u16(errno);
  fields.u32(pieces.length);
  for (const piece of pieces) {
    const isHole = !(piece instanceof Uint8Array);
    fields.u8(isHole ? 1 : 0);
    if (isHole) fields.u64(piece.holeBytes);
    else fields.blob(piece);
  }
}

/** Reads a part; pieces are views. */
export function readPart(fields: FieldReader): ContentPart {
  const path = fields.name(CLIENT_AREA_BYTES);
  const offset = fields.u64();
  const flags = fields.u8();
  const entry = (flags & Flag.ENTRY) === 0 ? undefined : readRecord(fields);
  const errno = (flags & Flag.ERRNO) === 0 ? undefined : fields.u16();
  const pieces: ContentPiece[] = [];
  for (let left = fields.u32(); left > 0; left--) {
    pieces.push(
      fields.u8() === 1 ? { holeBytes: fields.u64() } : fields.blob(CLIENT_AREA_BYTES),
    );
  }
  return { path, offset, entry, pieces, errno, isEnd: (flags & Flag.END) !== 0 };
}

/** Reads parts until there are no more. */
export function* readParts(fields: FieldReader): Generator<ContentPart> {
  while (fields.rest > 0) yield readPart(fields);
}

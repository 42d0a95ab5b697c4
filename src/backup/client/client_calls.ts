/**
 * What the thread that backs up and the thread with the client say to each other, through a
 * mailbox: requests as plain values, answers in bytes.
 *
 * @module
 */

import { FieldReader, FieldWriter } from "#src/bytes/fields.ts";
import { readRecord, writeRecord } from "./entry_record.ts";
import { type ClientEntry, type ContentPiece, pieceSize } from "./provider.ts";

/** Requests at a time: one, an answer that is held, and those that nobody waits for. */
export const CLIENT_SLOT_COUNT = 5;
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
  fields.u8(kind);
  const at = fields.size;
  fields.u32(0);
  const start = fields.size;
  writeRecord(fields, entry);
  fields.setU32(at, fields.size - start);
}

/** Writes the content of a file into a listing. */
export function writeContent(fields: FieldWriter, part: ContentPart): void {
  fields.u8(ListRecord.CONTENT);
  fields.blob(encodeParts([part]));
}

/** Contents of a file from an offset on. */
export interface ContentPart {
  readonly path: string;
  readonly offset: number;
  /** As it was opened. */
  readonly entry: ClientEntry | undefined;
  /** Whoever reads them takes them out. */
  readonly pieces: ContentPiece[];
  /** What is wrong with the file, or behind the pieces. */
  readonly errno: number | undefined;
  /** Whether the file ends behind them. */
  readonly isEnd: boolean;
  /** Whether pieces are freed when they are not wanted any more. */
  readonly isFreed: boolean;
}

const Flag = { ENTRY: 1, ERRNO: 2, END: 4 } as const;
/** How a piece is told: where its bytes are counted from, or that there are none. */
const Piece = { BYTES: 0, HOLE: 1 } as const;
const SIZE_FIELD = Uint32Array.BYTES_PER_ELEMENT;

/**
 * Writes parts: u32 size of what is said of them, that, and then the bytes of all pieces, which so
 * are copied once.
 *
 * @returns how many bytes that are
 */
export function writeParts(
  target: Uint8Array,
  parts: readonly ContentPart[],
  fields: FieldWriter,
): number {
  fields.truncate(0);
  for (const part of parts) writePart(fields, part);
  new DataView(target.buffer, target.byteOffset).setUint32(0, fields.size, true);
  target.set(fields.bytes, SIZE_FIELD);
  let end = SIZE_FIELD + fields.size;
  for (const { pieces } of parts) {
    for (const piece of pieces) {
      if (!(piece instanceof Uint8Array)) continue;
      target.set(piece, end);
      end += piece.length;
    }
  }
  return end;
}

function encodeParts(parts: readonly ContentPart[]): Uint8Array<ArrayBuffer> {
  const fields = new FieldWriter();
  for (const part of parts) writePart(fields, part);
  const contentBytes = parts.flatMap(({ pieces }) => pieces)
    .reduce((sum, piece) => sum + (piece instanceof Uint8Array ? piece.length : 0), 0);
  const bytes = new Uint8Array(SIZE_FIELD + fields.size + contentBytes);
  writeParts(bytes, parts, fields);
  return bytes;
}

function writePart(fields: FieldWriter, part: ContentPart): void {
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
    fields.u8(piece instanceof Uint8Array ? Piece.BYTES : Piece.HOLE);
    fields.u64(pieceSize(piece));
  }
}

/** Reads parts; their pieces are views. */
export function readParts(bytes: Uint8Array): ContentPart[] {
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  let at = SIZE_FIELD + size;
  const take = (pieceBytes: number) => bytes.subarray(at, at += pieceBytes);
  // Text is decoded from memory of this thread only.
  const fields = new FieldReader(new Uint8Array(bytes.subarray(SIZE_FIELD, at)));
  const parts: ContentPart[] = [];
  while (fields.rest > 0) parts.push(readPart(fields, take));
  return parts;
}

function readPart(fields: FieldReader, take: (size: number) => Uint8Array): ContentPart {
  const path = fields.name(CLIENT_AREA_BYTES);
  const offset = fields.u64();
  const flags = fields.u8();
  const entry = (flags & Flag.ENTRY) === 0 ? undefined : readRecord(fields);
  const errno = (flags & Flag.ERRNO) === 0 ? undefined : fields.u16();
  const pieces: ContentPiece[] = [];
  for (let left = fields.u32(); left > 0; left--) {
    const isHole = fields.u8() === Piece.HOLE;
    const size = fields.u64();
    pieces.push(isHole ? { holeBytes: size } : take(size));
  }
  const isEnd = (flags & Flag.END) !== 0;
  return { path, offset, entry, pieces, errno, isEnd, isFreed: false };
}

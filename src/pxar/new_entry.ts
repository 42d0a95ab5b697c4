/**
 * Entries on their way into an archive, as values, and what takes them.
 *
 * @module
 */

import type { PxarHardlink, PxarKind } from "./entry.ts";
import type { Metadata } from "#src/tree/metadata.ts";

/** Offset of an entry's FILENAME header in the metadata stream: what a hard link refers to. */
export type EntryOffset = number;

/** Lengths of a finished archive in bytes. */
export interface PxarSizes {
  /** Length of the archive, or of its metadata stream. */
  readonly metadataSize: number;
  /** Length of the payload stream; undefined for version 1. */
  readonly payloadSize: number | undefined;
}

/** The bytes of a regular file, read once and in order. */
export interface PxarContent {
  /**
   * Reads up to `target.length` bytes at `offset`, which is where the last call ended. @returns the
   * count, 0 at the end
   */
  readAt(target: Uint8Array, offset: number): number;
  /**
   * An open host file that has the same bytes at the same offsets. A sink may copy them from there;
   * what it does not take is read.
   */
  readonly fd?: number | undefined;
  /** Hears that a sink has copied everything before `offset`. */
  onCopied?(offset: number): void;
  /**
   * Whether something else is in the place of bytes that cannot be had: asked when all has been
   * read.
   */
  readonly isIncomplete?: boolean | undefined;
  /** Called by whoever opened the content. */
  close?(): void;
}

/** A regular file. */
export interface NewFile {
  /** Tells it from other entries. */
  readonly kind: "file";
  /** The mode must be that of a regular file. */
  readonly metadata: Metadata;
  /** Length in bytes. */
  readonly size: number;
  /** Opens the content, which has exactly {@link NewFile.size} bytes. The caller closes it. */
  open(): PxarContent;
  /** What is known of where the content lies already, for writers that can refer to it. */
  readonly origin?: object | undefined;
  /** Number of names, where that is known. */
  readonly linkCount?: number | undefined;
  /** Where the first byte of the content is in the streams of {@link NewFile.origin}. */
  readonly payload?: { readonly offset: number; readonly size: number } | undefined;
  /** What it was before it was changed, where that lies in streams that writers can refer to. */
  readonly former?: FormerContent | undefined;
}

/** Where the content of another file lies, of which a file still has a part. */
export interface FormerContent {
  /** See {@link NewFile.origin}. */
  readonly origin: object;
  /** See {@link NewFile.payload}. */
  readonly payload: { readonly offset: number; readonly size: number };
  /** Where both are known to have the same bytes at the same offsets; ascending. */
  ranges(): Iterable<{ readonly offset: number; readonly size: number }>;
}

/**
 * A regular file whose PAYLOAD header is at some offset of the payload stream, or is going to be:
 * nothing is written there. Version 2 only. Contents must follow each other, since a pipe cannot be
 * read backwards.
 */
export interface NewReference {
  /** Tells it from other entries. */
  readonly kind: "reference";
  /** The mode must be that of a regular file. */
  readonly metadata: Metadata;
  /** Length of the content in bytes. */
  readonly size: number;
  /** Where the PAYLOAD header is; the content is behind it. */
  readonly payloadOffset: number;
}

/** A further name of an earlier file. */
export interface NewHardlink extends Pick<PxarHardlink, "kind" | "targetPath"> {
  /** What {@link EntryWriter.add} returned for the file. */
  readonly target: EntryOffset;
}

/** An entry to be written. A device is of the type that its mode says. */
export type NewEntry =
  | NewFile
  | NewReference
  | NewHardlink
  | { readonly metadata: Metadata } & Exclude<PxarKind, { kind: "file" }>;

/**
 * Takes the entries of an archive whose root directory is begun: children in the byte order of
 * their names, each once.
 */
export interface EntryWriter {
  /**
   * Adds an entry to the present directory. A directory is entered: what comes next is in it.
   *
   * @returns what a hard link to this entry refers to
   */
  add(name: string, entry: NewEntry): EntryOffset;
  /** Leaves the directory entered last; not for the root. */
  finishDirectory(): void;
  /** Ends the root directory and the archive. @returns its lengths, where something was written */
  finish(): PxarSizes | undefined;
}

/** Begins an archive with its root directory, and the prelude when there is one. */
export type StartArchive = (
  root: Metadata,
  prelude: Uint8Array | undefined,
) => EntryWriter;

/** A regular file with the content in memory. */
export function memoryEntry(metadata: Metadata, bytes: Uint8Array): NewFile {
  return {
    kind: "file",
    metadata,
    size: bytes.length,
    open: () => ({
      readAt: (target, offset) => {
        const part = bytes.subarray(offset, offset + target.length);
        target.set(part);
        return part.length;
      },
    }),
  };
}

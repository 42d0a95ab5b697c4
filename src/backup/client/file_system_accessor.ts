/**
 * Files by their paths, in the thread that asks: what a {@link LocalClient} serves.
 *
 * @module
 */

import type {
  ClientCapabilities,
  ClientEntry,
  ClientPage,
  ContentPiece,
  ContentRange,
} from "./provider.ts";

/** An open regular file, read in the thread that asks. */
export interface AccessedFile {
  /** See `ClientFile`. */
  readonly entry: ClientEntry | undefined;
  /**
   * See `ClientFile`; to be ended by who does not read it to its end. Bytes may be others as soon
   * as something else is asked for, the next piece included.
   */
  readonly content: Iterable<ContentPiece>;
}

/** `ClientProvider` without waiting; everything means what it means there. */
export interface FileSystemAccessor {
  /** What is known of its entries. */
  capabilities?(): ClientCapabilities;
  /** One entry; links are not followed. @throws {OsError} */
  stat(path: string): ClientEntry;
  /** The entries of a directory. @throws {OsError} */
  readDirectory(path: string): Iterable<ClientPage>;
  /** Opens and reads a regular file. @throws {OsError} */
  readFile(path: string, range: ContentRange): AccessedFile;
  /** Ends the access. */
  close?(): void;
}

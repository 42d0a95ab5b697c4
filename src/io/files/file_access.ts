/**
 * What every door to files offers; see `files.ts`.
 *
 * @module
 */

import type { ByteSource } from "../byte_source.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ClosableSource, FileSink, FileSinkOptions, Sink } from "../streams.ts";

/** Kinds of files, as far as they matter. */
export type FileKind = "file" | "directory" | "symlink" | "other";

/** What is known of a file. */
export interface FileStatus {
  /** What it is. */
  readonly kind: FileKind;
  /** Length in bytes. */
  readonly size: number;
  /** Who owns it. */
  readonly uid: number;
  /** Which group it belongs to. */
  readonly gid: number;
  /** With {@link ino}: which file it is, whatever its name. */
  readonly device: number;
  /** Inode number. */
  readonly ino: number;
}

/** An entry of a directory; a symbolic link is not followed. */
export interface FileEntry {
  /** As in `src/bytes/file_name.ts`. */
  readonly name: string;
  /** What it is. */
  readonly kind: FileKind;
}

/** Room in a file system. */
export interface FileSystemSpace {
  /** Size of the file system. */
  readonly totalBytes: number;
  /** Bytes in use, by whatever it is. */
  readonly usedBytes: number;
  /** What others than root may still take. */
  readonly availableBytes: number;
}

/** Files and directories by their paths, as `src/bytes/file_name.ts` writes names. */
export interface Files {
  /**
   * What a path means; a symbolic link is followed unless told otherwise.
   *
   * @returns undefined when there is nothing
   * @throws {OsError}
   */
  status(path: string, followsLink?: boolean): FileStatus | undefined;
  /** Entries of a directory, in no order. @throws {OsError} when it cannot be listed */
  entries(path: string): FileEntry[];
  /**
   * Reads a regular file of at most `sizeMax` bytes.
   *
   * @throws {OsError} when it is not there, not readable or not a regular file
   * @throws {LimitError} when it is larger
   */
  read(path: string, sizeMax: number): Uint8Array<ArrayBuffer>;
  /**
   * The whole content of a file, FIFO or device.
   *
   * @param sizeMax default: no limit
   * @throws {OsError}
   * @throws {LimitError} when it is larger
   */
  readAll(path: string, sizeMax?: number): Uint8Array;
  /**
   * The path without symbolic links. @throws {OsError} when it leads to nothing, or to nothing that
   * has a path
   */
  realPath(path: string): string;
  /**
   * Opens a file for random access, also into buffers without an address. See {@link OpenSource}.
   */
  openSource(path: string): ByteSource;
  /**
   * As {@link openSource}, for what reads much: only into buffers of {@link allocate} or
   * {@link bufferOf}.
   */
  openFast(path: string): ByteSource;
  /** Opens a file, FIFO or device for reading in order. @throws {OsError} */
  openStream(path: string): ClosableSource;
  /** Makes a new file. @throws {OsError} EEXIST when the name is taken, unless it is replaced */
  create(path: string, options?: FileSinkOptions): FileSink;
  /** Standard output. */
  standardOutput(): Sink;
  /** Room in the file system of a directory. @throws {OsError} */
  space(path: string): FileSystemSpace;
  /** Makes a buffer of zeros. */
  allocate(sizeBytes: number): NativeBuffer;
  /** Existing bytes as a buffer; they live as long as it. */
  bufferOf(bytes: Uint8Array<ArrayBuffer>): NativeBuffer;
}

/**
 * Whether an errno says that there is nothing of that name, or only a symbolic link that leads back
 * to itself.
 */
export const NOTHING_THERE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

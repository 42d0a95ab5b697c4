/**
 * Where entries are restored: a directory, in one of several ways.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { DeviceNumber } from "#src/bytes/device_number.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { RestoreFeatures } from "./options.ts";
import type { ProblemSink } from "./report.ts";

/** Content of a regular file, read once from its beginning to its end. */
export interface EntryContent {
  /** Length in bytes, known before the first is read. */
  readonly size: number;
  /**
   * Reads up to `size` further bytes into `target.bytes` from `start` on.
   *
   * @returns the count: at least 1, unless the whole content is read
   */
  read(target: NativeBuffer, start: number, size: number): number;
}

/** What a FIFO, socket or device node is; its mode says which of them. */
export interface SpecialEntry {
  /** Owner, mode, times and the rest that the target is asked to set. */
  readonly metadata: Metadata;
  /** Of devices only. */
  readonly device?: DeviceNumber;
}

/**
 * A directory that an archive is restored into. It has a current directory, at first the target
 * itself.
 *
 * Names are single names, checked by the caller. `path` is the entry's path in the archive, for
 * messages. The methods throw `OsError` when the entry cannot be made; what fails afterwards goes
 * to the {@link ProblemSink}.
 *
 * No method reaches anything outside of the target directory, whatever the archive has put into it
 * before.
 */
export interface ExtractTarget {
  /** What it restores. Of what is switched off, the caller does not ask for whole entries. */
  readonly features: RestoreFeatures;
  /**
   * Makes a directory, or takes an existing one where that is allowed, and makes it the current
   * one.
   */
  enterDirectory(name: string, path: string): void;
  /**
   * Restores the metadata of the current directory, unless undefined, and goes back to the one
   * above. Above the target itself there is nothing: then the target is done.
   */
  leaveDirectory(metadata: Metadata | undefined, path: string, problems: ProblemSink): void;
  /** Makes a regular file. Where that fails nothing is left of it, but for damage of the source. */
  createFile(
    name: string,
    path: string,
    metadata: Metadata,
    content: EntryContent,
    problems: ProblemSink,
  ): void;
  /** Removes a regular file that was made in the current directory. */
  removeFile(name: string, path: string): void;
  /** Makes a symbolic link. */
  createSymlink(
    name: string,
    path: string,
    metadata: Metadata,
    target: string,
    problems: ProblemSink,
  ): void;
  /** Makes a FIFO, socket or device node. */
  createSpecial(name: string, path: string, entry: SpecialEntry, problems: ProblemSink): void;
  /** Makes a further name of the regular file at `targetPath`, relative to the target directory. */
  createHardlink(name: string, path: string, targetPath: string): void;
  /** Forgets everything; what is unfinished stays as it is. */
  close(): void;
}

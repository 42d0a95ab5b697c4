/**
 * All partial files of a diff that nobody has mounted: made plain in place, where that can be.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import { StateError } from "#src/errors.ts";
import { collapseAll, isCollapsible, type OpenComplete } from "../collapsing.ts";
import { type CompleteFile, examineFile } from "../complete_file.ts";
import { readHostDirectory } from "../host_directory.ts";
import { isPartialFile, SIGNATURE_SIZE } from "../partial_file.ts";

const { OpenFlag } = host;
const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
/** Files that are open at once, to be made plain together. */
const OPEN_MAX = 256;
/** The least size of a partial file: its header, padded. */
const PARTIAL_SIZE_MIN = 4096;

/** What {@link unwrapAll} did. */
export interface UnwrappedFiles {
  /** How many are plain now. */
  readonly count: number;
  /** Numbers of those that are partial still, and complete. */
  readonly rest: ReadonlySet<number>;
}

/**
 * Makes the partial files of a diff plain that can be so in place.
 *
 * @throws {StateError} `not-hydrated` when blocks of a file are only in the tree below
 * @throws {FormatError} @throws {OsError}
 */
export function unwrapAll(diffPath: string, nonce: Uint8Array): UnwrappedFiles {
  const unwrapping = new Unwrapping(diffPath, nonce);
  const fd = host.unwrap(host.open(`${diffPath}/data`, DIRECTORY_FLAGS), "open", "data");
  try {
    unwrapping.visit(fd, "");
    unwrapping.flush();
    return unwrapping;
  } finally {
    unwrapping.close();
    host.close(fd);
  }
}

class Unwrapping implements UnwrappedFiles {
  count = 0;
  readonly rest = new Set<number>();
  readonly #diffPath: string;
  readonly #nonce: Uint8Array;
  readonly #stat = new host.HostStat();
  readonly #signature = host.allocateNativeBuffer(SIGNATURE_SIZE);
  /** By their numbers. */
  readonly #open = new Map<number, OpenComplete>();

  constructor(diffPath: string, nonce: Uint8Array) {
    this.#diffPath = diffPath;
    this.#nonce = nonce;
  }

  visit(directory: number, path: string): void {
    for (const { name } of readHostDirectory(directory)) {
      const inner = path === "" ? name : `${path}/${name}`;
      host.unwrap(host.statAt(directory, name, this.#stat), "stat", inner);
      const type = entryType(this.#stat.mode);
      const isDirectory = type === EntryType.DIRECTORY;
      if (!isDirectory && (type !== EntryType.FILE || this.#stat.size < PARTIAL_SIZE_MIN)) continue;
      const flags = isDirectory ? DIRECTORY_FLAGS : OpenFlag.RDONLY | OpenFlag.NOFOLLOW;
      const fd = host.unwrap(openQuietlyAt(directory, name, flags), "open", inner);
      try {
        if (isDirectory) this.visit(fd, inner);
        else if (this.#isPartial(fd, inner)) this.#add(fd, inner);
      } finally {
        host.close(fd);
      }
    }
  }

  #isPartial(fd: number, path: string): boolean {
    const { bytes, address } = this.#signature;
    const length = host.preadFully(fd, address, SIGNATURE_SIZE, 0);
    return isPartialFile(bytes, host.unwrap(length, "read", path), this.#nonce);
  }

  #add(fd: number, path: string): void {
    const file = examineComplete(fd, this.#nonce, path);
    if (file === undefined || this.#open.has(file.stat.ino)) return;
    const writable = isCollapsible(fd, file) ? host.open(`/proc/self/fd/${fd}`, OpenFlag.RDWR) : -1;
    if (writable >= 0) this.#open.set(file.stat.ino, { fd: writable, file });
    else this.rest.add(file.stat.ino);
    if (this.#open.size === OPEN_MAX) this.flush();
  }

  /** Makes plain what was found. */
  flush(): void {
    if (this.#open.size > 0) {
      const refused = collapseAll(this.#diffPath, [...this.#open.values()]);
      for (const { file } of refused) this.rest.add(file.stat.ino);
      this.count += this.#open.size - refused.length;
    }
    this.close();
  }

  close(): void {
    for (const { fd } of this.#open.values()) host.close(fd);
    this.#open.clear();
  }
}

/**
 * What is known of a file that has all of its blocks; undefined for a plain one.
 *
 * @throws {StateError} `not-hydrated` when it has not
 * @throws {FormatError} @throws {OsError}
 */
export function examineComplete(
  fd: number,
  nonce: Uint8Array,
  path: string,
): CompleteFile | undefined {
  const file = examineFile(fd, nonce, path);
  if (file === "plain") return undefined;
  if (file !== "incomplete") return file;
  throw new StateError(
    "not-hydrated",
    `Cannot promote: blocks of "${path}" are only in what the diff was made over`,
  );
}

/**
 * A plain tree of what a complete diff shows, made of its own files: directories are new ones,
 * files get one more name. Whiteouts and markers are left out; a partial file, and what stands for
 * a link of the tree below, is made anew.
 *
 * The diff stays what it is, and the tree is worth nothing before it is synced.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import { MARKER_NAME } from "../directory_marker.ts";
import { copyXattrs, removeAcls, setOwnerAndMode, setTimes } from "../host_attributes.ts";
import { readHostDirectory } from "../host_directory.ts";
import { parseLinkReference } from "../link_reference.ts";
import type { HostPlace } from "../partial_probe.ts";
import { writePlainCopy } from "../plain_copy.ts";
import { isWhiteout } from "../whiteout.ts";
import { examineComplete } from "./unwrap_all.ts";

const { OpenFlag } = host;
const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

/** How a tree is made. Paths are below `data/`, without a leading slash. */
export interface PromotedTreeOptions {
  readonly diffPath: string;
  /** The diff's nonce. */
  readonly nonce: Uint8Array;
  /** Numbers of the files that are partial ones. */
  readonly partial: ReadonlySet<number>;
  /** What is left out, with all below it. */
  readonly isLeftOut: (path: string) => boolean;
  /**
   * The target of a link.
   *
   * @param target its text
   * @param lowerPath of the link in the tree below that it stands for; undefined for one of its own
   */
  readonly linkTarget: (path: string, target: string, lowerPath: string | undefined) => string;
}

/** What was made. */
export interface PromotedCounts {
  /** Names of files, links and directories. */
  entries: number;
  /** Bytes of files that had to be copied. */
  copiedBytes: number;
}

/** Makes trees of one diff. */
export class PromotedTree {
  readonly counts: PromotedCounts = { entries: 0, copiedBytes: 0 };
  readonly #options: PromotedTreeOptions;
  readonly #stat = new host.HostStat();
  /** Copies of partial files that have several names, by the file's number. */
  readonly #copies = new Map<number, HostPlace>();

  constructor(options: PromotedTreeOptions) {
    this.#options = options;
  }

  /**
   * Makes a directory of the diff anew.
   *
   * @param from path of the directory in `data/`; empty for that itself
   * @param to an empty directory, with names of its own only
   * @throws {StateError} `not-hydrated` @throws {FormatError} @throws {OsError}
   */
  make(from: string, to: string): void {
    const path = from === "" ? "data" : `data/${from}`;
    inside(host.At.FDCWD, `${this.#options.diffPath}/${path}`, DIRECTORY_FLAGS, (source) => {
      inside(host.At.FDCWD, to, DIRECTORY_FLAGS, (target) => {
        removeAcls(target);
        this.#fill(source, target, from);
      });
    });
  }

  /** Frees what it keeps open. */
  close(): void {
    for (const { fd } of this.#copies.values()) host.close(fd);
    this.#copies.clear();
  }

  #fill(source: number, target: number, path: string): void {
    for (const { name } of readHostDirectory(source)) {
      const inner = path === "" ? name : `${path}/${name}`;
      if (name === MARKER_NAME || this.#options.isLeftOut(inner)) continue;
      host.unwrap(host.statAt(source, name, this.#stat), "stat", inner);
      if (isWhiteout(this.#stat)) continue;
      this.counts.entries += 1;
      const type = entryType(this.#stat.mode);
      if (type === EntryType.DIRECTORY) this.#makeDirectory(source, target, name, inner);
      else if (type === EntryType.SYMLINK) this.#makeLink(source, target, name, inner);
      else if (type === EntryType.FILE) this.#makeFile(source, target, name, inner);
      else host.unwrap(host.linkAt(source, name, target, name), "link", inner);
    }
    const stat = new host.HostStat();
    host.unwrap(host.statFd(source, stat), "stat", path);
    setOwnerAndMode(target, stat);
    copyXattrs(source, target);
    setTimes(target, stat);
  }

  #makeDirectory(source: number, target: number, name: string, path: string): void {
    host.unwrap(host.mkdirAt(target, name, 0o700), "make directory", path);
    inside(source, name, DIRECTORY_FLAGS, (from) => {
      inside(target, name, DIRECTORY_FLAGS, (to) => this.#fill(from, to, path));
    });
  }

  #makeLink(source: number, target: number, name: string, path: string): void {
    const bytes = host.readlinkAt(source, name);
    if (typeof bytes === "number") throw new host.OsError(-bytes, "readlink", path);
    const text = decodeFileName(bytes);
    const { nonce, linkTarget } = this.#options;
    const lowerPath = parseLinkReference(nonce, text);
    const wanted = linkTarget(path, text, lowerPath);
    if (wanted === text) {
      host.unwrap(host.linkAt(source, name, target, name), "link", path);
      return;
    }
    host.unwrap(host.symlinkAt(wanted, target, name), "symlink", path);
    if (host.getEffectiveUid() === 0) {
      const { uid, gid } = this.#stat;
      host.unwrap(host.chownAt(target, name, uid, gid), "chown", path);
    }
    setTimes(target, this.#stat, name);
  }

  #makeFile(source: number, target: number, name: string, path: string): void {
    const { ino, nlink } = this.#stat;
    const known = this.#copies.get(ino);
    if (known !== undefined) {
      host.unwrap(host.linkAt(known.fd, known.name, target, name), "link", path);
      return;
    }
    const { nonce, partial } = this.#options;
    if (!partial.has(ino)) {
      host.unwrap(host.linkAt(source, name, target, name), "link", path);
      return;
    }
    inside(source, name, OpenFlag.RDONLY | OpenFlag.NOFOLLOW, (fd) => {
      const file = examineComplete(fd, nonce, path);
      if (file === undefined) throw new host.OsError(host.Errno.ESTALE, "read", path);
      host.close(writePlainCopy(fd, file, { fd: target, name }));
      this.counts.copiedBytes += file.stat.size - file.dataOffset;
      if (nlink > 1) this.#copies.set(ino, { fd: host.dup(target), name });
    });
  }
}

/** Does something with what a name stands for, open. @throws {OsError} */
function inside<Result>(
  directory: number,
  name: string,
  flags: number,
  use: (fd: number) => Result,
): Result {
  const fd = host.unwrap(openQuietlyAt(directory, name, flags), "open", name);
  try {
    return use(fd);
  } finally {
    host.close(fd);
  }
}

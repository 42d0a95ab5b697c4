/**
 * Restores entries through directory descriptors. Needs FFI.
 *
 * Every directory is opened from the descriptor of the one above, one name at a time and never
 * through a symbolic link, and stays open while entries are made in it. So it does not matter what
 * the archive, or another process, puts in the place of a directory meanwhile: nothing is ever
 * written to where a link leads.
 *
 * @module
 */

import { XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import { Failure, FormatError, OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { openBeneath } from "#ffi/libc/extract.ts";
import { FileType } from "#src/tree/node.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { type DeviceNumber, joinDeviceNumber } from "#src/bytes/device_number.ts";
import { ClaimedNames, sameNameError } from "./claimed_names.ts";
import { ContentWriter } from "./content_writer.ts";
import type { EntryContent, ExtractTarget, SpecialEntry } from "./extract_target.ts";
import {
  createDirectories,
  type ExistingDirectory,
  NEW_DIRECTORY_MODE,
  openWritable,
} from "./existing_directory.ts";
import { linkDescriptor, openStepwise } from "./further_names.ts";
import { InTheWayError, leaveFor, type OverwriteLeave } from "./in_the_way.ts";
import { MetadataRestorer } from "./metadata_restorer.ts";
import {
  CREATE_HARDLINK,
  OVERWRITE_NOTHING,
  type OverwritePolicy,
  RESTORE_ALL,
  type RestoreFeatures,
  type TargetOptions,
} from "./options.ts";
import type { ProblemSink } from "./report.ts";

const { Errno, OpenFlag } = host;

const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
const NEW_FILE_FLAGS = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
const OBJECT_FLAGS = OpenFlag.PATH | OpenFlag.NOFOLLOW;

/** Nobody else may look at a file before its owner and mode are restored. */
const NEW_FILE_MODE = 0o600;

/** How often a name is replaced that another process creates again and again. */
const REPLACE_ATTEMPTS_MAX = 8;

/** An open directory. */
interface Level {
  readonly fd: number;
  /** It was not made here. */
  readonly wasThere: boolean;
  /** See {@link ExistingDirectory.modeBefore}. */
  readonly modeBefore: number | undefined;
  /** What is made in it gets an ACL from it. */
  readonly givesAcl: boolean;
  /** Undefined where whatever is in it can only have come from the archive. */
  readonly names: ClaimedNames | undefined;
}

/** What is to get a name. */
interface NewEntry {
  readonly name: string;
  readonly path: string;
  /** For messages. */
  readonly step: string;
  /** The leave that it needs to replace a file or link. */
  readonly coming: OverwriteLeave;
  /** What is there is the device, FIFO or socket that comes. */
  readonly isSame?: boolean;
  /** Of the file that gets a further name. */
  readonly targetPath?: string;
}

const stat = new host.HostStat();
const otherStat = new host.HostStat();

/** A target directory with everything that Linux can restore. */
export class DescriptorTarget implements ExtractTarget {
  readonly features: RestoreFeatures;
  readonly #overwrite: OverwritePolicy;
  readonly #mayReplace: boolean;
  readonly #restorer: MetadataRestorer;
  readonly #writer = new ContentWriter();
  readonly #levels: Level[] = [];
  /** Where files came in the place of one of several names, by what that was: {@link fileId}. */
  readonly #replaced = new Map<string, string>();
  #hasOpenat2 = true;

  private constructor(root: ExistingDirectory, options: TargetOptions) {
    this.features = options.features ?? RESTORE_ALL;
    this.#overwrite = options.overwrite ?? OVERWRITE_NOTHING;
    this.#mayReplace = Object.values(this.#overwrite).includes(true);
    this.#restorer = new MetadataRestorer(this.features);
    this.#pushExisting(root);
  }

  /**
   * Opens the directory at `path`, which is made (with mode 0700, and the directories above it)
   * when it is not there. The path is the user's: links in it are followed.
   *
   * @throws {OsError} ENOTDIR, EACCES …
   */
  static open(path: string, options: TargetOptions = {}): DescriptorTarget {
    // Every directory on the way to an entry is open at the same time.
    host.raiseOpenFileLimit();
    createDirectories(path);
    return new DescriptorTarget(openWritable(host.At.FDCWD, path, 0, path), options);
  }

  enterDirectory(name: string, path: string): void {
    const parent = this.#current();
    const make = () => host.mkdirAt(parent.fd, name, NEW_DIRECTORY_MODE);
    if (this.#overwrite.directories && this.#isDirectory(name)) {
      this.#claim(name, path);
      this.#pushExisting(openWritable(parent.fd, name, OpenFlag.NOFOLLOW, path));
      return;
    }
    this.#make({ name, path, step: "make directory", coming: "byDirectories" }, make);
    const opened = host.openAt(parent.fd, name, DIRECTORY_FLAGS);
    this.#push(host.unwrap(opened, "open directory", path), false, parent.givesAcl);
  }

  leaveDirectory(metadata: Metadata | undefined, path: string, problems: ProblemSink): void {
    const { fd, wasThere, givesAcl, modeBefore } = this.#levels.pop()!;
    const mayHaveAcl = wasThere || givesAcl;
    try {
      if (metadata !== undefined) {
        this.#restorer.restore({ fd, isPathOnly: false, mayHaveAcl, path }, metadata, problems);
      }
    } finally {
      // Not before: who may not write to a directory cannot set its xattrs.
      const hasMode = metadata !== undefined && this.features.permissions;
      if (modeBefore !== undefined && !hasMode) host.fchmod(fd, modeBefore);
      host.close(fd);
    }
  }

  createFile(
    name: string,
    path: string,
    metadata: Metadata,
    content: EntryContent,
    problems: ProblemSink,
  ): void {
    const { fd: directory, givesAcl: mayHaveAcl } = this.#current();
    const fd = this.#make(
      { name, path, step: "create file", coming: "files" },
      () => host.openAt(directory, name, NEW_FILE_FLAGS, NEW_FILE_MODE),
    );
    try {
      this.#restorer.restoreInitialFlags(fd, metadata.flags);
      try {
        this.#writer.write(fd, content, path);
      } catch (error) {
        if (error instanceof Failure) this.#removeUnfinished(fd, name);
        throw error;
      }
      this.#restorer.restore({ fd, isPathOnly: false, mayHaveAcl, path }, metadata, problems);
    } finally {
      host.close(fd);
    }
  }

  removeFile(name: string, path: string): void {
    const removed = host.unlinkAt(this.#current().fd, name);
    if (removed !== -Errno.ENOENT) host.unwrap(removed, "remove", path);
  }

  createSymlink(
    name: string,
    path: string,
    metadata: Metadata,
    target: string,
    problems: ProblemSink,
  ): void {
    const directory = this.#current().fd;
    this.#make(
      { name, path, step: "create symbolic link", coming: "symlinks" },
      () => host.symlinkAt(target, directory, name),
    );
    this.#restoreByPath(name, path, FileType.SYMLINK, metadata, problems);
  }

  createSpecial(name: string, path: string, entry: SpecialEntry, problems: ProblemSink): void {
    const directory = this.#current().fd;
    const type = entry.metadata.mode & FileType.MASK;
    const device = deviceOf(entry.device, path);
    // Something of several names would be refused by what restores its metadata.
    const isSame = host.statAt(directory, name, stat) >= 0 &&
      (stat.mode & FileType.MASK) === type && stat.rdev === device && stat.nlink === 1;
    if (isSame && this.#overwrite.specials) this.#claim(name, path);
    else {
      const make = () => host.mknodAt(directory, name, type | NEW_FILE_MODE, device);
      this.#make({ name, path, step: "create special file", coming: "specials", isSame }, make);
    }
    this.#restoreByPath(name, path, type, entry.metadata, problems);
  }

  createHardlink(name: string, path: string, targetPath: string): void {
    const directory = this.#current().fd;
    const target = host.unwrap(this.#openTarget(targetPath), "find hard link's target for", path);
    try {
      host.unwrap(host.statFd(target, stat), "stat", path);
      if ((stat.mode & FileType.MASK) !== FileType.FILE) {
        throw new OsError(Errno.EINVAL, "link to something that is no regular file", path);
      }
      const make = () => linkDescriptor(target, directory, name);
      this.#make({ name, path, step: CREATE_HARDLINK, coming: "hardlinks", targetPath }, make);
    } finally {
      host.close(target);
    }
  }

  close(): void {
    for (const { fd, modeBefore } of this.#levels.splice(0)) {
      if (modeBefore !== undefined) host.fchmod(fd, modeBefore);
      host.close(fd);
    }
  }

  #current(): Level {
    return this.#levels.at(-1)!;
  }

  #push(fd: number, wasThere: boolean, givesAcl: boolean, modeBefore?: number): void {
    const names = wasThere || this.#mayReplace ? new ClaimedNames() : undefined;
    this.#levels.push({ fd, wasThere, modeBefore, givesAcl, names });
  }

  #isDirectory(name: string): boolean {
    const found = host.statAt(this.#current().fd, name, stat);
    return found >= 0 && (stat.mode & FileType.MASK) === FileType.DIRECTORY;
  }

  #pushExisting({ fd, modeBefore }: ExistingDirectory): void {
    const defaultAcl = this.features.acls ? host.getXattr(fd, XATTR_ACL_DEFAULT) : 0;
    this.#push(fd, true, typeof defaultAcl !== "number", modeBefore);
  }

  /** Uses what exists, as {@link stat} describes it, for an entry. */
  #claim(name: string, path: string): void {
    const { names } = this.#current();
    names?.check(name, path);
    this.#checkDistinct(name, path, stat);
    names?.add(name);
  }

  /**
   * Makes sure that what was found at a name is no earlier entry of the archive under another name.
   * @throws {StateError}
   */
  #checkDistinct(name: string, path: string, found: host.HostStat): void {
    const { fd, names } = this.#current();
    if (names === undefined) throw sameNameError(path);
    for (const other of names.similar(name)) {
      if (host.statAt(fd, other, otherStat) >= 0 && fileId(otherStat) === fileId(found)) {
        throw sameNameError(path, other);
      }
    }
  }

  /**
   * Makes a name, in the place of a file or link that is there if that is allowed.
   *
   * @returns what `make` returned
   * @throws {InTheWayError}
   */
  #make(entry: NewEntry, make: () => number): number {
    const { name, path, step } = entry;
    const { fd, names } = this.#current();
    names?.check(name, path);
    let result = make();
    for (let i = 0; result === -Errno.EEXIST && i < REPLACE_ATTEMPTS_MAX; i++) {
      const found = host.statAt(fd, name, stat);
      if (found !== -Errno.ENOENT) {
        host.unwrap(found, step, path);
        this.#checkDistinct(name, path, stat);
        this.#remove(entry, stat);
      }
      result = make();
    }
    host.unwrap(result, step, path);
    names?.add(name);
    return result;
  }

  /**
   * Removes the file or link that was found at a name, if it may be replaced. @throws
   * {InTheWayError}
   */
  #remove({ name, path, step, coming, isSame, targetPath }: NewEntry, found: host.HostStat): void {
    const leave = leaveFor(coming, found.mode, isSame);
    const id = fileId(found);
    // A name of the file that was replaced at the first name goes with it.
    const isFollowing = targetPath !== undefined && this.#replaced.get(id) === targetPath;
    if (leave !== coming || !(this.#overwrite[coming] || isFollowing)) {
      throw new InTheWayError(step, path, coming, found.mode, isSame);
    }
    if (coming === "files" && found.nlink > 1) this.#replaced.set(id, path.slice(1));
    // A symbolic link is removed, not what it leads to.
    const removed = host.unlinkAt(this.#current().fd, name);
    if (removed !== -Errno.ENOENT) host.unwrap(removed, "replace", path);
  }

  /**
   * Removes the file `fd`, for which there is no space, or no whole content: half a file is taken
   * for a whole one sooner or later.
   */
  #removeUnfinished(fd: number, name: string): void {
    const { fd: directory } = this.#current();
    const isThere = host.statFd(fd, stat) >= 0 && host.statAt(directory, name, otherStat) >= 0;
    if (isThere && fileId(stat) === fileId(otherStat)) host.unlinkAt(directory, name);
  }

  /** Opens what a path below the target directory names, never through a symbolic link. */
  #openTarget(targetPath: string): number {
    const root = this.#levels[0]!.fd;
    if (this.#hasOpenat2) {
      const fd = openBeneath(root, targetPath, OBJECT_FLAGS);
      // EPERM is what containers answer that do not know the call.
      if (fd === -Errno.ENOSYS || fd === -Errno.EPERM) this.#hasOpenat2 = false;
      else if (fd !== -Errno.ENAMETOOLONG) return fd;
    }
    return openStepwise(root, targetPath);
  }

  /** Restores the metadata of what cannot be opened: of the object that was just made as `name`. */
  #restoreByPath(
    name: string,
    path: string,
    type: number,
    metadata: Metadata,
    problems: ProblemSink,
  ): void {
    const { fd: directory, givesAcl: mayHaveAcl } = this.#current();
    const fd = host.unwrap(host.openAt(directory, name, OBJECT_FLAGS), "open", path);
    try {
      host.unwrap(host.statFd(fd, stat), "stat", path);
      // Something else of several names would be a file from elsewhere, put here to get another
      // owner.
      if ((stat.mode & FileType.MASK) !== type || stat.nlink !== 1) {
        throw new OsError(Errno.ESTALE, "find again what was made as", path);
      }
      const isLink = type === FileType.SYMLINK;
      const object = { fd, isPathOnly: true, mayHaveAcl: mayHaveAcl && !isLink, path };
      this.#restorer.restore(object, metadata, problems);
    } finally {
      host.close(fd);
    }
  }
}

/** The number that mknod(2) takes. */
function deviceOf(device: DeviceNumber | undefined, path: string): number {
  if (device === undefined) return 0;
  const number = joinDeviceNumber(device);
  // The kernel has 12 bits for the major and 20 for the minor number.
  if (device.major > 0xfffn || device.minor > 0xf_ffffn) {
    throw new FormatError(`Linux has no device ${device.major}:${device.minor}`, {
      code: "bad-device",
      path,
    });
  }
  return Number(number);
}

/** Which file it is, whatever its name. */
function fileId({ device, ino }: host.HostStat): string {
  return `${device}:${ino}`;
}

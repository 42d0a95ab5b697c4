/**
 * Restores entries through directory descriptors. Needs FFI.
 *
 * Every directory is opened from the descriptor of the one above, one name at a time and never through a symbolic link, and
 * stays open while entries are made in it. So it does not matter what the archive, or another process, puts in the place of a
 * directory meanwhile: nothing is ever written to where a link leads.
 *
 * @module
 */

import { XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import { FormatError, OsError } from "#src/errors.ts";
import * as host from "#src/io/host.ts";
import { descriptorPath, openBeneath, setFileFlags } from "#src/io/host_extract.ts";
import { getFileFlags } from "#src/io/host_metadata.ts";
import { FileType } from "#src/tree/node.ts";
import type { PxarMetadata } from "../entry.ts";
import { type DeviceNumber, joinDeviceNumber } from "../format/device.ts";
import { ContentWriter } from "./content_writer.ts";
import type { EntryContent, ExtractTarget, SpecialEntry } from "./extract_target.ts";
import { MetadataRestorer } from "./metadata_restorer.ts";
import {
  isSpecial,
  OVERWRITE_NOTHING,
  type OverwritePolicy,
  REPLACE_BY_DIRECTORY,
  REPLACE_SPECIAL,
  RESTORE_ALL,
  type RestoreFeatures,
  type TargetOptions,
} from "./options.ts";
import type { ProblemSink } from "./report.ts";

const { Errno, OpenFlag } = host;

const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
const NEW_FILE_FLAGS = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
const OBJECT_FLAGS = OpenFlag.PATH | OpenFlag.NOFOLLOW;

/** Nobody else may look at an entry before its owner and mode are restored. */
const NEW_FILE_MODE = 0o600;
const NEW_DIRECTORY_MODE = 0o700;

/** What the owner of a directory needs to make names in it. */
const OWNER_BITS = 0o700;
const PERMISSION_BITS = 0o7777;

/** How often a name that somebody else keeps making is replaced. */
const REPLACE_ATTEMPTS_MAX = 8;

/** Attributes of chattr(1) that refuse further names of a file: immutable, append only. */
const UNLINKABLE_ATTRIBUTES = 0x10 | 0x20;

/** An open directory. */
interface Level {
  readonly fd: number;
  /** It was not made here. */
  readonly wasThere: boolean;
  /** Mode that it had, where its owner was not allowed to write to it; undefined where nothing was changed. */
  readonly modeBefore: number | undefined;
  /** What is made in it gets an ACL from it. */
  readonly givesAcl: boolean;
  /** Names made in it; kept only where a second entry of a name would not fail by itself. */
  readonly names: Set<string> | undefined;
}

const stat = new host.HostStat();

/** A target directory with everything that Linux can restore. */
export class DescriptorTarget implements ExtractTarget {
  readonly features: RestoreFeatures;
  readonly #overwrite: OverwritePolicy;
  readonly #keepsNames: boolean;
  readonly #restorer: MetadataRestorer;
  readonly #writer = new ContentWriter();
  readonly #levels: Level[] = [];
  #hasOpenat2 = true;

  private constructor(root: ExistingDirectory, options: TargetOptions) {
    this.features = options.features ?? RESTORE_ALL;
    this.#overwrite = options.overwrite ?? OVERWRITE_NOTHING;
    this.#keepsNames = Object.values(this.#overwrite).includes(true);
    this.#restorer = new MetadataRestorer(this.features);
    this.#pushExisting(root);
  }

  /**
   * Opens the directory at `path`, which is made (with mode 0700, and the directories above it) when it is not there.
   * The path is the user's: links in it are followed.
   *
   * @throws {OsError} ENOTDIR, EACCES …
   */
  static open(path: string, options: TargetOptions = {}): DescriptorTarget {
    // Every directory on the way to an entry is open at the same time.
    host.raiseOpenFileLimit();
    makeDirectories(path);
    return new DescriptorTarget(openWritable(host.At.FDCWD, path, 0, path), options);
  }

  enterDirectory(name: string, path: string): void {
    const parent = this.#current();
    this.#claim(name, path);
    const make = () => host.mkdirAt(parent.fd, name, NEW_DIRECTORY_MODE);
    const made = make();
    if (made === -Errno.EEXIST && this.#isDirectory(name)) {
      if (!this.#overwrite.directories) host.unwrap(made, "make directory", path);
      this.#pushExisting(openWritable(parent.fd, name, OpenFlag.NOFOLLOW, path));
      return;
    }
    if (made < 0) {
      const step = made === -Errno.EEXIST ? REPLACE_BY_DIRECTORY : "make directory";
      this.#make(name, path, step, this.#overwrite.byDirectories ?? false, make);
    }
    const opened = host.openAt(parent.fd, name, DIRECTORY_FLAGS);
    this.#push(host.unwrap(opened, "open directory", path), false, parent.givesAcl);
  }

  leaveDirectory(metadata: PxarMetadata | undefined, path: string, problems: ProblemSink): void {
    const { fd, wasThere, givesAcl, modeBefore } = this.#levels.pop()!;
    const mayHaveAcl = wasThere || givesAcl;
    try {
      if (modeBefore !== undefined) host.fchmod(fd, modeBefore);
      if (metadata !== undefined) {
        this.#restorer.restore({ fd, isPathOnly: false, mayHaveAcl, path }, metadata, problems);
      }
    } finally {
      host.close(fd);
    }
  }

  createFile(
    name: string,
    path: string,
    metadata: PxarMetadata,
    content: EntryContent,
    problems: ProblemSink,
  ): void {
    const { fd: directory, givesAcl: mayHaveAcl } = this.#current();
    this.#claim(name, path);
    const fd = this.#make(
      name,
      path,
      "create file",
      this.#overwrite.files,
      () => host.openAt(directory, name, NEW_FILE_FLAGS, NEW_FILE_MODE),
    );
    try {
      this.#restorer.restoreInitialFlags(fd, metadata.flags);
      this.#writer.write(fd, content, path);
      this.#restorer.restore({ fd, isPathOnly: false, mayHaveAcl, path }, metadata, problems);
    } finally {
      host.close(fd);
    }
  }

  createSymlink(
    name: string,
    path: string,
    metadata: PxarMetadata,
    target: string,
    problems: ProblemSink,
  ): void {
    const directory = this.#current().fd;
    this.#claim(name, path);
    this.#make(
      name,
      path,
      "create symbolic link",
      this.#overwrite.symlinks,
      () => host.symlinkAt(target, directory, name),
    );
    this.#restoreByPath(name, path, FileType.SYMLINK, metadata, problems);
  }

  createSpecial(name: string, path: string, entry: SpecialEntry, problems: ProblemSink): void {
    const directory = this.#current().fd;
    const type = entry.metadata.mode & FileType.MASK;
    const device = deviceOf(entry.device, path);
    this.#claim(name, path);
    const isThere = this.#overwrite.specials && host.statAt(directory, name, stat) >= 0 &&
      (stat.mode & FileType.MASK) === type && stat.rdev === device;
    if (!isThere) {
      this.#make(
        name,
        path,
        "create special file",
        this.#overwrite.specials,
        () => host.mknodAt(directory, name, type | NEW_FILE_MODE, device),
      );
    }
    this.#restoreByPath(name, path, type, entry.metadata, problems);
  }

  createHardlink(name: string, path: string, targetPath: string): void {
    const directory = this.#current().fd;
    this.#claim(name, path);
    const target = host.unwrap(this.#openTarget(targetPath), "find hard link's target for", path);
    try {
      host.unwrap(host.statFd(target, stat), "stat", path);
      if ((stat.mode & FileType.MASK) !== FileType.FILE) {
        throw new OsError(Errno.EINVAL, "link to something that is no regular file", path);
      }
      this.#make(
        name,
        path,
        "create hard link",
        this.#overwrite.hardlinks,
        () => linkDescriptor(target, directory, name),
      );
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
    const names = this.#keepsNames ? new Set<string>() : undefined;
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

  /** An entry must not take the place of an earlier one of the same archive, whatever may be overwritten. */
  #claim(name: string, path: string): void {
    const { names } = this.#current();
    if (names === undefined) return;
    if (names.has(name)) {
      throw new FormatError("The archive has two entries of this name", {
        code: "duplicate-name",
        path,
      });
    }
    names.add(name);
  }

  /** Makes a name, in the place of a file or link that is there if that is allowed. @returns what `make` returned */
  #make(
    name: string,
    path: string,
    step: string,
    mayReplace: boolean,
    make: () => number,
  ): number {
    let result = make();
    for (let i = 0; result === -Errno.EEXIST && mayReplace && i < REPLACE_ATTEMPTS_MAX; i++) {
      const found = host.statAt(this.#current().fd, name, stat);
      if (found >= 0 && isSpecial(stat.mode)) host.unwrap(result, REPLACE_SPECIAL, path);
      // Refuses a directory. A symbolic link is removed, not what it leads to.
      const removed = host.unlinkAt(this.#current().fd, name);
      if (removed !== -Errno.ENOENT) host.unwrap(removed, "replace", path);
      result = make();
    }
    return host.unwrap(result, step, path);
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
    metadata: PxarMetadata,
    problems: ProblemSink,
  ): void {
    const { fd: directory, givesAcl: mayHaveAcl } = this.#current();
    const fd = host.unwrap(host.openAt(directory, name, OBJECT_FLAGS), "open", path);
    try {
      host.unwrap(host.statFd(fd, stat), "stat", path);
      // Something else of several names would be a file from elsewhere, put here to get another owner.
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

/** A directory that was there. */
interface ExistingDirectory {
  readonly fd: number;
  /** See {@link Level.modeBefore}. */
  readonly modeBefore: number | undefined;
}

/** Opens an existing directory. Its owner may write to it from now on, also where its mode says no: as when it was new. */
function openWritable(
  parent: number,
  name: string,
  flags: number,
  path: string,
): ExistingDirectory {
  const step = "open directory";
  const objectFlags = OpenFlag.PATH | OpenFlag.DIRECTORY | flags;
  const object = host.unwrap(host.openAt(parent, name, objectFlags), step, path);
  try {
    host.unwrap(host.statFd(object, stat), step, path);
    const mode = stat.mode & PERMISSION_BITS;
    const uid = host.getEffectiveUid();
    const isLocked = uid !== 0 && stat.uid === uid && (mode & OWNER_BITS) !== OWNER_BITS;
    const place = descriptorPath(object);
    if (isLocked) {
      const changed = host.chmodAt(host.At.FDCWD, place, mode | OWNER_BITS);
      host.unwrap(changed, "make writable", path);
    }
    const fd = host.open(place, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    if (fd < 0 && isLocked) host.chmodAt(host.At.FDCWD, place, mode);
    return { fd: host.unwrap(fd, step, path), modeBefore: isLocked ? mode : undefined };
  } finally {
    host.close(object);
  }
}

/** Opens one name after the other, for kernels without openat2(2). @returns a descriptor of O_PATH or a negative errno */
export function openStepwise(root: number, path: string): number {
  let directory = root;
  const names = path.split("/");
  const last = names.pop()!;
  for (const name of names) {
    const next = host.openAt(directory, name, OBJECT_FLAGS | OpenFlag.DIRECTORY);
    if (directory !== root) host.close(directory);
    if (next < 0) return next;
    directory = next;
  }
  const fd = host.openAt(directory, last, OBJECT_FLAGS);
  if (directory !== root) host.close(directory);
  return fd;
}

/** Makes a further name of the file that `target`, a descriptor of O_PATH, stands for. */
function linkDescriptor(target: number, directory: number, name: string): number {
  const path = descriptorPath(target);
  const link = () => host.linkAt(host.At.FDCWD, path, directory, name, true);
  const result = link();
  if (result !== -Errno.EPERM) return result;
  // The file may have been restored with attributes that allow no further name.
  const fd = host.open(path, OpenFlag.RDONLY | OpenFlag.NONBLOCK);
  if (fd < 0) return result;
  try {
    const attributes = getFileFlags(fd);
    if (attributes < 0 || (attributes & UNLINKABLE_ATTRIBUTES) === 0) return result;
    if (setFileFlags(fd, attributes & ~UNLINKABLE_ATTRIBUTES) < 0) return result;
    const second = link();
    const restored = setFileFlags(fd, attributes);
    return second < 0 ? second : restored;
  } finally {
    host.close(fd);
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

/** mkdir -p, with mode 0700 for what is made. */
function makeDirectories(path: string): void {
  const made = host.mkdirAt(host.At.FDCWD, path, NEW_DIRECTORY_MODE);
  if (made >= 0 || made === -Errno.EEXIST) return;
  const parentEnd = path.replace(/\/+$/, "").lastIndexOf("/");
  if (made !== -Errno.ENOENT || parentEnd <= 0) host.unwrap(made, "make directory", path);
  makeDirectories(path.slice(0, parentEnd));
  const second = host.mkdirAt(host.At.FDCWD, path, NEW_DIRECTORY_MODE);
  if (second !== -Errno.EEXIST) host.unwrap(second, "make directory", path);
}

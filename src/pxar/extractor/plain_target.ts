/**
 * Restores entries by path with the runtime's own calls, for runs without FFI: under `--allow-read`
 * and `--allow-write` of the target only.
 *
 * Files are made with O_EXCL, so that no link is followed, and each directory is looked at with
 * lstat before each use: it must be the one that was entered. A race remains: another process that
 * exchanges a directory for a symbolic link between such a look and the call that follows can make
 * that one call act elsewhere. An archive alone cannot do so: nothing that it holds takes the place
 * of a directory. Where others can write to the target, use `DescriptorTarget`.
 *
 * Not restored, and reported: devices, FIFOs, sockets, xattrs, ACLs, file capabilities, attributes,
 * project ids; the times of symbolic links. Symbolic links need the permission to read and write
 * everywhere. Times lose what is below a microsecond (a millisecond before 1970).
 *
 * @module
 */

import * as fs from "node:fs";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { Failure, OsError } from "#src/errors.ts";
import { callRuntime } from "#src/io/files/runtime_call.ts";
import { Errno, OpenFlag } from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { ClaimedNames, sameNameError } from "./claimed_names.ts";
import type { EntryContent, ExtractTarget, SpecialEntry } from "./extract_target.ts";
import { BlockBuffer } from "./holes.ts";
import { InTheWayError, leaveFor, type OverwriteLeave } from "./in_the_way.ts";
import {
  CREATE_HARDLINK,
  OVERWRITE_NOTHING,
  type OverwritePolicy,
  RESTORE_ALL,
  type RestoreFeatures,
  SET_OWNER,
  type TargetOptions,
} from "./options.ts";
import { reportUnsupported, setOpenTime } from "./plain_metadata.ts";
import type { ProblemSink } from "./report.ts";

const BUFFER_SIZE = 128 << 10;
const NEW_FILE_FLAGS = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
const PERMISSION_BITS = 0o7777;
const SET_ID_BITS = 0o6000;
/** What the owner of a directory needs to make names in it. */
const OWNER_BITS = 0o700;

/** A directory, and which one it is. */
interface Level {
  readonly hostPath: string;
  readonly device: number;
  readonly inode: number;
  /** Mode that it had, where its owner was not allowed to write to it. */
  readonly modeBefore: number | undefined;
  /** Undefined where whatever is in it can only have come from the archive. */
  readonly names: ClaimedNames | undefined;
}

/** What is to get a name. */
interface NewEntry {
  readonly name: string;
  readonly hostPath: string;
  readonly path: string;
  /** For messages. */
  readonly step: string;
  /** The leave that it needs to replace a file or link. */
  readonly coming: OverwriteLeave;
  /** Of the file that gets a further name. */
  readonly targetPath?: string;
}

/** A target directory without FFI. */
export class PlainTarget implements ExtractTarget {
  readonly features: RestoreFeatures;
  readonly #overwrite: OverwritePolicy;
  readonly #mayReplace: boolean;
  readonly #buffer = plainBuffer(BUFFER_SIZE);
  readonly #blocks = new BlockBuffer(this.#buffer);
  readonly #levels: Level[] = [];
  /**
   * Where files came in the place of one of several names, by device and inode of what that was.
   */
  readonly #replaced = new Map<string, string>();
  /** Whether it has been reported that this user cannot give files away. */
  #lacksRights = false;

  private constructor(hostPath: string, options: TargetOptions) {
    this.features = options.features ?? RESTORE_ALL;
    this.#overwrite = options.overwrite ?? OVERWRITE_NOTHING;
    this.#mayReplace = Object.values(this.#overwrite).includes(true);
    this.#push(hostPath, "/", true, this.#unlock(hostPath));
  }

  /**
   * Opens the directory at `path`, which is made (with mode 0700, and the directories above it)
   * when it is not there. The path is the user's: links in it are followed.
   *
   * @throws {OsError} ENOTDIR, EACCES …
   */
  static open(path: string, options: TargetOptions = {}): PlainTarget {
    callRuntime("make directory", path, () => fs.mkdirSync(path, { recursive: true, mode: 0o700 }));
    const hostPath = callRuntime("open directory", path, () => fs.realpathSync(path));
    return new PlainTarget(hostPath, options);
  }

  enterDirectory(name: string, path: string): void {
    const hostPath = this.#place(name, path);
    const found = this.#overwrite.directories ? statusOf(hostPath, path) : undefined;
    if (found?.isDirectory()) {
      this.#checkDistinct(name, path, found);
      this.#claim(name);
      this.#push(hostPath, path, true, this.#unlock(hostPath));
      return;
    }
    this.#make(
      { name, hostPath, path, step: "make directory", coming: "byDirectories" },
      () => fs.mkdirSync(hostPath, { mode: 0o700 }),
    );
    this.#push(hostPath, path, false);
  }

  leaveDirectory(metadata: Metadata | undefined, path: string, problems: ProblemSink): void {
    try {
      this.#checkDirectory(path);
      this.#lock(this.#levels.at(-1)!);
      if (metadata === undefined) return;
      const { hostPath } = this.#levels.at(-1)!;
      const fd = callRuntime("open directory", path, () => fs.openSync(hostPath, DIRECTORY_FLAGS));
      try {
        this.#restore(fd, hostPath, path, metadata, problems);
      } finally {
        fs.closeSync(fd);
      }
    } finally {
      this.#levels.pop();
    }
  }

  createFile(
    name: string,
    path: string,
    metadata: Metadata,
    content: EntryContent,
    problems: ProblemSink,
  ): void {
    const hostPath = this.#place(name, path);
    const fd = this.#make(
      { name, hostPath, path, step: "create file", coming: "files" },
      () => fs.openSync(hostPath, NEW_FILE_FLAGS, 0o600),
    );
    try {
      // Had a directory been exchanged just now, the file would be elsewhere, empty: nothing is put
      // into it then.
      this.#checkDirectory(path);
      try {
        this.#write(fd, content, path);
      } catch (error) {
        if (error instanceof Failure) this.#removeUnfinished(fd, hostPath, path);
        throw error;
      }
      this.#restore(fd, hostPath, path, metadata, problems);
    } finally {
      fs.closeSync(fd);
    }
  }

  removeFile(name: string, path: string): void {
    this.#checkDirectory(path);
    const { hostPath } = this.#levels.at(-1)!;
    callRuntime("remove", path, () => fs.unlinkSync(`${hostPath}/${name}`));
  }

  createSymlink(
    name: string,
    path: string,
    metadata: Metadata,
    target: string,
    problems: ProblemSink,
  ): void {
    checkText(target, path);
    const hostPath = this.#place(name, path);
    const step = "create symbolic link";
    this.#make({ name, hostPath, path, step, coming: "symlinks" }, () => {
      try {
        fs.symlinkSync(target, hostPath);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotCapable)) throw error;
        throw new OsError(Errno.EPERM, step, path, {
          hint: "Allow FFI, or reading and writing everywhere",
          cause: error,
        });
      }
    });
    if (this.features.owner) {
      this.#setOwner(path, problems, () => {
        fs.lchownSync(hostPath, metadata.uid, metadata.gid);
      });
    }
    reportUnsupported(metadata, this.features, path, problems);
    const lost = "set time of";
    problems.add(path, lost, new OsError(Errno.EOPNOTSUPP, lost, path), "warning");
  }

  createSpecial(_name: string, path: string, _entry: SpecialEntry): void {
    throw new OsError(Errno.EOPNOTSUPP, "create special file", path, { hint: "Allow FFI" });
  }

  createHardlink(name: string, path: string, targetPath: string): void {
    const hostPath = this.#place(name, path);
    const found = `${this.#levels[0]!.hostPath}/${targetPath}`;
    const step = "find hard link's target for";
    const isDirect = callRuntime(step, path, () => fs.realpathSync(found)) === found;
    if (!isDirect || !callRuntime(step, path, () => fs.lstatSync(found)).isFile()) {
      throw new OsError(Errno.EINVAL, "link to something that is no regular file", path);
    }
    this.#make(
      { name, hostPath, path, step: CREATE_HARDLINK, coming: "hardlinks", targetPath },
      () => fs.linkSync(found, hostPath),
    );
  }

  close(): void {
    for (const level of this.#levels.splice(0)) this.#lock(level);
  }

  /**
   * The owner of an existing directory may write to it meanwhile. @returns its mode, if that had to
   * be changed
   */
  #unlock(hostPath: string): number | undefined {
    const mode = fs.lstatSync(hostPath).mode & PERMISSION_BITS;
    if ((mode & OWNER_BITS) === OWNER_BITS) return undefined;
    try {
      fs.chmodSync(hostPath, mode | OWNER_BITS);
      return mode;
    } catch {
      // It has another owner, and may still be writable.
      return undefined;
    }
  }

  #lock({ hostPath, modeBefore }: Level): void {
    if (modeBefore !== undefined) fs.chmodSync(hostPath, modeBefore);
  }

  /** Makes sure that `hostPath` is a directory, and makes it the current one. */
  #push(hostPath: string, path: string, wasThere: boolean, modeBefore?: number): void {
    const stat = callRuntime("open directory", path, () => fs.lstatSync(hostPath));
    if (!stat.isDirectory()) throw new OsError(Errno.ENOTDIR, "open directory", path);
    const names = wasThere || this.#mayReplace ? new ClaimedNames() : undefined;
    this.#levels.push({ hostPath, device: stat.dev, inode: stat.ino, modeBefore, names });
  }

  /** The host's path of a name in the current directory, which is still where it was. */
  #place(name: string, path: string): string {
    checkText(name, path);
    this.#checkDirectory(path);
    const { hostPath, names } = this.#levels.at(-1)!;
    names?.check(name, path);
    return `${hostPath}/${name}`;
  }

  #claim(name: string): void {
    this.#levels.at(-1)!.names?.add(name);
  }

  /**
   * Makes sure that what was found at a name is no earlier entry of the archive under another name.
   * @throws {StateError}
   */
  #checkDistinct(name: string, path: string, { dev, ino }: fs.Stats): void {
    const { hostPath, names } = this.#levels.at(-1)!;
    if (names === undefined) throw sameNameError(path);
    for (const other of names.similar(name)) {
      const made = statusOf(`${hostPath}/${other}`, path);
      if (made?.dev === dev && made.ino === ino) throw sameNameError(path, other);
    }
  }

  /**
   * Makes sure that the path of the current directory still leads to the one that was entered. An
   * exchange anywhere on the way would lead to another.
   */
  #checkDirectory(path: string): void {
    const { hostPath, device, inode } = this.#levels.at(-1)!;
    const stat = callRuntime("look at the directory of", path, () => fs.lstatSync(hostPath));
    if (stat.isDirectory() && stat.dev === device && stat.ino === inode) return;
    throw new OsError(Errno.ESTALE, "use the exchanged directory of", path);
  }

  /**
   * Makes a name, in the place of a file or link that is there if that is allowed. @throws
   * {InTheWayError}
   */
  #make<Result>(entry: NewEntry, make: () => Result): Result {
    const { name, hostPath, path, step } = entry;
    let result: Result;
    try {
      result = callRuntime(step, path, make);
    } catch (error) {
      if (!(error instanceof OsError) || error.errno !== Errno.EEXIST) throw error;
      const found = callRuntime(step, path, () => fs.lstatSync(hostPath));
      this.#checkDistinct(name, path, found);
      this.#remove(entry, found);
      result = callRuntime(step, path, make);
    }
    this.#claim(name);
    return result;
  }

  /**
   * Removes the file or link that was found at a name, if it may be replaced. @throws
   * {InTheWayError}
   */
  #remove({ hostPath, path, step, coming, targetPath }: NewEntry, found: fs.Stats): void {
    const leave = leaveFor(coming, found.mode);
    const id = `${found.dev}:${found.ino}`;
    // A name of the file that was replaced at the first name goes with it.
    const isFollowing = targetPath !== undefined && this.#replaced.get(id) === targetPath;
    if (leave !== coming || !(this.#overwrite[coming] || isFollowing)) {
      throw new InTheWayError(step, path, coming, found.mode);
    }
    if (coming === "files" && found.nlink > 1) this.#replaced.set(id, path.slice(1));
    callRuntime("replace", path, () => fs.unlinkSync(hostPath));
  }

  /**
   * Removes the file `fd`, for which there is no space, or no whole content: half a file is taken
   * for a whole one sooner or later.
   */
  #removeUnfinished(fd: number, hostPath: string, path: string): void {
    const { dev, ino } = fs.fstatSync(fd);
    const there = statusOf(hostPath, path);
    if (there?.dev !== dev || there.ino !== ino) return;
    callRuntime("remove", path, () => fs.unlinkSync(hostPath));
  }

  #write(fd: number, content: EntryContent, path: string): void {
    const { size } = content;
    let dataEnd = 0;
    for (let offset = 0; offset < size;) {
      const length = Math.min(BUFFER_SIZE, size - offset);
      this.#blocks.fill(content, length);
      let position = this.#blocks.nextData(0);
      while (position < length) {
        const end = this.#blocks.nextHole(position);
        callRuntime("write", path, () => this.#writeRun(fd, position, end, offset));
        dataEnd = offset + end;
        position = this.#blocks.nextData(end);
      }
      offset += length;
    }
    if (dataEnd < size) callRuntime("set size of", path, () => fs.ftruncateSync(fd, size));
  }

  #writeRun(fd: number, start: number, end: number, offset: number): void {
    for (let done = start; done < end;) {
      done += fs.writeSync(fd, this.#buffer.bytes, done, end - done, offset + done);
    }
  }

  /** Restores the metadata of an open file or directory: owner, mode, time. */
  #restore(
    fd: number,
    hostPath: string,
    path: string,
    metadata: Metadata,
    problems: ProblemSink,
  ): void {
    const { uid, gid, mode } = metadata;
    let isOwned = false;
    if (this.features.owner) {
      isOwned = this.#setOwner(path, problems, () => fs.fchownSync(fd, uid, gid));
    }
    reportUnsupported(metadata, this.features, path, problems);
    // Before the mode, which may not allow to open the file again.
    this.#step("set time of", path, problems, () => setOpenTime(fd, hostPath, metadata.mtime));
    if (!this.features.permissions) return;
    const isDirectory = (mode & FileType.MASK) === FileType.DIRECTORY;
    // Without the owner, these bits would grant the rights of the extracting user.
    const mask = isOwned || isDirectory ? PERMISSION_BITS : PERMISSION_BITS & ~SET_ID_BITS;
    this.#step("set mode of", path, problems, () => fs.fchmodSync(fd, mode & mask));
    if ((mode & PERMISSION_BITS & ~mask) !== 0) {
      const step = "set set-id bits without the owner of";
      problems.add(path, step, new OsError(Errno.EPERM, step, path), "warning");
    }
  }

  /** Sets an owner. A user's lack of rights is one problem, not one of each entry. */
  #setOwner(path: string, problems: ProblemSink, run: () => void): boolean {
    if (!this.#lacksRights) return this.#step(SET_OWNER, path, problems, run);
    try {
      run();
      return true;
    } catch {
      return false;
    }
  }

  #step(step: string, path: string, problems: ProblemSink, run: () => void): boolean {
    try {
      callRuntime(step, path, run);
      return true;
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      this.#lacksRights ||= step === SET_OWNER && error.errno === Errno.EPERM;
      problems.add(path, step, error, "error");
      return false;
    }
  }
}

/** What is at a path, if there is something. */
function statusOf(hostPath: string, path: string): fs.Stats | undefined {
  return callRuntime("look at", path, () => fs.lstatSync(hostPath, { throwIfNoEntry: false }));
}

/** The runtime takes names as text: other bytes would become other names. */
function checkText(text: string, path: string): void {
  if (text.isWellFormed()) return;
  throw new OsError(Errno.EOPNOTSUPP, "use a name that is not UTF-8 for", path, {
    hint: "Allow FFI",
  });
}

/**
 * One extraction: what is common to reading an archive in order and to choosing from it.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { Errno, Failure, FormatError, OsError, StateError } from "#src/errors.ts";
import { FileType } from "#src/tree/node.ts";
import type { EntryFacts } from "#src/tree/entry_facts.ts";
import { isDamage } from "#src/io/sound_read.ts";
import type { PxarEntry } from "../entry.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { targetPathObjection } from "../format/name.ts";
import { isMalformed } from "../malformed.ts";
import type { EntryContent, ExtractTarget } from "./extract_target.ts";
import { InTheWayError } from "./in_the_way.ts";
import { CREATE_HARDLINK } from "./options.ts";
import { type ExtractProblem, type ExtractReport, ReportBuilder, StrictStop } from "./report.ts";

/** How far an extraction is. */
export interface ExtractProgress {
  /** Path of the entry at hand. */
  readonly path: string;
  /** Entries restored so far. */
  readonly entryCount: number;
  /** Content restored so far. */
  readonly contentBytes: number;
}

/** How an archive is extracted; what is restored of entries is the target's matter. */
export interface ExtractionOptions {
  /**
   * Stop at the first error. By default errors of entries are collected, and the rest is restored.
   */
  readonly isStrict?: boolean;
  /** Device nodes that cannot be made are warnings, not errors. */
  readonly ignoresDeviceErrors?: boolean;
  /** Called for each problem, also for those that the report does not keep. */
  readonly onProblem?: (problem: ExtractProblem) => void;
  /** Called after each entry, and now and then inside of a large file. */
  readonly onProgress?: (progress: ExtractProgress) => void;
}

/** Content between two calls of {@link ExtractionOptions.onProgress}. */
const PROGRESS_STEP_BYTES = 8 << 20;

const TYPE_OF_KIND: Readonly<Record<PxarEntry["kind"], readonly number[]>> = {
  directory: [FileType.DIRECTORY],
  file: [FileType.FILE],
  symlink: [FileType.SYMLINK],
  device: [FileType.BLOCK_DEVICE, FileType.CHARACTER_DEVICE],
  fifo: [FileType.FIFO],
  socket: [FileType.SOCKET],
};

const UNLINKABLE: ReadonlySet<number> = new Set([
  Errno.EXDEV,
  Errno.EMLINK,
  Errno.EPERM,
  Errno.EOPNOTSUPP,
  Errno.ENOSYS,
]);

/** What may become of a hard link. */
export interface LinkLeave {
  /** Its file was to be restored. */
  readonly isTargetSelected: boolean;
  /** It may become a copy: the archive can be read at random. */
  readonly mayCopy: boolean;
  /** Its file is known to be lost, whatever stands in its place. */
  readonly isTargetLost?: boolean;
}

/** An error of the archive or of reading it, which no further entry can mend. */
class SourceFailure extends Error {
  override readonly name = "SourceFailure";
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super("Cannot read the archive", { cause });
    this.cause = cause;
  }
}

/** A directory on the way to the entry at hand. It is made when something in it is restored. */
interface Level {
  readonly name: string;
  readonly path: string;
  /** Undefined for a target directory that stays as it is. */
  readonly metadata: Metadata | undefined;
  state: "pending" | "open" | "failed";
}

/** What an entry of an archive is. */
export function factsOfEntry(entry: PxarEntry): EntryFacts {
  if (entry.kind !== "file") return entry;
  return { kind: "file", metadata: entry.metadata, size: entry.payload.size };
}

/** Reads further bytes of the content of the file at hand. @returns the count, 0 at the end */
export type ReadNext = (target: NativeBuffer, start: number, size: number) => number;

/** Restores entries in the order of the calls. */
export class Extraction {
  readonly #target: ExtractTarget;
  readonly #options: ExtractionOptions;
  readonly #report: ReportBuilder;
  readonly #levels: Level[] = [];
  /**
   * Regular files and directories that are not there as the archive has them, and why; without a
   * leading slash.
   */
  readonly #missing = new Map<string, Error>();
  readonly #passesMalformed: boolean;
  /** The regular file that was restored last. */
  #lastFile: { readonly name: string; readonly path: string; readonly size: number } | undefined;
  #nextProgress = PROGRESS_STEP_BYTES;

  /**
   * `passesMalformed` says that an entry which is malformed can be left behind, since the archive's
   * tables lead to the next one.
   */
  constructor(target: ExtractTarget, options: ExtractionOptions, passesMalformed: boolean) {
    this.#passesMalformed = passesMalformed;
    this.#target = target;
    this.#options = options;
    this.#report = new ReportBuilder(options.isStrict ?? false, options.onProblem);
  }

  /**
   * Runs `restore`, which calls this object for each entry, and closes the target.
   *
   * @throws what made it impossible to go on: a `FormatError` of the archive, an `OsError` of
   *   reading it; in strict mode the
   * first error of an entry
   */
  run(restore: (extraction: Extraction) => void): ExtractReport {
    try {
      restore(this);
    } catch (error) {
      throw error instanceof SourceFailure || error instanceof StrictStop ? error.cause : error;
    } finally {
      this.#target.close();
    }
    return this.#report;
  }

  /**
   * The target directory itself; comes first. It stays as it is when there are no metadata for it.
   */
  beginRoot(metadata: Metadata | undefined): void {
    this.#levels.push({ name: "", path: "/", metadata, state: "open" });
  }

  /** A directory begins. It is made now if it is `wanted`, else when something in it is. */
  enterDirectory(name: string, path: string, metadata: Metadata, wanted: boolean): void {
    const isParentFailed = this.#levels.at(-1)!.state === "failed";
    this.#levels.push({ name, path, metadata, state: isParentFailed ? "failed" : "pending" });
    if (wanted) this.#openDirectories();
  }

  /** The directory entered last ends. */
  leaveDirectory(): void {
    const { state, path, metadata } = this.#levels.pop()!;
    if (state !== "open") {
      this.#report.skippedCount++;
      return;
    }
    this.#attempt(path, "error", () => {
      checkType("directory", metadata, path);
      this.#target.leaveDirectory(metadata, path, this.#report);
    });
    this.#report.done("directory");
    this.#showProgress(path);
  }

  /** An entry that is not restored. */
  skip(): void {
    this.#report.skippedCount++;
  }

  /** Counts an error that is not one of restoring. */
  fail(path: string, error: Error): void {
    this.#report.add(path, "find", error, "error");
  }

  /**
   * Counts an entry that cannot be read, with all that is in it. No hard link is made to what
   * stands there.
   */
  lose(path: string, error: Error): void {
    this.#missing.set(path.slice(1), error);
    this.fail(path, error);
  }

  /** Takes the file at `path` back if it was the last one, since its content was something else. */
  misread(path: string, error: Error): void {
    if (this.#missing.has(path.slice(1))) return;
    const last = this.#lastFile;
    if (last?.path === path) {
      this.#attempt(path, "error", () => this.#target.removeFile(last.name, path));
      this.#report.takeBack("file", last.size);
    }
    this.lose(path, error);
  }

  /** Restores anything but a directory or a hard link. @returns whether it is there now */
  restoreEntry(name: string, path: string, entry: EntryFacts, read: ReadNext): boolean {
    const { kind, metadata } = entry;
    const { features } = this.#target;
    const isSwitchedOff = kind === "device" && !features.deviceNodes ||
      kind === "fifo" && !features.fifos || kind === "socket" && !features.sockets;
    if (isSwitchedOff || kind === "directory" || !this.#openDirectories()) {
      this.skip();
      return false;
    }
    const severity = kind === "device" && this.#options.ignoresDeviceErrors ? "warning" : "error";
    const { contentBytes } = this.#report;
    const failure = this.#attempt(path, severity, () => {
      checkName(name, path);
      checkType(kind, metadata, path);
      if (entry.kind === "file") {
        const { size } = entry;
        const content = this.#content(path, size, read);
        this.#target.createFile(name, path, metadata, content, this.#report);
        // Not every target reads contents.
        this.#report.contentBytes = contentBytes + size;
        this.#lastFile = { name, path, size };
      } else if (entry.kind === "symlink") {
        this.#target.createSymlink(name, path, metadata, entry.target, this.#report);
      } else if (entry.kind === "device") {
        const device = { major: entry.major, minor: entry.minor };
        this.#target.createSpecial(name, path, { metadata, device }, this.#report);
      } else {
        this.#target.createSpecial(name, path, { metadata }, this.#report);
      }
    });
    if (failure === undefined) this.#report.done(kind);
    else if (kind === "file") {
      this.#missing.set(path.slice(1), failure);
      this.#report.contentBytes = contentBytes;
    }
    this.#showProgress(path);
    return failure === undefined;
  }

  /**
   * Restores a further name of the regular file that was restored at `targetPath`, relative to the
   * target directory. What stands there instead of that file is never linked.
   *
   * @returns false when the name can only get a copy of the content, and that is in the link's
   *   leave: nothing is there then
   */
  restoreHardlink(name: string, path: string, targetPath: string, leave: LinkLeave): boolean {
    if (!this.#openDirectories()) {
      this.skip();
      return true;
    }
    let needsCopy = false;
    const failure = this.#attempt(path, "error", () => {
      checkName(name, path);
      checkTargetPath(path, targetPath);
      const target = JSON.stringify(`/${targetPath}`);
      if (!leave.isTargetSelected) {
        throw lacksContent(path, `${target}, which is not selected; select that too`);
      }
      const reason = this.#whyMissing(targetPath);
      if (leave.isTargetLost) throw lostTarget(path, target);
      needsCopy = leave.mayCopy && reason !== undefined && !isFaultOfArchive(reason);
      if (needsCopy) return;
      if (reason instanceof InTheWayError) {
        throw lacksContent(path, `${target}, where a ${reason.found} is in the way; make way`);
      }
      if (reason !== undefined) throw lostTarget(path, target);
      try {
        this.#target.createHardlink(name, path, targetPath);
      } catch (error) {
        needsCopy = leave.mayCopy && isUnlinkable(error);
        if (!needsCopy) throw error;
        this.#report.add(path, CREATE_HARDLINK, error as OsError, "warning");
      }
    });
    if (needsCopy) return false;
    if (failure === undefined) this.#report.done("hardlink");
    this.#showProgress(path);
    return true;
  }

  /**
   * Why a file is not there as the archive has it; undefined when it is, as far as this extraction
   * knows.
   */
  #whyMissing(path: string): Error | undefined {
    if (this.#missing.size === 0) return undefined;
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
      const reason = this.#missing.get(path.slice(0, end));
      if (reason !== undefined) return reason;
    }
    return this.#missing.get("");
  }

  /**
   * Makes the directories on the way that are not there yet. @returns false when one of them failed
   */
  #openDirectories(): boolean {
    const last = this.#levels.at(-1)!;
    if (last.state !== "pending") return last.state === "open";
    let isFailed = false;
    for (const level of this.#levels) {
      if (level.state === "pending" && !isFailed) {
        const failure = this.#attempt(level.path, "error", () => {
          checkName(level.name, level.path);
          checkType("directory", level.metadata, level.path);
          this.#target.enterDirectory(level.name, level.path);
        });
        level.state = failure === undefined ? "open" : "failed";
        if (failure !== undefined) this.#missing.set(level.path.slice(1), failure);
      }
      if (isFailed) level.state = "failed";
      isFailed = level.state === "failed";
    }
    return !isFailed;
  }

  /**
   * Content of a file; what goes wrong in reading it ends the extraction, unless it is damage in
   * one place, or of this file alone.
   */
  #content(path: string, size: number, read: ReadNext): EntryContent {
    const report = this.#report;
    let left = size;
    return {
      size,
      read: (target, start, size) => {
        const count = this.#readSource(() => {
          const count = read(target, start, size);
          if (count > 0 || left === 0) return count;
          throw new FormatError("Cannot read content: it ends before its size", {
            code: "truncated",
            path,
          });
        });
        left -= count;
        report.contentBytes += count;
        if (report.contentBytes >= this.#nextProgress) this.#showProgress(path);
        return count;
      },
    };
  }

  #readSource(read: () => number): number {
    try {
      return read();
    } catch (error) {
      if (this.#passesMalformed && isMalformed(error)) throw error;
      throw new SourceFailure(error);
    }
  }

  #showProgress(path: string): void {
    const { entryCount, contentBytes } = this.#report;
    this.#nextProgress = contentBytes + PROGRESS_STEP_BYTES;
    this.#options.onProgress?.({ path, entryCount, contentBytes });
  }

  /** Runs a step of an entry. @returns the failure, which is in the report then */
  #attempt(
    path: string,
    severity: ExtractProblem["severity"],
    run: () => void,
  ): Error | undefined {
    try {
      run();
      return undefined;
    } catch (thrown) {
      const error = thrown instanceof SourceFailure && isDamage(thrown.cause)
        ? thrown.cause
        : thrown;
      if (error instanceof SourceFailure || error instanceof StrictStop) throw error;
      if (!(error instanceof Failure)) throw error;
      this.#report.add(path, stepOf(error), error, severity);
      return error;
    }
  }
}

function stepOf(error: Error): string {
  return "call" in error ? (error as OsError).call : "restore";
}

function checkType(
  kind: PxarEntry["kind"],
  metadata: Metadata | undefined,
  path: string,
): void {
  if (metadata === undefined) return;
  const type = (metadata.mode & FileType.MASK) >>> 0;
  if (TYPE_OF_KIND[kind].includes(type)) return;
  throw new FormatError(`The entry is a ${kind} but its mode is ${metadata.mode.toString(8)}`, {
    code: "type-mismatch",
    path,
  });
}

function checkTargetPath(path: string, targetPath: string): void {
  const objection = targetPathObjection(targetPath);
  if (objection !== undefined) {
    throw new FormatError(
      `Cannot follow hard link to ${JSON.stringify(targetPath)}: ${objection}`,
      { code: "path-escape", path },
    );
  }
  if (path === `/${targetPath}`) {
    throw new FormatError("Cannot create hard link to itself", { code: "bad-hardlink", path });
  }
}

/** Whether a file is missing for what the archive is, not for where it is restored. */
function isFaultOfArchive(reason: Error): boolean {
  return reason instanceof FormatError || isDamage(reason);
}

function lostTarget(path: string, target: string): FormatError {
  return new FormatError(`Cannot create hard link: its target ${target} could not be restored`, {
    code: "bad-hardlink",
    path,
  });
}

function lacksContent(path: string, where: string): StateError {
  return new StateError(
    "not-found",
    `Cannot restore "${path}": it is a hard link, and its content lies before it as ${where}, ` +
      "or read the archive from a file, not a pipe",
  );
}

/**
 * Whether the file that is there can have no further name here: on another file system, or on one
 * without hard links.
 */
function isUnlinkable(error: unknown): boolean {
  return error instanceof OsError && error.call === CREATE_HARDLINK &&
    UNLINKABLE.has(error.errno);
}

/** Readers check names too; here it is what keeps an archive inside of the target. */
function checkName(name: string, path: string): void {
  if (name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name)) return;
  throw new FormatError("Cannot use file name: it means another place", {
    code: "bad-name",
    path,
  });
}

/**
 * The walk of the builder: every directory is open while its children are archived, and everything
 * is opened relative to it.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import { OsError, UsageError } from "#src/errors.ts";
import { Errno, HostStat } from "#ffi/libc/calls.ts";
import { pxarMetadata } from "../entry.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { PathPattern } from "../exclude/pattern.ts";
import { splitDeviceNumber } from "#src/bytes/device_number.ts";
import { DEPTH_MAX, PATH_SIZE_MAX, TARGET_SIZE_MAX } from "../format/limits.ts";
import { type EntryOffset, type EntryWriter, memoryEntry, type NewEntry } from "../new_entry.ts";
import { ChildLister, EXCLUDE_OPTIONS_NAME } from "./children.ts";
import { reportMissing } from "./failures.ts";
import { type BuildOptions, ENTRIES_MAX_DEFAULT } from "./options.ts";
import type { EntryKind } from "../report_counter.ts";
import type { BuildReportBuilder } from "./report.ts";
import {
  type BuildSource,
  type SourceDirectory,
  type SourceEntryName,
  statMetadata,
} from "./source.ts";
import { FileAdder } from "./source_entry.ts";

/** A directory whose children are being archived. */
interface Frame {
  readonly directory: SourceDirectory;
  /** Path from the source: empty for the source itself, else `/a/b`. */
  readonly path: string;
  readonly device: number;
  /** Patterns that were in force outside. */
  readonly patternCount: number;
  readonly names: readonly SourceEntryName[];
  next: number;
}

/** First name of a file with several. */
interface FirstName {
  readonly offset: EntryOffset;
  /** Path without a leading slash. */
  readonly path: string;
}

/** What is neither file nor directory. */
type OtherEntry = Extract<NewEntry, { kind: "symlink" | "device" | "fifo" | "socket" }>;

/**
 * Archives one directory. Frames instead of recursion: directories may lie deeper than the stack
 * reaches.
 */
export class DirectoryWalk {
  readonly #rootPath: string;
  readonly #source: BuildSource;
  readonly #report: BuildReportBuilder;
  readonly #options: BuildOptions;
  readonly #lister: ChildLister;
  readonly #files: FileAdder;
  readonly #stat = new HostStat();
  readonly #frames: Frame[] = [];
  /** File systems that are gone into; undefined for all. */
  readonly #devices: Set<number> | undefined;
  readonly #firstNames = new Map<string, FirstName>();

  constructor(
    rootPath: string,
    source: BuildSource,
    report: BuildReportBuilder,
    patterns: readonly PathPattern[],
    options: BuildOptions,
  ) {
    this.#rootPath = rootPath;
    this.#source = source;
    this.#report = report;
    this.#options = options;
    const entriesMax = options.entriesMax ?? ENTRIES_MAX_DEFAULT;
    this.#lister = new ChildLister(report, patterns, entriesMax);
    this.#files = new FileAdder(
      report,
      () => this.#frames[0]!.directory,
      (position) => this.#contentProgress(position),
    );
    this.#devices = options.allFileSystems === true ? undefined : new Set();
  }

  /**
   * Takes the open source directory.
   *
   * @returns its metadata
   * @throws {UsageError} when it belongs to a pseudo file system
   */
  enterRoot(directory: SourceDirectory, stat: HostStat): Metadata {
    try {
      if (directory.isPseudo?.() === true) {
        throw new UsageError(
          `Cannot archive "${this.#rootPath}": refusing to back up a virtual file system`,
        );
      }
      this.#allowDevices(stat.device);
      const metadata = directory.metadata(stat, this.#rootPath);
      this.#push(directory, "", stat.device);
      this.#report.done("directory");
      return metadata;
    } catch (error) {
      if (this.#frames.length === 0) directory.close();
      throw error;
    }
  }

  /**
   * Writes everything below the root. @param patterns text for the file with the patterns, if there
   * is one
   */
  run(writer: EntryWriter, patterns: string | undefined): void {
    while (true) {
      const frame = this.#frames.at(-1)!;
      if (frame.next < frame.names.length) {
        this.#add(writer, frame, frame.names[frame.next++]!);
        continue;
      }
      if (this.#frames.length === 1) break;
      this.#pop();
      writer.finishDirectory();
    }
    if (patterns !== undefined) this.#addExcludeOptions(writer, patterns);
  }

  /** The content of the present file is stored up to `position`. */
  #contentProgress(position: number): void {
    const { entryCount, contentBytes } = this.#report;
    this.#options.onProgress?.({ entryCount, contentBytes: contentBytes + position });
  }

  /** Closes what is still open. */
  close(): void {
    while (this.#frames.length > 0) this.#pop();
  }

  #allowDevices(root: number): void {
    if (this.#devices === undefined) return;
    this.#devices.add(root);
    const stat = new HostStat();
    for (const path of this.#options.includeDevices ?? []) {
      const directory = this.#source.openRoot(path, stat);
      if (typeof directory === "number") throw new OsError(-directory, "open", path);
      directory.close();
      this.#devices.add(stat.device);
    }
  }

  #push(directory: SourceDirectory, path: string, device: number): void {
    const patternCount = this.#lister.patternCount;
    const names = this.#lister.enter(directory, path);
    this.#frames.push({ directory, path, device, patternCount, names, next: 0 });
  }

  #pop(): void {
    const frame = this.#frames.pop()!;
    this.#lister.leave(frame.names.length, frame.patternCount);
    frame.directory.close();
  }

  #add(writer: EntryWriter, frame: Frame, item: SourceEntryName): void {
    if (this.#isTooDeep(frame, item)) {
      // Not a reason to stop: any user with write access to the source could prevent every backup.
      this.#report.add(
        "too-deep",
        `${frame.path}/${item.name}`,
        "Too deep or path too long, left out",
      );
      return;
    }
    if (item.type === EntryType.FILE) this.#addFile(writer, frame, item.name);
    else if (item.type === EntryType.DIRECTORY) this.#addDirectory(writer, frame, item.name);
    else this.#addOther(writer, frame, item);
  }

  /** Whether readers would refuse an archive with this entry. */
  #isTooDeep({ path }: Frame, { name, type }: SourceEntryName): boolean {
    if (type === EntryType.DIRECTORY && this.#frames.length >= DEPTH_MAX) return true;
    // A code unit takes up to three bytes.
    if (3 * (path.length + 1 + name.length) <= PATH_SIZE_MAX) return false;
    return encodeFileName(path).length + 1 + encodeFileName(name).length > PATH_SIZE_MAX;
  }

  #begin(path: string, kind: EntryKind): void {
    this.#options.onEntry?.(path, kind);
  }

  #done(kind: EntryKind): void {
    this.#report.done(kind);
    this.#options.onProgress?.(this.#report);
  }

  #addDirectory(writer: EntryWriter, frame: Frame, name: string): void {
    const stat = this.#stat;
    const path = `${frame.path}/${name}`;
    const directory = frame.directory.openDirectory(name, stat);
    if (typeof directory === "number") {
      reportMissing(this.#report, directory, "open", path);
      return;
    }
    const { device } = stat;
    let isEntered = false;
    try {
      this.#begin(path, "directory");
      writer.add(name, { kind: "directory", metadata: directory.metadata(stat, path) });
      if (this.#goesInto(directory, device, frame.device, path)) {
        this.#push(directory, path, device);
        isEntered = true;
      } else {
        writer.finishDirectory();
      }
      this.#done("directory");
    } finally {
      if (!isEntered) directory.close();
    }
  }

  #goesInto(
    directory: SourceDirectory,
    device: number,
    parentDevice: number,
    path: string,
  ): boolean {
    if (device === parentDevice) return true;
    if (this.#devices !== undefined && !this.#devices.has(device)) {
      this.#report.add("mount-point", path, "Skipping mount point");
      return false;
    }
    if (directory.isPseudo?.() !== true) return true;
    this.#report.add("mount-point", path, "Skipping virtual file system");
    return false;
  }

  #addFile(writer: EntryWriter, frame: Frame, name: string): void {
    const stat = this.#stat;
    const file = frame.directory.openFile(name, stat);
    if (typeof file === "number") {
      reportMissing(this.#report, file, "open", `${frame.path}/${name}`);
      return;
    }
    try {
      const path = `${frame.path}/${name}`;
      if (stat.nlink > 1 && this.#addHardlink(writer, name, path)) return;
      this.#begin(path, "file");
      const { size, nlink, device, ino } = stat;
      const offset = this.#files.add(writer, file, name, path, stat);
      if (nlink > 1) this.#rememberName(device, ino, path, offset);
      this.#report.contentBytes += size;
      this.#done("file");
    } finally {
      file.close();
    }
  }

  /** @returns false when this is the file's first name */
  #addHardlink(writer: EntryWriter, name: string, path: string): boolean {
    const first = this.#firstNames.get(`${this.#stat.device}:${this.#stat.ino}`);
    if (first === undefined) return false;
    this.#begin(path, "hardlink");
    writer.add(name, { kind: "hardlink", targetPath: first.path, target: first.offset });
    this.#done("hardlink");
    return true;
  }

  #rememberName(device: number, ino: number, path: string, offset: EntryOffset): void {
    // A path that no HARDLINK item can hold: the further names are stored in full.
    if (encodeFileName(path).length > TARGET_SIZE_MAX) return;
    this.#firstNames.set(`${device}:${ino}`, { offset, path: path.slice(1) });
  }

  /**
   * Adds what is neither file nor directory. None of these is opened: what they have beside stat(2)
   * is not archived.
   */
  #addOther(writer: EntryWriter, frame: Frame, { name, type }: SourceEntryName): void {
    const stat = this.#stat;
    const path = `${frame.path}/${name}`;
    const result = frame.directory.stat(name, stat);
    if (result < 0 || entryType(stat.mode) !== type) {
      reportMissing(this.#report, result < 0 ? result : -Errno.EINVAL, "stat", path);
      return;
    }
    const entry = this.#otherEntry(frame.directory, name, path);
    if (typeof entry === "number") {
      reportMissing(this.#report, entry, "read link", path);
      return;
    }
    this.#begin(path, entry.kind);
    writer.add(name, entry);
    this.#done(entry.kind);
  }

  /** What is neither file nor directory, as its attributes say. @returns a negative errno else */
  #otherEntry(directory: SourceDirectory, name: string, path: string): OtherEntry | number {
    const metadata = statMetadata(this.#stat);
    switch (entryType(metadata.mode)) {
      case EntryType.SYMLINK: {
        const target = directory.readLink(name);
        return typeof target === "number" ? target : { kind: "symlink", metadata, target };
      }
      case EntryType.CHARACTER_DEVICE:
      case EntryType.BLOCK_DEVICE:
        return { kind: "device", metadata, ...splitDeviceNumber(BigInt(this.#stat.rdev)) };
      case EntryType.FIFO:
        return { kind: "fifo", metadata };
      case EntryType.SOCKET:
        return { kind: "socket", metadata };
      default:
        throw new UsageError(`Cannot archive "${path}": unknown type of file`);
    }
  }

  #addExcludeOptions(writer: EntryWriter, patterns: string): void {
    const content = encodeFileName(patterns);
    const { uid, gid } = this.#source;
    this.#begin(`/${EXCLUDE_OPTIONS_NAME}`, "file");
    const metadata = pxarMetadata("file", { mode: 0o600, uid, gid });
    writer.add(EXCLUDE_OPTIONS_NAME, memoryEntry(metadata, content));
    this.#report.contentBytes += content.length;
    this.#done("file");
  }
}

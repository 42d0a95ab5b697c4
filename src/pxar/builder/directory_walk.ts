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
import type { EntryOffset } from "../encoder.ts";
import type { PxarMetadata } from "../entry.ts";
import type { PathPattern } from "../exclude/pattern.ts";
import { splitDeviceNumber } from "../format/device.ts";
import { DEPTH_MAX, PATH_SIZE_MAX, TARGET_SIZE_MAX } from "../format/limits.ts";
import { ChildLister, EXCLUDE_OPTIONS_NAME } from "./children.ts";
import type { EntryWriter } from "./entry_writer.ts";
import { reportMissing } from "./failures.ts";
import { type BuildOptions, ENTRIES_MAX_DEFAULT } from "./options.ts";
import type { BuildEntryKind, BuildReportBuilder } from "./report.ts";
import { type BuildSource, type SourceDirectory, type SourceName, statMetadata } from "./source.ts";
import { FileAdder, SourceFile } from "./source_file.ts";

/** A directory whose children are being archived. */
interface Frame {
  readonly directory: SourceDirectory;
  /** Path from the source: empty for the source itself, else `/a/b`. */
  readonly path: string;
  readonly device: number;
  /** Patterns that were in force outside. */
  readonly patternCount: number;
  readonly names: readonly SourceName[];
  next: number;
}

/** First name of a file with several. */
interface FirstName {
  readonly offset: EntryOffset;
  /** Path without a leading slash. */
  readonly path: string;
}

/** Mode of the file with the patterns: regular, 0600. */
const EXCLUDE_OPTIONS_MODE = 0o100600;

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
    this.#lister = new ChildLister(source, report, patterns, entriesMax);
    this.#files = new FileAdder(
      source,
      report,
      (path, stat) => this.#frames[0]!.directory.openFileBelow(path, stat),
      (position) => this.contentProgress(position),
    );
    this.#devices = options.allFileSystems === true ? undefined : new Set();
  }

  /**
   * Takes the open source directory.
   *
   * @returns its metadata
   * @throws {UsageError} when it belongs to a pseudo file system
   */
  enterRoot(directory: SourceDirectory, stat: HostStat): PxarMetadata {
    try {
      if (directory.isPseudo()) {
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
  contentProgress(position: number): void {
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

  #add(writer: EntryWriter, frame: Frame, item: SourceName): void {
    if (this.#isTooDeep(frame, item)) {
      // Not a reason to stop: whoever may write to the source could prevent every backup.
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
  #isTooDeep({ path }: Frame, { name, type }: SourceName): boolean {
    if (type === EntryType.DIRECTORY && this.#frames.length >= DEPTH_MAX) return true;
    // A code unit takes up to three bytes.
    if (3 * (path.length + 1 + name.length) <= PATH_SIZE_MAX) return false;
    return encodeFileName(path).length + 1 + encodeFileName(name).length > PATH_SIZE_MAX;
  }

  #begin(path: string, kind: BuildEntryKind): void {
    this.#options.onEntry?.(path, kind);
  }

  #done(kind: BuildEntryKind): void {
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
      writer.startDirectory(name, directory.metadata(stat, path));
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
    if (!directory.isPseudo()) return true;
    this.#report.add("mount-point", path, "Skipping virtual file system");
    return false;
  }

  #addFile(writer: EntryWriter, frame: Frame, name: string): void {
    const stat = this.#stat;
    const fd = frame.directory.openFile(name, stat);
    if (fd < 0) {
      reportMissing(this.#report, fd, "open", `${frame.path}/${name}`);
      return;
    }
    try {
      const path = `${frame.path}/${name}`;
      if (stat.nlink > 1 && this.#addHardlink(writer, name, path)) return;
      this.#begin(path, "file");
      const { size, blocks, nlink, device, ino } = stat;
      const metadata = this.#source.metadata(fd, stat, path);
      let offset: EntryOffset | undefined;
      if (writer.takeFile !== undefined) {
        offset = writer.takeFile(
          new SourceFile(this.#files, name, path, metadata, size, nlink),
        );
      }
      offset ??= this.#files.add(writer, fd, name, path, metadata, size, blocks);
      if (nlink > 1) this.#rememberName(device, ino, path, offset);
      this.#report.contentBytes += size;
      this.#done("file");
    } finally {
      this.#source.closeFile(fd);
    }
  }

  /** @returns false when this is the file's first name */
  #addHardlink(writer: EntryWriter, name: string, path: string): boolean {
    const first = this.#firstNames.get(`${this.#stat.device}:${this.#stat.ino}`);
    if (first === undefined) return false;
    this.#begin(path, "hardlink");
    writer.addHardlink(name, first.path, first.offset);
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
  #addOther(writer: EntryWriter, frame: Frame, { name, type }: SourceName): void {
    const stat = this.#stat;
    const path = `${frame.path}/${name}`;
    const result = frame.directory.stat(name, stat);
    if (result < 0 || entryType(stat.mode) !== type) {
      reportMissing(this.#report, result < 0 ? result : -Errno.EINVAL, "stat", path);
      return;
    }
    const metadata = statMetadata(stat);
    const kind = this.#addNode(writer, frame.directory, name, path, metadata);
    if (kind !== undefined) this.#done(kind);
  }

  #addNode(
    writer: EntryWriter,
    directory: SourceDirectory,
    name: string,
    path: string,
    metadata: PxarMetadata,
  ): BuildEntryKind | undefined {
    switch (entryType(metadata.mode)) {
      case EntryType.SYMLINK: {
        const target = directory.readLink(name);
        if (typeof target === "number") {
          reportMissing(this.#report, target, "read link", path);
          return undefined;
        }
        this.#begin(path, "symlink");
        writer.addSymlink(name, metadata, target);
        return "symlink";
      }
      case EntryType.CHARACTER_DEVICE:
      case EntryType.BLOCK_DEVICE: {
        this.#begin(path, "device");
        const { major, minor } = splitDeviceNumber(BigInt(this.#stat.rdev));
        writer.addDevice(name, metadata, major, minor);
        return "device";
      }
      case EntryType.FIFO:
        this.#begin(path, "fifo");
        writer.addFifo(name, metadata);
        return "fifo";
      case EntryType.SOCKET:
        this.#begin(path, "socket");
        writer.addSocket(name, metadata);
        return "socket";
      default:
        throw new UsageError(`Cannot archive "${path}": unknown type of file`);
    }
  }

  #addExcludeOptions(writer: EntryWriter, patterns: string): void {
    const content = encodeFileName(patterns);
    const metadata: PxarMetadata = {
      ...statMetadata(new HostStat()),
      mode: EXCLUDE_OPTIONS_MODE,
      uid: this.#source.uid,
      gid: this.#source.gid,
    };
    this.#begin(`/${EXCLUDE_OPTIONS_NAME}`, "file");
    writer.addFile(EXCLUDE_OPTIONS_NAME, metadata, content.length, content);
    this.#report.contentBytes += content.length;
    this.#done("file");
  }
}

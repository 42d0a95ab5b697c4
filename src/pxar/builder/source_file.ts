/**
 * Open regular files on their way into an archive.
 *
 * @module
 */

import { describeErrno, HostStat } from "#ffi/libc/calls.ts";
import type { EntryOffset, PxarEncoder } from "../encoder.ts";
import type { PxarMetadata } from "../entry.ts";
import { reportMissing } from "./failures.ts";
import { FileContentReader } from "./file_content.ts";
import type { BuildReportBuilder } from "./report.ts";
import type { BuildSource } from "./source.ts";

/**
 * From this size on the sink may take a file itself, for which the encoder has to hand over first
 * what it has gathered.
 */
const COPIED_SIZE_MIN = 1 << 20;

/** What files are added to: the part of {@link PxarEncoder} that takes contents. */
export type FileWriter = Pick<PxarEncoder, "addFile" | "addFileFromFd">;

/**
 * Opens a regular file at a path below the source directory (`a/b`). @returns a descriptor, or a
 * negative errno
 */
export type OpenFileBelow = (path: string, stat: HostStat) => number;

/** Adds one file after the other, and reports those that change meanwhile or cannot be read. */
export class FileAdder {
  readonly #source: BuildSource;
  readonly #report: BuildReportBuilder;
  readonly #content: FileContentReader;
  readonly #openBelow: OpenFileBelow;
  readonly #stat = new HostStat();
  readonly #rest = (taken: number): FileContentReader => this.#content.from(taken);

  /** @param onProgress is called with the position now and then in long files */
  constructor(
    source: BuildSource,
    report: BuildReportBuilder,
    openBelow: OpenFileBelow,
    onProgress: (position: number) => void,
  ) {
    this.#source = source;
    this.#report = report;
    this.#openBelow = openBelow;
    this.#content = new FileContentReader(source, onProgress);
  }

  /**
   * Adds an open file with what its size was when it was opened. What cannot be read is zeros, and
   * reported.
   */
  add(
    writer: FileWriter,
    fd: number,
    name: string,
    path: string,
    metadata: PxarMetadata,
    size: number,
    blocks: number,
  ): EntryOffset {
    this.#content.open(fd, size, blocks, path);
    const offset = size < COPIED_SIZE_MIN
      ? writer.addFile(name, metadata, size, this.#content)
      : writer.addFileFromFd(name, metadata, size, fd, 0, this.#rest);
    this.#reportOutcome(size, path);
    return offset;
  }

  /**
   * Opens a file again and adds it as it is now. One that has vanished is reported.
   *
   * @returns undefined when it cannot be opened
   */
  addAgain(writer: FileWriter, file: SourceFile): EntryOffset | undefined {
    const { name, path } = file;
    const stat = this.#stat;
    const fd = this.#openBelow(path.slice(1), stat);
    if (fd < 0) {
      reportMissing(this.#report, fd, "open", path);
      this.#report.contentBytes -= file.size;
      this.#takeBack("file");
      return undefined;
    }
    try {
      const { size, blocks } = stat;
      const metadata = this.#source.metadata(fd, stat, path);
      this.#report.contentBytes += size - file.size;
      return this.add(writer, fd, name, path, metadata, size, blocks);
    } finally {
      this.#source.closeFile(fd);
    }
  }

  /** Reports a name of a file that could not be added. */
  loseLink(path: string, name: string): void {
    this.#report.add("lost-link", path, `Vanished, and with it its further name "${name}"`);
    this.#takeBack("hardlink");
  }

  /** An entry that was counted as stored is not. */
  #takeBack(kind: "file" | "hardlink"): void {
    this.#report.counts[kind]--;
    this.#report.entryCount--;
  }

  #reportOutcome(size: number, path: string): void {
    const { failure } = this.#content;
    if (failure !== undefined) {
      const { errno, offset, lostBytes } = failure;
      this.#report.add(
        "incomplete",
        path,
        `Cannot read at offset ${offset}: ${describeErrno(errno)}, ` +
          `${lostBytes} of ${size} bytes are zeros in the archive`,
      );
    }
    const change = this.#content.change();
    if (change === "shrunk") {
      this.#report.add(
        "shrunk",
        path,
        `File size shrunk while reading, padded with zeros to ${size} bytes`,
      );
    } else if (change === "grown") {
      this.#report.add("grown", path, `File size grew while reading, cut to ${size} bytes`);
    }
  }
}

/** A regular file that was found, and may be added later. */
export class SourceFile {
  /** Last part of `path`. */
  readonly name: string;
  /** Path from the source directory, `/a/b`. */
  readonly path: string;
  /** As it was when the file was found: the archive gets this, whatever happens later. */
  readonly metadata: PxarMetadata;
  /** Length in bytes. */
  readonly size: number;
  /** Number of names, also of those outside of the source directory. */
  readonly linkCount: number;
  readonly #files: FileAdder;

  /** Made by {@link FileAdder}, which opens the content when it is added. */
  constructor(
    files: FileAdder,
    name: string,
    path: string,
    metadata: PxarMetadata,
    size: number,
    linkCount: number,
  ) {
    this.#files = files;
    this.name = name;
    this.path = path;
    this.metadata = metadata;
    this.size = size;
    this.linkCount = linkCount;
  }

  /**
   * Adds the file with its content, and with the metadata it has by now.
   *
   * @returns undefined when it has vanished meanwhile, which is in the report then
   */
  addTo(writer: FileWriter): EntryOffset | undefined {
    return this.#files.addAgain(writer, this);
  }

  /** Reports that a further name of the file is left out, because the file could not be added. */
  loseLink(name: string): void {
    this.#files.loseLink(this.path, name);
  }
}

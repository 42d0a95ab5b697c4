/**
 * Regular files of the source on their way into an archive.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { describeErrno, HostStat } from "#ffi/libc/calls.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { EntryOffset, EntryWriter, NewFile, PxarContent } from "../new_entry.ts";
import { reportMissing } from "./failures.ts";
import { FileContentReader } from "./file_content.ts";
import type { BuildReportBuilder } from "./report.ts";
import type { SourceDirectory, SourceFile } from "./source.ts";

/** Adds one file after the other, and reports those that change meanwhile or cannot be read. */
export class FileAdder {
  readonly #report: BuildReportBuilder;
  readonly #content: FileContentReader;
  readonly #root: () => SourceDirectory;
  readonly #stat = new HostStat();

  /**
   * @param root gives the source directory
   * @param onProgress is called with the position now and then in long files
   */
  constructor(
    report: BuildReportBuilder,
    root: () => SourceDirectory,
    onProgress: (position: number) => void,
  ) {
    this.#report = report;
    this.#root = root;
    this.#content = new FileContentReader(onProgress);
  }

  /**
   * Adds an open file with what its size was when it was opened. What cannot be read is zeros, and
   * reported.
   */
  add(
    writer: EntryWriter,
    file: SourceFile,
    name: string,
    path: string,
    stat: HostStat,
  ): EntryOffset {
    const { size, blocks, nlink } = stat;
    const metadata = file.metadata(stat, path);
    let [isRead, isOver] = [false, false];
    const open = () => {
      if (isOver) throw new UsageError(`Cannot read "${path}" by now: it is closed`);
      isRead = true;
      return this.#content.start(file, size, blocks, path);
    };
    const entry = new SourceEntry(this, name, path, metadata, size, nlink, open);
    const offset = writer.add(name, entry);
    isOver = true;
    if (isRead) this.#reportOutcome(size, path);
    return offset;
  }

  /**
   * Opens a file again and adds it as it is now. One that has vanished is reported.
   *
   * @returns undefined when it cannot be opened
   */
  addAgain(writer: EntryWriter, entry: SourceEntry): EntryOffset | undefined {
    const { name, path } = entry;
    const stat = this.#stat;
    const file = this.#openBelow(path.slice(1), stat);
    if (typeof file === "number") {
      reportMissing(this.#report, file, "open", path);
      this.#report.contentBytes -= entry.size;
      this.#takeBack("file");
      return undefined;
    }
    try {
      this.#report.contentBytes += stat.size - entry.size;
      return this.add(writer, file, name, path, stat);
    } finally {
      file.close();
    }
  }

  /** Reports a name of a file that could not be added. */
  loseLink(path: string, name: string): void {
    this.#report.add("lost-link", path, `Vanished, and with it its further name "${name}"`);
    this.#takeBack("hardlink");
  }

  /** Opens the file at `path` name by name, so that neither a link nor its length matters. */
  #openBelow(path: string, stat: HostStat): SourceFile | number {
    const root = this.#root();
    const found = root.openFileBelow?.(path, stat);
    if (found !== undefined) return found;
    const names = path.split("/");
    const name = names.pop()!;
    let directory = root;
    try {
      for (const next of names) {
        const child = directory.openDirectory(next, stat);
        if (typeof child === "number") return child;
        if (directory !== root) directory.close();
        directory = child;
      }
      return directory.openFile(name, stat);
    } finally {
      if (directory !== root) directory.close();
    }
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

/**
 * A regular file that was found. It is open while it is added; a writer that does not read it then
 * may have it opened again later.
 */
export class SourceEntry implements NewFile {
  /** Tells it from other entries. */
  readonly kind = "file";
  /** Name in its directory. */
  readonly name: string;
  /** Path from the source directory, `/a/b`. */
  readonly path: string;
  /** As it was when the file was found. */
  readonly metadata: Metadata;
  /** Length in bytes when it was found. */
  readonly size: number;
  /** Number of names, also of those outside of the source directory. */
  readonly linkCount: number;
  /** See {@link NewFile.open}; only while it is added. */
  readonly open: () => PxarContent;
  readonly #files: FileAdder;

  /** Made by {@link FileAdder}, which opens the content when it is added. */
  constructor(
    files: FileAdder,
    name: string,
    path: string,
    metadata: Metadata,
    size: number,
    linkCount: number,
    open: () => PxarContent,
  ) {
    this.#files = files;
    this.name = name;
    this.path = path;
    this.metadata = metadata;
    this.size = size;
    this.linkCount = linkCount;
    this.open = open;
  }

  /**
   * Adds the file later, with its content, and with the metadata it has by then.
   *
   * @returns undefined when it has vanished meanwhile, which is in the report then
   */
  addTo(writer: EntryWriter): EntryOffset | undefined {
    return this.#files.addAgain(writer, this);
  }

  /** Reports that a further name of the file is left out, because the file could not be added. */
  loseLink(name: string): void {
    this.#files.loseLink(this.path, name);
  }
}

/**
 * Open regular files on their way into an archive.
 *
 * @module
 */

import type { EntryOffset, PxarEncoder } from "../encoder.ts";
import type { PxarMetadata } from "../entry.ts";
import { FileContentReader } from "./file_content.ts";
import type { BuildReportBuilder } from "./report.ts";
import type { BuildSource } from "./source.ts";

/** From this size on the sink may take a file itself, for which the encoder has to hand over first what it has gathered. */
const COPIED_SIZE_MIN = 1 << 20;

/** What files are added to: the part of {@link PxarEncoder} that takes contents. */
export type FileWriter = Pick<PxarEncoder, "addFile" | "addFileFromFd">;

/** Adds one file after the other, and reports those that change meanwhile. */
export class FileAdder {
  readonly #source: BuildSource;
  readonly #report: BuildReportBuilder;
  readonly #content: FileContentReader;
  readonly #rest = (taken: number): FileContentReader => this.#content.from(taken);

  /** @param onProgress is called with the position now and then in long files */
  constructor(
    source: BuildSource,
    report: BuildReportBuilder,
    onProgress: (position: number) => void,
  ) {
    this.#source = source;
    this.#report = report;
    this.#content = new FileContentReader(source, onProgress);
  }

  /** Adds an open file with what its size was when it was opened. @throws {OsError} when it cannot be read */
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
    this.#reportChange(size, path);
    return offset;
  }

  /** Closes a file. */
  close(fd: number): void {
    this.#source.closeFile(fd);
  }

  #reportChange(size: number, path: string): void {
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

/** A regular file whose content was not read yet. Its metadata are those of the time when it was opened. */
export class SourceFile {
  readonly name: string;
  /** Path from the source directory, `/a/b`. */
  readonly path: string;
  readonly metadata: PxarMetadata;
  /** Length in bytes. */
  readonly size: number;
  /** Number of names, also of those outside of the source directory. */
  readonly linkCount: number;
  readonly #files: FileAdder;
  readonly #blocks: number;
  #fd: number;

  /** @param blocks number of 512 bytes that are stored */
  constructor(
    files: FileAdder,
    fd: number,
    name: string,
    path: string,
    metadata: PxarMetadata,
    size: number,
    blocks: number,
    linkCount: number,
  ) {
    this.#files = files;
    this.#fd = fd;
    this.name = name;
    this.path = path;
    this.metadata = metadata;
    this.size = size;
    this.linkCount = linkCount;
    this.#blocks = blocks;
  }

  /** Adds the file with its content. @throws {OsError} when it cannot be read */
  addTo(writer: FileWriter): EntryOffset {
    const { name, path, metadata, size } = this;
    return this.#files.add(writer, this.#fd, name, path, metadata, size, this.#blocks);
  }

  /** Closes the file. Only the first call does something. */
  close(): void {
    if (this.#fd < 0) return;
    this.#files.close(this.#fd);
    this.#fd = -1;
  }
}

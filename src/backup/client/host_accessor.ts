/**
 * Files of a `BuildSource`, such as those of this computer, by their paths.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { OsError } from "#src/errors.ts";
import { HostStat } from "#ffi/libc/calls.ts";
import { type HostSource, hostSource } from "#src/pxar/builder/host_source.ts";
import { BuildReportBuilder } from "#src/pxar/builder/report.ts";
import {
  type BuildSource,
  type DataExtent,
  type SourceDirectory,
  type SourceEntryName,
  type SourceFile,
  statMetadata,
} from "#src/pxar/builder/source.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { AccessedFile, FileSystemAccessor } from "./file_system_accessor.ts";
import {
  type AttributeProblem,
  type ClientCapabilities,
  type ClientDirectory,
  type ClientEntry,
  type ClientFailure,
  type ClientPage,
  type ContentPiece,
  type ContentRange,
  PAGE_ENTRIES_MAX,
} from "./provider.ts";

/** Bytes of content that are handed over at a time. */
const PIECE_SIZE = 256 << 10;
/** Below this, looking for holes costs more than reading zeros. */
const SPARSE_SIZE_MIN = 128 << 10;
/** Unit of `st_blocks`. */
const BLOCK_SIZE = 512;

/** How files are reached. */
export interface HostAccessorOptions {
  /** Default: as this process can, by system calls or by the runtime. */
  readonly source?: HostSource;
  /** Whether extended attributes, and with them capabilities and ACLs, are read. Default: true. */
  readonly xattrs?: boolean;
}

/** Files that a source reaches. */
export class HostAccessor implements FileSystemAccessor {
  readonly #host: HostSource;
  readonly #source: BuildSource;
  readonly #stat = new HostStat();
  /** Bytes of the piece at hand. */
  #piece: Uint8Array<ArrayBuffer> | undefined;
  /** Of the entry at hand. */
  #problems: AttributeProblem[] = [];

  /** Files of the host, unless another source is given. */
  constructor({ source = hostSource, xattrs = true }: HostAccessorOptions = {}) {
    this.#host = source;
    const add = (message: string, isTooLarge: boolean) =>
      this.#problems.push({ message, isTooLarge });
    this.#source = source.make(
      {
        xattrs,
        fcaps: xattrs,
        acls: xattrs,
        skipsLargeXattrs: true,
        onLargeXattr: (message) => add(message, true),
      },
      new BuildReportBuilder(({ message }) => add(message, false)),
    );
  }

  /** See {@link FileSystemAccessor.capabilities}. */
  capabilities(): ClientCapabilities {
    const { knownFields, mtimePrecisionNs } = this.#host;
    const { uid, gid } = this.#source;
    return { knownFields, mtimePrecisionNs, uid, gid };
  }

  /** See {@link FileSystemAccessor.stat}. */
  stat(path: string): ClientEntry {
    const [parent, name] = splitPath(path);
    using directory = this.#open(name === "" ? path : parent);
    if (name === "") return this.#entryOf(name, directory.metadata(this.#stat, path));
    const entry = this.#look(directory, parent, name, EntryType.UNKNOWN);
    if (typeof entry === "number") throw new OsError(-entry, "stat", path);
    return entry;
  }

  /** See {@link FileSystemAccessor.readDirectory}. */
  *readDirectory(path: string): Generator<ClientPage> {
    using directory = this.#open(path);
    const entry = this.#entryOf(splitPath(path)[1], directory.metadata(this.#stat, path));
    const names: SourceEntryName[] = [];
    const result = directory.list((name, type) => names.push({ name, type }));
    let self: ClientDirectory | undefined = { entry, isPseudo: directory.isPseudo?.() ?? false };
    for (let start = 0; start < names.length || self !== undefined; start += PAGE_ENTRIES_MAX) {
      const entries: ClientEntry[] = [];
      const failures: ClientFailure[] = [];
      for (const { name, type } of names.slice(start, start + PAGE_ENTRIES_MAX)) {
        const found = this.#look(directory, path, name, type);
        if (typeof found !== "number") entries.push(found);
        else failures.push({ name, errno: -found });
      }
      yield { entries, failures, self };
      self = undefined;
    }
    // What was listed before it failed is there.
    if (result < 0) throw new OsError(-result, "list", path);
  }

  /** See {@link FileSystemAccessor.readFile}. */
  readFile(path: string, range: ContentRange): AccessedFile {
    const [parent, name] = splitPath(path);
    using directory = this.#open(parent);
    const file = directory.openFile(name, this.#stat);
    if (typeof file === "number") throw new OsError(-file, "open", path);
    try {
      const entry = this.#entryOf(name, file.metadata(this.#stat, path));
      const piece = this.#piece ??= new Uint8Array(PIECE_SIZE);
      return { entry, content: contentOf(file, path, range, entry, piece) };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Opens a directory, whose attributes are in {@link #stat} then. */
  #open(path: string): SourceDirectory & Disposable {
    const directory = this.#source.openRoot(path, this.#stat);
    if (typeof directory === "number") throw new OsError(-directory, "open", path);
    return Object.assign(directory, { [Symbol.dispose]: () => directory.close() });
  }

  /** Finds out what is under a name. @returns a negative errno where it cannot be looked at */
  #look(
    directory: SourceDirectory,
    parent: string,
    name: string,
    listedType: number,
  ): ClientEntry | number {
    const stat = this.#stat;
    let type = listedType;
    if (type !== EntryType.FILE && type !== EntryType.DIRECTORY) {
      const result = directory.stat(name, stat);
      if (result < 0) return result;
      type = entryType(stat.mode);
    }
    const path = `${parent === "/" ? "" : parent}/${name}`;
    if (type === EntryType.FILE || type === EntryType.DIRECTORY) {
      const opened = type === EntryType.FILE
        ? directory.openFile(name, stat)
        : directory.openDirectory(name, stat);
      if (typeof opened === "number") return this.#closed(directory, name, -opened);
      try {
        return this.#entryOf(name, opened.metadata(stat, path));
      } finally {
        opened.close();
      }
    }
    const target = type === EntryType.SYMLINK ? directory.readLink(name) : undefined;
    if (typeof target === "number") return target;
    return this.#entryOf(name, statMetadata(stat), { target });
  }

  /** What is known of what could not be opened. */
  #closed(directory: SourceDirectory, name: string, openErrno: number): ClientEntry | number {
    const result = directory.stat(name, this.#stat);
    return result < 0 ? result : this.#entryOf(name, statMetadata(this.#stat), { openErrno });
  }

  /** The entry whose attributes are in {@link #stat}. */
  #entryOf(
    name: string,
    metadata: Metadata,
    { target, openErrno }: { target?: string | undefined; openErrno?: number } = {},
  ): ClientEntry {
    const { nlink, ino, device, size, blocks, rdev, ctimeSeconds } = this.#stat;
    const problems = this.#problems;
    if (problems.length > 0) this.#problems = [];
    return {
      name,
      metadata,
      linkCount: nlink,
      ino,
      device,
      sizeBytes: size,
      blocks,
      rdev,
      ctimeSeconds,
      target,
      openErrno,
      problems,
    };
  }
}

/** Directory and last name of an absolute path; the name of the root is empty. */
function splitPath(path: string): [parent: string, name: string] {
  const end = path.lastIndexOf("/");
  return [path.slice(0, end) || "/", path.slice(end + 1)];
}

/** Reads a file and closes it. @param buffer holds each piece until the next one */
function* contentOf(
  file: SourceFile,
  path: string,
  { offsetBytes, lengthBytes }: ContentRange,
  { sizeBytes, blocks }: ClientEntry,
  buffer: Uint8Array<ArrayBuffer>,
): Generator<ContentPiece> {
  try {
    const end = lengthBytes === "all" ? Infinity : offsetBytes + lengthBytes;
    const extent: DataExtent = { start: 0, end: 0 };
    let hasHoles = sizeBytes >= SPARSE_SIZE_MIN && blocks * BLOCK_SIZE < sizeBytes;
    for (let position = offsetBytes; position < end;) {
      if (hasHoles && position >= extent.end) {
        hasHoles = file.findData?.(position, extent) ?? false;
      }
      const holeEnd = hasHoles ? Math.min(extent.start, end, sizeBytes) : position;
      if (holeEnd > position) {
        yield { holeBytes: holeEnd - position };
        position = holeEnd;
        continue;
      }
      const size = Math.min(PIECE_SIZE, end - position, Math.max(sizeBytes - position, 1) + 1);
      const count = file.read(buffer.subarray(0, size), position);
      if (count < 0) throw new OsError(-count, "read", path);
      if (count === 0) return;
      yield buffer.subarray(0, count);
      position += count;
    }
  } finally {
    file.close();
  }
}

/**
 * Writes archives, byte for byte as the reference does: version 1, or version 2 with a payload
 * stream.
 *
 * @module
 */

import { LimitError, UsageError } from "#src/errors.ts";
import type { Sink } from "#src/io/streams.ts";
import { FileType } from "#src/tree/node.ts";
import {
  beginItem,
  writeDevice,
  writeMetadata,
  writePayloadHeader,
  writePayloadReference,
} from "./writing/entry_writer.ts";
import { OutputBuffer } from "./writing/output_buffer.ts";
import { NameCheck } from "./writing/name_check.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { filenameHash } from "./format/filename_hash.ts";
import { GoodbyeBuilder } from "./format/goodbye.ts";
import { encodeHeader, HEADER_SIZE, Item } from "./format/item.ts";
import { DEPTH_MAX, PATH_SIZE_MAX, PRELUDE_SIZE_MAX } from "./format/limits.ts";
import { encodeName, encodeTarget, targetPathObjection } from "./format/name.ts";
import type {
  EntryOffset,
  EntryWriter,
  NewEntry,
  NewFile,
  NewHardlink,
  NewReference,
  PxarContent,
  PxarSizes,
} from "./new_entry.ts";

/** What an archive is made with. */
export interface PxarEncoderOptions {
  /** Metadata of the root directory. */
  readonly root: Metadata;
  /** Where the payload stream goes; given, the archive is of version 2. */
  readonly payload?: Sink | undefined;
  /** Content of the PRELUDE, version 2 only. */
  readonly prelude?: Uint8Array | undefined;
}

/** A directory that is not finished. */
interface OpenDirectory {
  readonly goodbye: GoodbyeBuilder;
  readonly names: NameCheck;
  /** Offset of its FILENAME header, and the hash of its name. */
  readonly start: number;
  readonly hashHigh: number;
  readonly hashLow: number;
  /** Offset of its ENTRY header. */
  readonly entryOffset: number;
  /** Length of its path in bytes. */
  readonly pathSize: number;
}

/**
 * Encodes one archive. Entries go to the sinks in the order of the calls; the memory in use is that
 * of the tables of the open directories and the names in them. Children should come in the byte
 * order of their names, each once. After an exception that is not a `UsageError` of the first
 * check, the archive cannot be continued.
 *
 * @example
 * ```ts
 * import { memoryEntry, PxarEncoder, pxarMetadata } from "@pbkfs/pbkfs/pxar";
 *
 * const archive = { write: (bytes: Uint8Array) => console.log(bytes.length) };
 * const encoder = new PxarEncoder(archive, { root: pxarMetadata("directory") });
 * const bytes = new TextEncoder().encode("hello");
 * const file = encoder.add("a.txt", memoryEntry(pxarMetadata("file"), bytes));
 * encoder.add("docs", { kind: "directory", metadata: pxarMetadata("directory", { uid: 1000 }) });
 * encoder.add("b.txt", { kind: "hardlink", target: file, targetPath: "a.txt" });
 * encoder.finishDirectory();
 * encoder.finish();
 * ```
 */
export class PxarEncoder implements EntryWriter {
  readonly #output: OutputBuffer;
  readonly #payload: OutputBuffer | undefined;
  readonly #open: OpenDirectory[] = [];
  /** Where the last content ends in the payload stream. */
  #payloadEnd = HEADER_SIZE;
  #sizes: PxarSizes | undefined;
  /**
   * False while an entry is half written, so also after a failure in between, and after the end.
   */
  #isReady = false;

  /** Starts the archive with its root directory. @throws {UsageError} for impossible metadata */
  constructor(metadata: Sink, options: PxarEncoderOptions) {
    this.#output = new OutputBuffer(metadata);
    const { root, payload, prelude } = options;
    checkType(root, FileType.DIRECTORY);
    if (payload !== undefined) {
      this.#payload = new OutputBuffer(payload);
      beginItem(this.#payload, Item.PAYLOAD_START_MARKER, 0);
      const version = beginItem(this.#output, Item.FORMAT_VERSION, 8);
      this.#output.view.setBigUint64(version, 2n, true);
      if (prelude !== undefined) this.#writePrelude(prelude);
    } else if (prelude !== undefined) {
      throw new UsageError("Cannot store a prelude in an archive without payload stream");
    }
    const entryOffset = this.#output.position;
    writeMetadata(this.#output, root);
    this.#pushDirectory(0, 0, 0, entryOffset, 0);
    this.#isReady = true;
  }

  /** Position in the payload stream where the next PAYLOAD header would be; 0 for version 1. */
  get payloadPosition(): number {
    return this.#payload?.position ?? 0;
  }

  /** Lengths of the archive; undefined until it is finished. */
  get sizes(): PxarSizes | undefined {
    return this.#sizes;
  }

  /**
   * See {@link EntryWriter.add}. A file whose content turns out to be incomplete is marked by its
   * time of modification in an archive of version 2, see {@link markedIncomplete}.
   *
   * @throws {UsageError} when the format cannot hold the entry, or nothing can be added any more
   * @throws {LimitError} when it is too deep, or its path too long
   * @throws {IntegrityError} when a content ends before its size
   */
  add(name: string, entry: NewEntry): EntryOffset {
    switch (entry.kind) {
      case "directory":
        return this.#startDirectory(name, entry.metadata);
      case "file":
        return this.#addFile(name, entry);
      case "reference":
        return this.#addReference(name, entry);
      case "hardlink":
        return this.#addHardlink(name, entry);
      case "symlink":
        checkType(entry.metadata, FileType.SYMLINK);
        return this.#addSymlink(name, entry.metadata, entry.target);
      case "device":
        checkType(entry.metadata, FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE);
        return this.#addNode(name, entry.metadata, () => writeDevice(this.#output, entry));
      case "fifo":
        checkType(entry.metadata, FileType.FIFO);
        return this.#addNode(name, entry.metadata);
      case "socket":
        checkType(entry.metadata, FileType.SOCKET);
        return this.#addNode(name, entry.metadata);
    }
  }

  /** See {@link EntryWriter.finishDirectory}. @throws {UsageError} when only the root is open */
  finishDirectory(): void {
    this.#checkReady();
    if (this.#open.length < 2) throw new UsageError("Cannot end a directory: none is open");
    this.#isReady = false;
    const directory = this.#open.pop()!;
    this.#writeGoodbye(directory, directory.entryOffset);
    const size = this.#output.position - directory.start;
    this.#top.goodbye.add(directory.hashHigh, directory.hashLow, directory.start, size);
    this.#isReady = true;
  }

  /**
   * Hands everything to the sinks: before the caller puts bytes of his own into the payload stream.
   */
  flush(): void {
    this.#output.flush();
    this.#payload?.flush();
  }

  /**
   * Counts bytes that the caller put into the payload stream after {@link flush}. Version 2 only.
   */
  advancePayload(size: number): void {
    const payload = this.#requirePayload();
    checkSize("payload", size);
    if (!payload.isEmpty) throw new UsageError("Cannot count payload: flush the encoder before");
    payload.advance(size);
  }

  /**
   * Ends the root directory and the archive. @throws {UsageError} when a directory is still open
   */
  finish(): PxarSizes {
    this.#checkReady();
    if (this.#open.length !== 1) {
      throw new UsageError("Cannot end the archive: a directory is open");
    }
    if (this.#payload !== undefined && this.#payload.position < this.#payloadEnd) {
      throw new UsageError("Cannot end the archive: referenced payload is missing");
    }
    this.#isReady = false;
    const root = this.#open.pop()!;
    // In version 2 the reference lets the root's tail refer to the beginning of the stream.
    this.#writeGoodbye(root, this.#payload === undefined ? root.entryOffset : 0);
    this.#output.flush();
    if (this.#payload !== undefined) {
      beginItem(this.#payload, Item.PAYLOAD_TAIL_MARKER, 0);
      this.#payload.flush();
    }
    const sizes = { metadataSize: this.#output.position, payloadSize: this.#payload?.position };
    return this.#sizes = sizes;
  }

  get #top(): OpenDirectory {
    return this.#open.at(-1)!;
  }

  #checkReady(): void {
    if (!this.#isReady) {
      throw new UsageError("Cannot continue the archive: it is finished or an entry failed");
    }
  }

  #requirePayload(): OutputBuffer {
    if (this.#payload === undefined) {
      throw new UsageError("Cannot refer to payload: the archive has no payload stream");
    }
    return this.#payload;
  }

  #checkPayloadOrder(name: string, offset: number): void {
    if (offset >= this.#payloadEnd) return;
    throw new UsageError(
      `Cannot store "${name}": its payload at ${offset} is before the end of another one`,
    );
  }

  #writePrelude(prelude: Uint8Array): void {
    if (prelude.length > PRELUDE_SIZE_MAX) {
      throw new LimitError(`Cannot store a prelude of ${prelude.length} bytes`);
    }
    const index = this.#output.reserve(HEADER_SIZE);
    encodeHeader(this.#output.view, index, Item.PRELUDE, prelude.length);
    this.#output.write(prelude);
  }

  #pushDirectory(
    start: number,
    hashHigh: number,
    hashLow: number,
    entryOffset: number,
    pathSize: number,
  ): void {
    const goodbye = new GoodbyeBuilder();
    this.#open.push({
      goodbye,
      names: new NameCheck(),
      start,
      hashHigh,
      hashLow,
      entryOffset,
      pathSize,
    });
  }

  #writeGoodbye(directory: OpenDirectory, tailTarget: number): void {
    this.#output.write(directory.goodbye.encode(this.#output.position, tailTarget));
  }

  #startDirectory(name: string, metadata: Metadata): EntryOffset {
    checkType(metadata, FileType.DIRECTORY);
    if (this.#open.length >= DEPTH_MAX) {
      throw new LimitError(`Cannot store "${name}": it is too deep`);
    }
    const start = this.#begin(name);
    const hashHigh = filenameHash.high;
    const hashLow = filenameHash.low;
    const entryOffset = this.#output.position;
    // A slash instead of the NUL.
    const pathSize = this.#top.pathSize + entryOffset - start - HEADER_SIZE;
    writeMetadata(this.#output, metadata);
    this.#pushDirectory(start, hashHigh, hashLow, entryOffset, pathSize);
    this.#isReady = true;
    return start;
  }

  #addFile(name: string, file: NewFile): EntryOffset {
    checkType(file.metadata, FileType.FILE);
    checkSize(name, file.size);
    this.#checkReady();
    const content = file.open();
    try {
      return this.#payload === undefined
        ? this.#addInline(name, file, content)
        : this.#addSplit(name, file, content, this.#payload);
    } finally {
      content.close?.();
    }
  }

  #addInline(name: string, { metadata, size }: NewFile, content: PxarContent): EntryOffset {
    return this.#addNode(name, metadata, () => {
      writePayloadHeader(this.#output, size);
      this.#output.writeContent(content, size);
    });
  }

  #addSplit(
    name: string,
    { metadata, size }: NewFile,
    content: PxarContent,
    payload: OutputBuffer,
  ): EntryOffset {
    const { position } = payload;
    this.#checkPayloadOrder(name, position);
    const start = this.#begin(name);
    const { high, low } = filenameHash;
    this.#payloadEnd = position + HEADER_SIZE + size;
    writePayloadHeader(payload, size);
    payload.writeContent(content, size);
    const isIncomplete = content.isIncomplete === true;
    writeMetadata(this.#output, isIncomplete ? markedIncomplete(metadata) : metadata);
    writePayloadReference(this.#output, position, size);
    // The reference counts the payload in the table's item, although it is in the other stream.
    return this.#end(start, high, low, size);
  }

  #addReference(name: string, { metadata, size, payloadOffset }: NewReference): EntryOffset {
    checkType(metadata, FileType.FILE);
    checkSize(name, size);
    checkSize(name, payloadOffset);
    this.#requirePayload();
    this.#checkPayloadOrder(name, payloadOffset);
    return this.#addNode(name, metadata, () => {
      this.#payloadEnd = payloadOffset + HEADER_SIZE + size;
      writePayloadReference(this.#output, payloadOffset, size);
    });
  }

  #addSymlink(name: string, metadata: Metadata, target: string): EntryOffset {
    const bytes = encodeTarget(target);
    return this.#addNode(name, metadata, () => {
      const index = beginItem(this.#output, Item.SYMLINK, bytes.length + 1);
      this.#output.bytes.set(bytes, index);
      this.#output.bytes[index + bytes.length] = 0;
    });
  }

  #addHardlink(name: string, { targetPath, target }: NewHardlink): EntryOffset {
    const bytes = encodeTarget(targetPath);
    const objection = targetPathObjection(targetPath);
    if (objection !== undefined) {
      throw new UsageError(`Cannot store a hard link to "${targetPath}": ${objection}`);
    }
    if (!(Number.isSafeInteger(target) && target > 0 && target < this.#output.position)) {
      throw new UsageError(`Cannot store a hard link to offset ${target}: no earlier entry`);
    }
    const start = this.#begin(name);
    const index = beginItem(this.#output, Item.HARDLINK, 8 + bytes.length + 1);
    this.#output.view.setBigUint64(index, BigInt(start - target), true);
    this.#output.bytes.set(bytes, index + 8);
    this.#output.bytes[index + 8 + bytes.length] = 0;
    return this.#end(start, filenameHash.high, filenameHash.low, 0);
  }

  /** Adds an entry with its metadata and what else `writeRest` writes of it. */
  #addNode(name: string, metadata: Metadata, writeRest?: () => void): EntryOffset {
    const start = this.#begin(name);
    const { high, low } = filenameHash;
    writeMetadata(this.#output, metadata);
    writeRest?.();
    return this.#end(start, high, low, 0);
  }

  /** Writes the FILENAME and leaves the name's hash in {@link filenameHash}. @returns its offset */
  #begin(name: string): number {
    this.#checkReady();
    const bytes = encodeName(name);
    if (this.#top.pathSize + 1 + bytes.length > PATH_SIZE_MAX) {
      throw new LimitError(`Cannot store "${name}": its path has more than ${PATH_SIZE_MAX} bytes`);
    }
    if (!this.#top.names.add(name, bytes)) {
      throw new UsageError(`Cannot store "${name}": its directory has an entry of this name`, {
        code: "duplicate-name",
      });
    }
    this.#isReady = false;
    const start = this.#output.position;
    const index = beginItem(this.#output, Item.FILENAME, bytes.length + 1);
    this.#output.bytes.set(bytes, index);
    this.#output.bytes[index + bytes.length] = 0;
    filenameHash.hash(bytes);
    return start;
  }

  #end(start: number, hashHigh: number, hashLow: number, sizeElsewhere: number): EntryOffset {
    const size = this.#output.position - start + sizeElsewhere;
    this.#top.goodbye.add(hashHigh, hashLow, start, size);
    this.#isReady = true;
    return start;
  }
}

function checkType(metadata: Metadata, ...types: readonly number[]): void {
  const type = metadata.mode & FileType.MASK;
  if (types.includes(type)) return;
  throw new UsageError(`Cannot store an entry of mode 0${metadata.mode.toString(8)}: wrong type`);
}

/**
 * Metadata of a file whose content is incomplete: modified a nanosecond before. So it never equals
 * the file, and a comparison with the file to find what has changed, as backups in metadata
 * mode do with whichever client, reads the file again.
 */
function markedIncomplete(metadata: Metadata): Metadata {
  const { seconds, nanoseconds } = metadata.mtime;
  const mtime = nanoseconds > 0
    ? { seconds, nanoseconds: nanoseconds - 1 }
    : { seconds: seconds - 1, nanoseconds: 999_999_999 };
  return { ...metadata, mtime };
}

function checkSize(name: string, size: number): void {
  if (!(Number.isSafeInteger(size) && size >= 0)) {
    throw new UsageError(`Cannot store "${name}": size or offset ${size}`);
  }
}

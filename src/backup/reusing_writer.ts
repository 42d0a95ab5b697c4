/**
 * Split archives that refer to the payload of the previous snapshot where files are as they were.
 *
 * Such files wait, and so does what follows them, as long as their old contents lie one behind the
 * other: only then it is known how much of the old chunks would be used, and whether the files are
 * better read again. They are closed meanwhile, since a process with threads has to pay for many
 * descriptors.
 *
 * @module
 */

import type { FinishingWriter } from "#src/pxar/builder/entry_writer.ts";
import type { SourceFile } from "#src/pxar/builder/source_file.ts";
import type { EntryOffset, PxarContent, PxarSizes } from "#src/pxar/encoder.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { PayloadReuse } from "./payload_reuse.ts";
import type { PreviousArchive } from "./previous_archive.ts";
import type { ReuseCounters } from "./reuse_statistics.ts";
import type { SplitWriter } from "./split_writer.ts";

/** Bytes of a PAYLOAD header. */
const HEADER_SIZE = 16;
/** Entries that wait at a time: what is known of them takes about 1 KiB each. */
const WAITING_COUNT_MAX = 32_768;

/** A file that waits for the decision. */
interface WaitingFile {
  readonly file: SourceFile;
  /** Offset of its PAYLOAD header in the old stream. */
  readonly offset: number;
  /** What {@link ReusingWriter.takeFile} returned. */
  readonly token: EntryOffset;
}

/** An entry that waits behind a file. */
type Waiting = WaitingFile | ((writer: SplitWriter) => void);

/** What a {@link ReusingWriter} works with. */
export interface ReusingWriterOptions {
  readonly writer: SplitWriter;
  readonly previous: PreviousArchive;
  readonly reuse: PayloadReuse;
  readonly counters: ReuseCounters;
  /** Entries that wait at a time. Default: {@link WAITING_COUNT_MAX}. */
  readonly waitingCountMax?: number | undefined;
}

/** Decides for every file whether its content is read. */
export class ReusingWriter implements FinishingWriter {
  readonly #writer: SplitWriter;
  readonly #previous: PreviousArchive;
  readonly #reuse: PayloadReuse;
  readonly #counters: ReuseCounters;
  readonly #waitingCountMax: number;
  readonly #waiting: Waiting[] = [];
  #fileCount = 0;
  /** Range of the old stream with the contents of the files that wait. */
  #start = 0;
  #end = 0;
  /** End of the last content that was found unchanged. */
  #lastEnd = 0;
  #lastToken = 0;
  /** Where files with several names are, by token; those that have vanished themselves. */
  readonly #places = new Map<EntryOffset, EntryOffset | SourceFile>();

  constructor(options: ReusingWriterOptions) {
    this.#writer = options.writer;
    this.#previous = options.previous;
    this.#reuse = options.reuse;
    this.#counters = options.counters;
    this.#waitingCountMax = options.waitingCountMax ?? WAITING_COUNT_MAX;
  }

  /** See {@link FinishingWriter.takeFile}. Tokens of files that wait are negative. */
  takeFile(file: SourceFile): EntryOffset | undefined {
    const offset = this.#previous.find(file);
    const end = offset + HEADER_SIZE + file.size;
    if (offset < this.#lastEnd || end > this.#reuse.size) {
      this.#flush(false, false);
      this.#injectKept();
      this.#counters.addRead(file.size);
      return undefined;
    }
    if (this.#fileCount > 0) {
      if (offset !== this.#end) this.#flush(true, false);
      else if (this.#isFull) this.#flush(true, true);
    }
    if (this.#fileCount === 0) this.#start = offset;
    this.#end = this.#lastEnd = end;
    const token = --this.#lastToken;
    this.#waiting.push({ file, offset, token });
    this.#fileCount++;
    return token;
  }

  /** See {@link FinishingWriter.addFile}. */
  addFile(
    name: string,
    metadata: PxarMetadata,
    size: number,
    content: PxarContent | Uint8Array,
  ): EntryOffset {
    return this.#writer.addFile(name, metadata, size, content);
  }

  /** See {@link FinishingWriter.addFileFromFd}. */
  addFileFromFd(
    name: string,
    metadata: PxarMetadata,
    size: number,
    fd: number,
    offset: number,
    rest?: (taken: number) => PxarContent,
  ): EntryOffset {
    return this.#writer.addFileFromFd(name, metadata, size, fd, offset, rest);
  }

  /** See {@link FinishingWriter.startDirectory}. */
  startDirectory(name: string, metadata: PxarMetadata): void {
    this.#previous.enter(name);
    this.#add((writer) => writer.startDirectory(name, metadata));
  }

  /** See {@link FinishingWriter.finishDirectory}. */
  finishDirectory(): void {
    this.#previous.leave();
    this.#add((writer) => writer.finishDirectory());
  }

  /** See {@link FinishingWriter.addSymlink}. */
  addSymlink(name: string, metadata: PxarMetadata, target: string): EntryOffset {
    return this.#add((writer) => writer.addSymlink(name, metadata, target));
  }

  /** See {@link FinishingWriter.addDevice}. */
  addDevice(name: string, metadata: PxarMetadata, major: bigint, minor: bigint): EntryOffset {
    return this.#add((writer) => writer.addDevice(name, metadata, major, minor));
  }

  /** See {@link FinishingWriter.addFifo}. */
  addFifo(name: string, metadata: PxarMetadata): EntryOffset {
    return this.#add((writer) => writer.addFifo(name, metadata));
  }

  /** See {@link FinishingWriter.addSocket}. */
  addSocket(name: string, metadata: PxarMetadata): EntryOffset {
    return this.#add((writer) => writer.addSocket(name, metadata));
  }

  /** See {@link FinishingWriter.addHardlink}. */
  addHardlink(name: string, targetPath: string, target: EntryOffset): EntryOffset {
    this.#counters.hardlinkCount++;
    return this.#add((writer) => {
      const place = target < 0 ? this.#places.get(target) : target;
      if (typeof place === "object") place.loseLink(name);
      else writer.addHardlink(name, targetPath, place!);
    });
  }

  /** See {@link FinishingWriter.finish}. */
  finish(): PxarSizes {
    this.#flush(false, false);
    this.#injectKept();
    return this.#writer.finish();
  }

  get #isFull(): boolean {
    return this.#waiting.length >= this.#waitingCountMax;
  }

  /** Adds an entry that no other refers to, so that its place does not matter. */
  #add(add: (writer: SplitWriter) => void): EntryOffset {
    if (this.#fileCount === 0) {
      add(this.#writer);
    } else {
      this.#waiting.push(add);
      if (this.#isFull) this.#flush(true, true);
    }
    return 0;
  }

  /**
   * Decides about the files that wait and writes everything.
   *
   * @param isLastKept whether more files may be in the last chunk
   * @param isCut whether it may be that the range goes on
   */
  #flush(isLastKept: boolean, isCut: boolean): void {
    if (this.#fileCount === 0) return;
    const writer = this.#writer;
    const range = this.#reuse.decide(
      this.#start,
      this.#end,
      writer.payloadPosition,
      isLastKept,
      isCut,
    );
    if (range === undefined) this.#injectKept();
    const waiting = this.#waiting;
    for (const item of waiting) {
      if (typeof item === "function") item(writer);
      else this.#write(item, range?.shift);
    }
    waiting.length = 0;
    this.#fileCount = 0;
    if (range !== undefined) this.#inject(range.chunks);
  }

  #write({ file, offset, token }: WaitingFile, shift: number | undefined): void {
    const { name, metadata, size, linkCount } = file;
    const place = shift === undefined
      ? file.addTo(this.#writer)
      : this.#writer.addPayloadReference(name, metadata, size, offset + shift);
    if (linkCount > 1) this.#places.set(token, place ?? file);
    if (shift === undefined) this.#counters.addRead(size);
    else this.#counters.addReused(size);
  }

  #injectKept(): void {
    const kept = this.#reuse.takeKept();
    if (kept !== undefined) this.#inject([kept]);
  }

  #inject(chunks: Iterable<KnownChunk>): void {
    const counters = this.#counters;
    this.#writer.inject((function* () {
      for (const chunk of chunks) {
        counters.addInjected(chunk.size);
        yield chunk;
      }
    })());
  }
}

/**
 * Split archives that refer to the payload of the previous snapshot where files are as they were.
 *
 * Such files are held open, and what follows them waits too, as long as their old contents lie one behind the other: only then it is known
 * how much of the old chunks would be used, and whether the files are better read again.
 *
 * @module
 */

import type {
  EntryOffset,
  FinishingWriter,
  PxarContent,
  PxarMetadata,
  PxarSizes,
  SourceFile,
} from "#src/pxar/mod.ts";
import { raiseOpenFileLimit } from "#src/io/host.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { PayloadReuse } from "./payload_reuse.ts";
import type { PreviousArchive } from "./previous_archive.ts";
import type { ReuseCounters } from "./reuse_statistics.ts";
import type { SplitWriter } from "./split_writer.ts";

/** Bytes of a PAYLOAD header. */
const HEADER_SIZE = 16;
/** Files held open at a time, where the process may have four times as many. */
const HELD_FILES_MAX = 4096;
const DESCRIPTORS_SHARE = 4;
/** Other entries that wait behind them, for each file. */
const WAITING_PER_FILE = 8;

/** A file that waits for the decision. */
interface HeldFile {
  readonly file: SourceFile;
  /** Offset of its PAYLOAD header in the old stream. */
  readonly offset: number;
  /** What {@link ReusingWriter.takeFile} returned. */
  readonly token: EntryOffset;
}

/** An entry that waits behind a file. */
type Waiting = HeldFile | ((writer: SplitWriter) => void);

/** What a {@link ReusingWriter} works with. */
export interface ReusingWriterOptions {
  readonly writer: SplitWriter;
  readonly previous: PreviousArchive;
  readonly reuse: PayloadReuse;
  readonly counters: ReuseCounters;
  /** Files held open at a time. Default: as many as the limit of the process lets seem wise. */
  readonly heldFilesMax?: number;
}

/** Decides for every file whether its content is read. */
export class ReusingWriter implements FinishingWriter, Disposable {
  readonly #writer: SplitWriter;
  readonly #previous: PreviousArchive;
  readonly #reuse: PayloadReuse;
  readonly #counters: ReuseCounters;
  readonly #heldFilesMax: number;
  readonly #waiting: Waiting[] = [];
  #heldCount = 0;
  /** Range of the old stream with the contents of the files that wait. */
  #start = 0;
  #end = 0;
  /** End of the last content that was found unchanged. */
  #lastEnd = 0;
  #lastToken = 0;
  /** Where files with several names are, by token. */
  readonly #offsets = new Map<EntryOffset, EntryOffset>();

  constructor(options: ReusingWriterOptions) {
    this.#writer = options.writer;
    this.#previous = options.previous;
    this.#reuse = options.reuse;
    this.#counters = options.counters;
    this.#heldFilesMax = options.heldFilesMax ?? heldFilesMaxDefault();
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
    if (this.#heldCount > 0) {
      if (offset !== this.#end) this.#flush(true, false);
      else if (this.#isFull) this.#flush(true, true);
    }
    if (this.#heldCount === 0) this.#start = offset;
    this.#end = this.#lastEnd = end;
    const token = --this.#lastToken;
    this.#waiting.push({ file, offset, token });
    this.#heldCount++;
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
      const offset = target < 0 ? this.#offsets.get(target)! : target;
      writer.addHardlink(name, targetPath, offset);
    });
  }

  /** See {@link FinishingWriter.finish}. */
  finish(): PxarSizes {
    this.#flush(false, false);
    this.#injectKept();
    return this.#writer.finish();
  }

  /** Closes the files that are still held. */
  [Symbol.dispose](): void {
    for (const item of this.#waiting) if (typeof item !== "function") item.file.close();
    this.#waiting.length = 0;
  }

  get #isFull(): boolean {
    return this.#heldCount >= this.#heldFilesMax ||
      this.#waiting.length >= this.#heldFilesMax * WAITING_PER_FILE;
  }

  /** Adds an entry that no other refers to, so that its place does not matter. */
  #add(add: (writer: SplitWriter) => void): EntryOffset {
    if (this.#heldCount === 0) {
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
    if (this.#heldCount === 0) return;
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
    // A file closes itself when it is written, so that after a failure all can be closed.
    for (const item of waiting) {
      if (typeof item === "function") item(writer);
      else this.#write(item, range?.shift);
    }
    waiting.length = 0;
    this.#heldCount = 0;
    if (range !== undefined) this.#inject(range.chunks);
  }

  #write({ file, offset, token }: HeldFile, shift: number | undefined): void {
    const { name, metadata, size, linkCount } = file;
    try {
      const place = shift === undefined
        ? file.addTo(this.#writer)
        : this.#writer.addPayloadReference(name, metadata, size, offset + shift);
      if (linkCount > 1) this.#offsets.set(token, place);
      if (shift === undefined) this.#counters.addRead(size);
      else this.#counters.addReused(size);
    } finally {
      file.close();
    }
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

/** The more files, the better it is known what is worthwhile. */
function heldFilesMaxDefault(): number {
  const limit = raiseOpenFileLimit();
  return Math.min(HELD_FILES_MAX, Math.max(1, Math.floor(limit / DESCRIPTORS_SHARE)));
}

/**
 * Split archives that refer to the payload of old ones where files are as they were.
 *
 * Such files wait, and so does what follows them, as long as their old contents lie one behind the
 * other: only then it is known how much of the old chunks would be used, and whether the files are
 * better read again. They are closed meanwhile, since a process with threads has to pay for many
 * descriptors.
 *
 * @module
 */

import { HEADER_SIZE } from "#src/pxar/format/item.ts";
import { SourceEntry } from "#src/pxar/builder/source_entry.ts";
import type {
  EntryOffset,
  EntryWriter,
  NewEntry,
  NewFile,
  PxarSizes,
} from "#src/pxar/new_entry.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { ChangedFiles } from "./changed_files.ts";
import type { PayloadReuse } from "./payload_reuse.ts";
import type { ReuseCounters } from "./reuse_statistics.ts";
import type { SplitWriter } from "../split_writer.ts";
import type { UnchangedFiles } from "./unchanged_files.ts";

/** Entries that wait at a time: what is known of them takes about 1 KiB each. */
const WAITING_COUNT_MAX = 32_768;

/** An old archive whose payload may become part of the new one. */
export interface ReuseBase {
  readonly files: UnchangedFiles;
  readonly reuse: PayloadReuse;
  /** Called before a chunk becomes part of the new stream. */
  keep?(chunk: KnownChunk): void;
  /** Finds chunks that changed files still have. */
  readonly changed?: ChangedFiles | undefined;
}

/** A file that waits for the decision. */
interface WaitingFile {
  readonly name: string;
  readonly file: NewFile;
  /** Offset of its PAYLOAD header in the old stream. */
  readonly offset: number;
  /** What {@link ReusingWriter.add} returned. */
  readonly token: EntryOffset;
}

/** What waits: a file, an entry behind one, the end of a directory. */
type Waiting = WaitingFile | { readonly name: string; readonly entry: NewEntry } | "end";

/** What a {@link ReusingWriter} works with. */
export interface ReusingWriterOptions {
  readonly writer: SplitWriter;
  /** Each file is looked for in all of them, in this order. */
  readonly bases: readonly ReuseBase[];
  readonly counters: ReuseCounters;
  /** Entries that wait at a time. Default: {@link WAITING_COUNT_MAX}. */
  readonly waitingCountMax?: number | undefined;
}

/** Decides for every file whether its content is read. */
export class ReusingWriter implements EntryWriter {
  readonly #writer: SplitWriter;
  readonly #bases: readonly ReuseBase[];
  readonly #counters: ReuseCounters;
  readonly #waitingCountMax: number;
  readonly #waiting: Waiting[] = [];
  #fileCount = 0;
  /** What the files that wait were found in; only its last chunk can be kept back. */
  #base: ReuseBase | undefined;
  /** Range of its stream with the contents of the files that wait. */
  #start = 0;
  #end = 0;
  /** End of the last content that was found unchanged, by base. */
  readonly #lastEnds = new Map<ReuseBase, number>();
  #lastToken = 0;
  /** Where files with several names are, by token; those that have vanished themselves. */
  readonly #places = new Map<EntryOffset, EntryOffset | SourceEntry>();

  constructor(options: ReusingWriterOptions) {
    this.#writer = options.writer;
    this.#bases = options.bases;
    this.#counters = options.counters;
    this.#waitingCountMax = options.waitingCountMax ?? WAITING_COUNT_MAX;
  }

  /** See {@link EntryWriter.add}. What is returned for files that wait is negative. */
  add(name: string, entry: NewEntry): EntryOffset {
    switch (entry.kind) {
      case "file":
        return this.#take(name, entry) ?? this.#writer.add(name, entry);
      case "directory":
        for (const { files } of this.#bases) files.enter(name);
        break;
      case "hardlink":
        this.#counters.hardlinkCount++;
    }
    return this.#put({ name, entry });
  }

  /** See {@link EntryWriter.finishDirectory}. */
  finishDirectory(): void {
    for (const { files } of this.#bases) files.leave();
    this.#put("end");
  }

  /** See {@link EntryWriter.finish}. */
  finish(): PxarSizes {
    this.#flush(false, false);
    this.#injectKept();
    return this.#writer.finish();
  }

  get #isFull(): boolean {
    return this.#waiting.length >= this.#waitingCountMax;
  }

  /** Lets a file wait that is as it was. @returns undefined for one that is to be read at once */
  #take(name: string, file: NewFile): EntryOffset | undefined {
    const found = this.#find(name, file);
    if (found === undefined) {
      this.#flush(false, false);
      this.#injectKept();
      const place = this.#takeChanged(name, file);
      if (place === undefined) this.#counters.addRead(file.size);
      return place;
    }
    const { base, offset, end } = found;
    if (base !== this.#base) {
      this.#flush(false, false);
      this.#injectKept();
      this.#base = base;
    } else if (this.#fileCount > 0) {
      if (offset !== this.#end) this.#flush(true, false);
      else if (this.#isFull) this.#flush(true, true);
    }
    if (this.#fileCount === 0) this.#start = offset;
    this.#end = end;
    this.#lastEnds.set(base, end);
    const token = --this.#lastToken;
    this.#waiting.push({ name, file, offset, token });
    this.#fileCount++;
    return token;
  }

  /** Adds a file that has a part of what it was. @returns undefined for any other */
  #takeChanged(name: string, file: NewFile): EntryOffset | undefined {
    for (const base of this.#bases) {
      const pieces = base.changed?.piecesOf(file);
      if (pieces === undefined) continue;
      let keptBytes = 0;
      const counted = pieces.map((piece) => {
        if (piece instanceof Uint8Array) return piece;
        base.keep?.(piece);
        this.#counters.addInjected(piece.size);
        keptBytes += piece.size;
        return piece;
      });
      const place = this.#writer.addPieces(name, file, counted);
      this.#counters.addChanged(file.size, Math.min(keptBytes, file.size));
      return place;
    }
    return undefined;
  }

  /** Where a file lies already; not before the last one that was found there. */
  #find(
    name: string,
    file: NewFile,
  ): { readonly base: ReuseBase; readonly offset: number; readonly end: number } | undefined {
    for (const base of this.#bases) {
      const offset = base.files.find(name, file);
      const end = offset + HEADER_SIZE + file.size;
      if (offset >= (this.#lastEnds.get(base) ?? 0) && end <= base.reuse.size) {
        return { base, offset, end };
      }
    }
    return undefined;
  }

  /** Takes what no other entry refers to, so that its place does not matter. */
  #put(item: Waiting): EntryOffset {
    if (this.#fileCount === 0) {
      this.#write(item, undefined);
    } else {
      this.#waiting.push(item);
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
    const range = this.#base!.reuse.decide(
      this.#start,
      this.#end,
      this.#writer.payloadPosition,
      isLastKept,
      isCut,
    );
    if (range === undefined) this.#injectKept();
    const waiting = this.#waiting;
    for (const item of waiting) this.#write(item, range?.shift);
    waiting.length = 0;
    this.#fileCount = 0;
    if (range !== undefined) this.#inject(range.chunks);
  }

  /** @param shift from the old payload stream to the new one; undefined when files are read */
  #write(item: Waiting, shift: number | undefined): void {
    if (item === "end") this.#writer.finishDirectory();
    else if ("file" in item) this.#writeFile(item, shift);
    else if (item.entry.kind === "hardlink") {
      const { target } = item.entry;
      const place = target < 0 ? this.#places.get(target) : target;
      if (typeof place === "object") place.loseLink(item.name);
      else this.#writer.add(item.name, { ...item.entry, target: place! });
    } else this.#writer.add(item.name, item.entry);
  }

  #writeFile({ name, file, offset, token }: WaitingFile, shift: number | undefined): void {
    const { metadata, size, linkCount } = file;
    if (shift === undefined) this.#counters.addRead(size);
    else this.#counters.addReused(size);
    const place = shift === undefined ? addLate(this.#writer, name, file) : this.#writer.add(name, {
      kind: "reference",
      metadata,
      size,
      payloadOffset: offset + shift,
    });
    if (linkCount !== 1) this.#places.set(token, place ?? file as SourceEntry);
  }

  #injectKept(): void {
    const kept = this.#base?.reuse.takeKept();
    if (kept !== undefined) this.#inject([kept]);
  }

  #inject(chunks: Iterable<KnownChunk>): void {
    const counters = this.#counters;
    const base = this.#base!;
    this.#writer.inject((function* () {
      for (const chunk of chunks) {
        base.keep?.(chunk);
        counters.addInjected(chunk.size);
        yield chunk;
      }
    })());
  }
}

/** Adds a file that has waited; one of a host is opened again, and undefined when it is gone. */
function addLate(writer: SplitWriter, name: string, file: NewFile): EntryOffset | undefined {
  return file instanceof SourceEntry ? file.addTo(writer) : writer.add(name, file);
}

/**
 * Files that were changed in parts: the chunks of what they were that they still have as a whole
 * are used again, and only what lies between these is stored anew.
 *
 * Chunks that nothing has changed are not read. Others are read and compared by their names, since
 * a file may have been copied whole, or blocks written as they were.
 *
 * @module
 */

import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import { IntegrityError } from "#src/errors.ts";
import type { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";
import { encodeHeader, HEADER_SIZE, Item } from "#src/pxar/format/item.ts";
import type { FormerContent, NewFile, PxarContent } from "#src/pxar/new_entry.ts";
import type { PayloadOrigin } from "./original_files.ts";
import { chunkAt } from "./payload_reuse.ts";

/** Bytes that are read at once where nothing is compared. */
const PIECE_SIZE = 1 << 20;

/** Takes changed files apart. */
export class ChangedFiles {
  readonly #origin: PayloadOrigin;
  readonly #index: DynamicIndex;

  /** @param index the one that the origin names */
  constructor(origin: PayloadOrigin, index: DynamicIndex) {
    this.#origin = origin;
    this.#index = index;
  }

  /**
   * The PAYLOAD header and the content of a file as known chunks and bytes between them; undefined
   * when what it was lies elsewhere, or has no chunk of its own. Bytes are valid until the next
   * piece.
   */
  piecesOf(file: NewFile): IteratorObject<KnownChunk | Uint8Array> | undefined {
    const { former } = file;
    if (former === undefined || former.origin !== this.#origin.origin) return undefined;
    const wholes = this.#wholeChunks(former, file.size);
    return wholes.length === 0 ? undefined : this.#pieces(file, former, wholes);
  }

  /** Numbers of the chunks that hold nothing but what lies in both files. */
  #wholeChunks({ payload }: FormerContent, size: number): number[] {
    const index = this.#index;
    const start = payload.offset - HEADER_SIZE;
    const end = payload.offset + Math.min(payload.size, size);
    if (start < 0 || payload.offset + payload.size > index.size || end <= start) return [];
    // The header has the length.
    const from = payload.size === size ? start : payload.offset;
    const wholes: number[] = [];
    for (let chunk = index.find(start); chunk < index.count && index.endOf(chunk) <= end; chunk++) {
      if (index.startOf(chunk) >= from) wholes.push(chunk);
    }
    return wholes;
  }

  *#pieces(
    file: NewFile,
    former: FormerContent,
    wholes: readonly number[],
  ): Generator<KnownChunk | Uint8Array> {
    const index = this.#index;
    const start = former.payload.offset - HEADER_SIZE;
    const coverage = new Coverage(former.ranges());
    using content = new HeadedContent(file);
    let position = 0;
    for (const number of wholes) {
      const chunkStart = index.startOf(number) - start;
      const chunkEnd = index.endOf(number) - start;
      const chunk = chunkAt(index, number);
      if (!this.#origin.snapshot.chunks.has(chunk.digest)) continue;
      yield* content.pieces(position, chunkStart);
      if (coverage.has(Math.max(0, chunkStart - HEADER_SIZE), chunkEnd - HEADER_SIZE)) {
        yield chunk;
      } else {
        const bytes = content.read(chunkStart, chunkEnd);
        yield this.#origin.digestOf(bytes) === chunk.digest ? chunk : bytes;
      }
      position = chunkEnd;
    }
    yield* content.pieces(position, HEADER_SIZE + file.size);
  }
}

/** Whether ranges, which are asked about in ascending order, lie in those that are known. */
class Coverage {
  readonly #ranges: Iterator<{ readonly offset: number; readonly size: number }>;
  #start = 0;
  #end = 0;

  constructor(ranges: Iterable<{ readonly offset: number; readonly size: number }>) {
    this.#ranges = ranges[Symbol.iterator]();
  }

  has(start: number, end: number): boolean {
    while (this.#end < end) {
      const { done, value } = this.#ranges.next();
      if (done === true) return false;
      this.#start = value.offset === this.#end ? this.#start : value.offset;
      this.#end = value.offset + value.size;
    }
    return this.#start <= start;
  }
}

/** A file's content behind its PAYLOAD header. */
class HeadedContent implements Disposable {
  readonly #content: PxarContent;
  readonly #header = new Uint8Array(HEADER_SIZE);
  #buffer = new Uint8Array(0);

  constructor(file: NewFile) {
    encodeHeader(new DataView(this.#header.buffer), 0, Item.PAYLOAD, file.size);
    this.#content = file.open();
  }

  /** The bytes from `start` to `end`, in parts. */
  *pieces(start: number, end: number): Generator<Uint8Array> {
    for (let position = start; position < end; position += PIECE_SIZE) {
      yield this.read(position, Math.min(end, position + PIECE_SIZE));
    }
  }

  /** The bytes from `start` to `end`, good until the next call. @throws {IntegrityError} */
  read(start: number, end: number): Uint8Array {
    if (this.#buffer.length < end - start) this.#buffer = new Uint8Array(end - start);
    const target = this.#buffer.subarray(0, end - start);
    const header = this.#header.subarray(Math.min(start, HEADER_SIZE), Math.min(end, HEADER_SIZE));
    target.set(header);
    for (let done = header.length; done < target.length;) {
      const offset = start + done - HEADER_SIZE;
      const count = this.#content.readAt(target.subarray(done), offset);
      if (count === 0) {
        throw new IntegrityError(`Cannot read content: it ends after ${offset} bytes`);
      }
      done += count;
    }
    return target;
  }

  [Symbol.dispose](): void {
    this.#content.close?.();
  }
}

/**
 * Streams of a backup: what is cut into chunks goes into an index.
 *
 * @module
 */

import { type ChunkDigest, digestBytes } from "#src/bytes/chunk_digest.ts";
import { DigestTable } from "#src/bytes/digest_table.ts";
import type { ChunkRecord } from "#src/chunking/chunk_handler.ts";
import type { ChunkStream, CutRule, KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { IntegrityError, StateError } from "#src/errors.ts";
import { currentSeconds } from "../clock.ts";
import type { ChunkIndex, EncodedIndex, IndexStamp } from "../format/chunk_index.ts";
import { DynamicIndexBuilder } from "../format/dynamic_index.ts";
import { FixedIndexBuilder } from "../format/fixed_index.ts";
import type { UploadStatistics } from "../format/manifest.ts";
import type { DynamicStreamOptions, IndexedStream, IndexedStreamSummary } from "../ports.ts";

/** Enough for a million digests; whoever forgets more counts some chunks twice. */
const KNOWN_BUDGET_SIZE = 96 << 20;
const UUID_SIZE = 16;

/** What a finished stream gives. */
export interface FinishedStream {
  readonly summary: IndexedStreamSummary;
  readonly index: EncodedIndex;
  /** As a server counts: chunks that had to be sent. */
  readonly uploads: UploadStatistics;
  /** Entries of the index that were there already. */
  readonly knownCount: number;
}

/** What a stream needs of the snapshot that it is part of. */
export interface StreamOwner {
  readonly pipeline: ChunkPipeline;
  /** Told to the keeper of chunks with each of them. Default: 0. */
  readonly streamNumber?: number;
  /** Is told of each chunk in order, and where it begins. */
  readonly appended?: (digest: ChunkDigest, offset: number) => void;
  /** Index of the same name in the previous snapshot, whose chunks a client need not send. */
  readonly previousIndex: () => ChunkIndex | undefined;
  /** Is given what the stream became. */
  readonly finished: (stream: FinishedStream) => void;
}

interface IndexBuilder {
  readonly count: number;
  add(digest: ChunkDigest, endOffset: number): void;
  /** @param size bytes of the stream */
  finish(stamp: IndexStamp, size: number): EncodedIndex;
}

/** A stream in chunks of one size. Its own size may turn out at its end. */
export function openFixedStream(
  owner: StreamOwner,
  name: string,
  size: number | undefined,
  chunkSize: number,
): IndexedStream {
  if (size === undefined) {
    const rule = { kind: "fixed", chunkSize } as const;
    return new StoredStream(owner, name, rule, new LateFixedIndex(chunkSize), undefined);
  }
  const builder = new FixedIndexBuilder(size, chunkSize);
  return new StoredStream(owner, name, { kind: "fixed", chunkSize }, {
    get count() {
      return builder.count;
    },
    add: (digest) => builder.add(digest),
    finish: (stamp) => builder.finish(stamp, sha256Of),
  }, size);
}

/** The chunks of an image whose size is known at its end, where an index begins with it. */
class LateFixedIndex implements IndexBuilder {
  readonly #chunkSize: number;
  readonly #digests: ChunkDigest[] = [];

  constructor(chunkSize: number) {
    this.#chunkSize = chunkSize;
  }

  get count(): number {
    return this.#digests.length;
  }

  add(digest: ChunkDigest): void {
    this.#digests.push(digest);
  }

  finish(stamp: IndexStamp, size: number): EncodedIndex {
    const builder = new FixedIndexBuilder(size, this.#chunkSize);
    for (const digest of this.#digests) builder.add(digest);
    return builder.finish(stamp, sha256Of);
  }
}

/** A stream that is cut by content. */
export function openDynamicStream(
  owner: StreamOwner,
  name: string,
  options: DynamicStreamOptions,
): IndexedStream {
  const builder = new DynamicIndexBuilder();
  return new StoredStream(owner, name, options, {
    get count() {
      return builder.count;
    },
    add: (digest, endOffset) => builder.add(digest, endOffset),
    finish: (stamp) => builder.finish(stamp, sha256Of),
  }, undefined);
}

class StoredStream implements IndexedStream {
  readonly #owner: StreamOwner;
  readonly #name: string;
  readonly #builder: IndexBuilder;
  readonly #stream: ChunkStream;
  readonly #sizeExpected: number | undefined;
  /** Made when the first chunk is met that is no new file. */
  #known: DigestTable | undefined;
  #isFinished = false;
  readonly #new = { count: 0, size: 0, storedSize: 0 };
  readonly #uploads = { count: 0, size: 0, compressedSize: 0, duplicates: 0 };
  #injectedBytes = 0;

  constructor(
    owner: StreamOwner,
    name: string,
    rule: CutRule,
    builder: IndexBuilder,
    sizeExpected: number | undefined,
  ) {
    this.#owner = owner;
    this.#name = name;
    this.#builder = builder;
    this.#sizeExpected = sizeExpected;
    this.#stream = owner.pipeline.openStream(
      rule,
      (chunk, endOffset) => this.#append(chunk, endOffset),
      owner.streamNumber,
    );
  }

  get position(): number {
    return this.#stream.position;
  }

  write(bytes: Uint8Array): void {
    this.#checkSize(bytes.length);
    this.#stream.write(bytes);
  }

  copyFrom(fd: number, offset: number, size: number): number {
    this.#checkSize(size);
    return this.#stream.copyFrom(fd, offset, size);
  }

  suggestBoundary(position: number): void {
    this.#stream.suggestBoundary(position);
  }

  inject(chunks: readonly KnownChunk[]): void {
    for (const { size } of chunks) this.#injectedBytes += size;
    this.#stream.inject(chunks);
  }

  finish(): IndexedStreamSummary {
    if (this.#isFinished) {
      throw new StateError("busy", `Cannot finish "${this.#name}": it has been finished`);
    }
    this.#stream.finish();
    const size = this.#stream.position;
    if (this.#sizeExpected !== undefined && size !== this.#sizeExpected) {
      throw new IntegrityError(
        `Cannot store "${this.#name}": it has ${size} bytes instead of ${this.#sizeExpected}`,
        { code: "length" },
      );
    }
    this.#isFinished = true;
    const uuid = crypto.getRandomValues(new Uint8Array(UUID_SIZE));
    const index = this.#builder.finish({ uuid, ctime: currentSeconds() }, size);
    const summary = {
      name: this.#name,
      size,
      checksum: index.checksum,
      chunkCount: this.#builder.count,
      newChunkCount: this.#new.count,
      newBytes: this.#new.size,
      newStoredBytes: this.#new.storedSize,
      injectedBytes: this.#injectedBytes,
    };
    this.#owner.finished({
      summary,
      index,
      uploads: this.#uploads,
      knownCount: summary.chunkCount - summary.newChunkCount,
    });
    return summary;
  }

  #checkSize(size: number): void {
    if (this.#sizeExpected === undefined || this.position + size <= this.#sizeExpected) return;
    throw new IntegrityError(
      `Cannot store "${this.#name}": it has more than ${this.#sizeExpected} bytes`,
      { code: "length" },
    );
  }

  #append(chunk: ChunkRecord, endOffset: number): void {
    this.#builder.add(chunk.digest, endOffset);
    this.#owner.appended?.(chunk.digest, endOffset - chunk.size);
    if (chunk.isNew) {
      this.#new.count++;
      this.#new.size += chunk.size;
      this.#new.storedSize += chunk.storedSize;
    }
    if (!this.#isUpload(chunk)) return;
    this.#uploads.count++;
    this.#uploads.size += chunk.size;
    this.#uploads.compressedSize += chunk.storedSize;
    if (!chunk.isNew) this.#uploads.duplicates++;
  }

  /**
   * Whether a client that talks to a server would have sent the chunk, knowing the previous index
   * and what it sent before.
   */
  #isUpload(chunk: ChunkRecord): boolean {
    // Injected ones take no space: nobody asked the store for them.
    if (chunk.storedSize === 0) return false;
    const known = this.#known ??= this.#previousDigests();
    const digest = digestBytes(chunk.digest);
    if (known.get(digest, 0) !== 0) return false;
    known.set(digest, 0, 1);
    return true;
  }

  #previousDigests(): DigestTable {
    const known = new DigestTable(KNOWN_BUDGET_SIZE);
    const index = this.#owner.previousIndex();
    const count = index?.count ?? 0;
    for (let position = 0; position < count; position++) {
      known.set(digestBytes(index!.digestOf(position)), 0, 1);
    }
    return known;
  }
}

/**
 * A thread that loads chunks before they are wanted.
 *
 * The reader's thread says which chunks come next and where their bytes shall be put. Whichever thread is free loads them: the
 * reader's own helps while it waits. What could not be loaded it loads again by itself, and so finds out what is wrong.
 *
 * @module
 */

import { type ChunkDigest, DIGEST_SIZE, digestBytes, digestOf } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { endNativeCodecs, nativeCodecs } from "#src/codecs/mod.ts";
import { bufferAt } from "#src/io/host_memory.ts";
import { BlobCodec } from "../blob_codec.ts";
import { openStorage } from "../storage/open_storage.ts";
import type { StorageDescription } from "../storage/storage.ts";
import { CryptConfig } from "../crypt_config.ts";
import { LocalChunkSource } from "./local_chunk_source.ts";
import type { ChunkSource } from "../ports.ts";

/** Threads that read ahead have names that start with this: one module may be that of other workers too. */
export const READ_AHEAD_WORKER_NAME = "read-ahead-";
/** Chunks that are asked for ahead. */
export const READ_AHEAD_COUNT = 3;
/** One more is the chunk that is just wanted. */
const SLOT_COUNT = READ_AHEAD_COUNT + 1;

/** Before so many bytes were read in order, a thread costs more than it helps. */
const START_SIZE_DEFAULT = 24 << 20;

/** Cells before the slots. */
const Cell = {
  /** Changes when there is something to load. */
  CALL: 0,
  /** Changes when something was loaded. */
  ANSWER: 1,
  IS_STOPPED: 2,
} as const;
const SLOTS = 16;
const SLOT_CELLS = 16;
/** Cells of a slot; an address has two, a digest eight. */
const Slot = { STATE: 0, SIZE: 1, ADDRESS: 2, DIGEST: 4 } as const;
const SlotState = { FREE: 0, WANTED: 1, CLAIMED: 2, DONE: 3, FAILED: 4 } as const;
const SHARED_SIZE = (SLOTS + SLOT_COUNT * SLOT_CELLS) * Int32Array.BYTES_PER_ELEMENT;

/** What a worker loads chunks from; sent to it once. */
export interface ReadAheadSource {
  readonly storage: StorageDescription;
  readonly isEncrypted: boolean;
  /** 32 bytes, where chunks are encrypted. */
  readonly key: Uint8Array<ArrayBuffer> | undefined;
}

interface ReadAheadStart extends ReadAheadSource {
  readonly shared: SharedArrayBuffer;
}

/** The slots, as each thread sees them. */
class Slots {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(readonly shared: SharedArrayBuffer) {
    this.#cells = new Int32Array(shared);
    this.#bytes = new Uint8Array(shared);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#cells, Cell.IS_STOPPED) !== 0;
  }

  stateOf(slot: number): number {
    return Atomics.load(this.#cells, cellOf(slot) + Slot.STATE);
  }

  /** Changes the state of a slot if it is `from`. @returns whether it was */
  change(slot: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#cells, cellOf(slot) + Slot.STATE, from, to) === from;
  }

  want(slot: number, digest: ChunkDigest, size: number, address: bigint): void {
    const cell = cellOf(slot);
    this.#cells[cell + Slot.SIZE] = size;
    this.#cells[cell + Slot.ADDRESS] = Number(address & 0xffff_ffffn);
    this.#cells[cell + Slot.ADDRESS + 1] = Number(address >> 32n);
    this.#bytes.set(digestBytes(digest), (cell + Slot.DIGEST) * Int32Array.BYTES_PER_ELEMENT);
    Atomics.store(this.#cells, cell + Slot.STATE, SlotState.WANTED);
    this.#signal(Cell.CALL);
  }

  /** Loads what a slot wants, after it was claimed. */
  load(slot: number, source: ChunkSource): void {
    const cell = cellOf(slot);
    const size = this.#cells[cell + Slot.SIZE]!;
    const low = BigInt(this.#cells[cell + Slot.ADDRESS]! >>> 0);
    const address = (BigInt(this.#cells[cell + Slot.ADDRESS + 1]! >>> 0) << 32n) | low;
    const offset = (cell + Slot.DIGEST) * Int32Array.BYTES_PER_ELEMENT;
    const digest = digestOf(this.#bytes.slice(offset, offset + DIGEST_SIZE));
    let state: number = SlotState.DONE;
    try {
      source.load(digest, size, bufferAt(address, size), 0);
    } catch {
      state = SlotState.FAILED;
    }
    Atomics.store(this.#cells, cell + Slot.STATE, state);
    this.#signal(Cell.ANSWER);
  }

  /** Takes a chunk that is wanted and has not been begun. */
  claim(): number | undefined {
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      if (this.change(slot, SlotState.WANTED, SlotState.CLAIMED)) return slot;
    }
    return undefined;
  }

  /** Runs `attempt` again and again until it gives something, sleeping in between. */
  waitFor<Result>(
    cell: typeof Cell.CALL | typeof Cell.ANSWER,
    attempt: () => Result | undefined,
  ): Result {
    for (;;) {
      const seen = Atomics.load(this.#cells, cell);
      const result = attempt();
      if (result !== undefined) return result;
      Atomics.wait(this.#cells, cell, seen);
    }
  }

  stop(): void {
    Atomics.store(this.#cells, Cell.IS_STOPPED, 1);
    this.#signal(Cell.CALL);
  }

  #signal(cell: number): void {
    Atomics.add(this.#cells, cell, 1);
    Atomics.notify(this.#cells, cell);
  }
}

function cellOf(slot: number): number {
  return SLOTS + slot * SLOT_CELLS;
}

interface Expected {
  readonly digest: ChunkDigest;
  readonly size: number;
  readonly buffer: NativeBuffer;
}

/** How chunks are read ahead. */
export interface ReadAheadOptions {
  readonly source: ReadAheadSource;
  /** Loads chunks in the reader's thread. */
  readonly chunks: ChunkSource;
  /** Starts a thread with this name, from a module that calls {@link serveReadAheadWorker}. */
  readonly spawn: (name: string) => Worker;
  readonly allocate: (size: number) => NativeBuffer;
  /** The thread is started when so many bytes were read in order. Default: 24 MiB. */
  readonly startBytes?: number | undefined;
}

/** Chunks that are being read ahead, for the reader's thread. */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #slots = new Slots(new SharedArrayBuffer(SHARED_SIZE));
  readonly #expected: (Expected | undefined)[] = Array.from({ length: SLOT_COUNT });
  #worker: Worker | undefined;
  #expectedBytes = 0;
  #isClosed = false;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
  }

  /** Whether it has been asked for a chunk. */
  has(digest: ChunkDigest): boolean {
    return this.#expected.some((expected) => expected?.digest === digest);
  }

  /** Says that a chunk will be wanted soon. @returns false when nothing was done about it */
  expect(digest: ChunkDigest, size: number): boolean {
    this.#expectedBytes += size;
    const { startBytes = START_SIZE_DEFAULT } = this.#options;
    if (this.#isClosed || this.#expectedBytes < startBytes || this.has(digest)) return false;
    const slot = this.#freeSlot();
    if (slot < 0) return false;
    this.#worker ??= this.#start();
    const buffer = this.#options.allocate(size);
    this.#expected[slot] = { digest, size, buffer };
    this.#slots.want(slot, digest, size, buffer.address);
    return true;
  }

  /** The bytes of a chunk that it was asked for; undefined when there are none, or something is wrong with it. */
  take(digest: ChunkDigest, size: number): NativeBuffer | undefined {
    const slot = this.#expected.findIndex((expected) => expected?.digest === digest);
    if (slot < 0) return undefined;
    const { buffer, size: expectedSize } = this.#expected[slot]!;
    const isLoaded = this.#finish(slot);
    this.#expected[slot] = undefined;
    return isLoaded && size === expectedSize ? buffer : undefined;
  }

  /** Ends the thread. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#slots.stop();
    // Nobody may write to memory that is given up.
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      if (!this.#slots.change(slot, SlotState.WANTED, SlotState.FREE)) this.#wait(slot);
    }
    this.#worker?.terminate();
  }

  /** Waits for a slot, or does its work, and frees it. @returns whether the bytes are there */
  #finish(slot: number): boolean {
    if (this.#slots.change(slot, SlotState.WANTED, SlotState.CLAIMED)) {
      this.#slots.load(slot, this.#options.chunks);
    }
    this.#wait(slot);
    const isLoaded = this.#slots.change(slot, SlotState.DONE, SlotState.FREE);
    this.#slots.change(slot, SlotState.FAILED, SlotState.FREE);
    return isLoaded;
  }

  /** Waits until nobody works on a slot; loads others meanwhile. */
  #wait(slot: number): void {
    this.#slots.waitFor(Cell.ANSWER, () => {
      if (this.#slots.stateOf(slot) !== SlotState.CLAIMED) return true;
      const other = this.#isClosed ? undefined : this.#slots.claim();
      if (other === undefined) return undefined;
      this.#slots.load(other, this.#options.chunks);
      return this.#slots.stateOf(slot) === SlotState.CLAIMED ? undefined : true;
    });
  }

  /** A slot of nobody; else one with a chunk that nobody came for. */
  #freeSlot(): number {
    const free = this.#expected.indexOf(undefined);
    if (free >= 0) return free;
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const isFree = [SlotState.DONE, SlotState.FAILED].some((state) =>
        this.#slots.change(slot, state, SlotState.FREE)
      );
      if (!isFree) continue;
      this.#expected[slot] = undefined;
      return slot;
    }
    return -1;
  }

  #start(): Worker {
    const worker = this.#options.spawn(`${READ_AHEAD_WORKER_NAME}0`);
    // A thread that does not start does no harm: the reader loads by itself. By default it would end the program.
    worker.onerror = (event) => event.preventDefault();
    const start: ReadAheadStart = { ...this.#options.source, shared: this.#slots.shared };
    worker.postMessage(start);
    return worker;
  }
}

/** The global scope of a worker, as far as it is used here. */
interface WorkerScope {
  readonly name: string;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** Whether this thread was started to read ahead, where a module is that of several kinds of workers. */
export function isReadAheadWorker(): boolean {
  return (globalThis as unknown as WorkerScope).name?.startsWith(READ_AHEAD_WORKER_NAME) ?? false;
}

/** Waits for the one message and loads chunks until there are no more. To be called once in a worker's module. */
export function serveReadAheadWorker(): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = (event) => {
    const { shared, storage: description, isEncrypted, key } = event.data as ReadAheadStart;
    const slots = new Slots(shared);
    const storage = openStorage(description);
    const crypt = key === undefined ? undefined : new CryptConfig(key);
    const source = new LocalChunkSource({
      store: storage.chunks,
      codec: new BlobCodec(nativeCodecs()),
      isEncrypted,
      crypt,
    });
    for (;;) {
      const slot = slots.waitFor(Cell.CALL, () => slots.isStopped ? -1 : slots.claim());
      if (slot < 0) break;
      slots.load(slot, source);
    }
    storage.close();
    endNativeCodecs();
    scope.close();
  };
}

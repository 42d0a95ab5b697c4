/**
 * Chunks to be checked by several threads, in memory that they share. Whoever is free takes the next one.
 *
 * Control words:
 *
 * | word | what                                                                                   |
 * | ---- | -------------------------------------------------------------------------------------- |
 * | 0    | round: grows when there are new chunks, or when the end has come                       |
 * | 1    | chunks taken; a large number while nothing may be taken                                |
 * | 2    | chunks in the batch                                                                    |
 * | 3    | chunks checked                                                                         |
 * | 4    | threads that take chunks at the moment                                                 |
 * | 5    | whether the chunks have to be encrypted                                                |
 * | 6    | number of the key that opens them, -1 for none                                         |
 * | 7    | whether the end has come                                                               |
 *
 * @module
 */

import { DIGEST_SIZE } from "#src/bytes/chunk_digest.ts";

/** Most chunks in a batch. */
export const BATCH_SIZE_MAX = 16384;

const ROUND = 0;
const TAKEN = 1;
const COUNT = 2;
const CHECKED = 3;
const ACTIVE = 4;
const ENCRYPTED = 5;
const KEY = 6;
const ENDED = 7;
const CONTROL_SIZE = 32;

/** More than can ever be taken, with room to count on. */
const CLOSED = 1 << 30;

const ENTRIES_OFFSET = CONTROL_SIZE;
const ENTRY_SIZE = DIGEST_SIZE + 4;
const RESULTS_OFFSET = ENTRIES_OFFSET + BATCH_SIZE_MAX * ENTRY_SIZE;
const SHARED_SIZE = RESULTS_OFFSET + BATCH_SIZE_MAX * 4;

/** A chunk of a batch. */
export interface BatchEntry {
  readonly position: number;
  /** 32 bytes. */
  readonly digest: Uint8Array;
  /** Plain bytes. */
  readonly size: number;
  readonly isEncrypted: boolean;
  /** Number of the key; -1 for none. */
  readonly key: number;
}

/** The shared memory, as every thread sees it. */
export class VerifyBatch {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #view: DataView<SharedArrayBuffer>;
  readonly #results: Int32Array<SharedArrayBuffer>;

  /** @param shared what {@link VerifyBatch.allocate} has made */
  constructor(readonly shared: SharedArrayBuffer) {
    this.#control = new Int32Array(shared, 0, CONTROL_SIZE / 4);
    this.#bytes = new Uint8Array(shared);
    this.#view = new DataView(shared);
    this.#results = new Int32Array(shared, RESULTS_OFFSET, BATCH_SIZE_MAX);
  }

  /** Memory for a batch without chunks. */
  static allocate(): SharedArrayBuffer {
    const shared = new SharedArrayBuffer(SHARED_SIZE);
    new Int32Array(shared)[TAKEN] = CLOSED;
    return shared;
  }

  /** Keeps others from taking chunks, and waits until none does. Called by the owner before the next batch. */
  close(): void {
    Atomics.store(this.#control, TAKEN, CLOSED);
    for (;;) {
      const active = Atomics.load(this.#control, ACTIVE);
      if (active === 0) return;
      Atomics.wait(this.#control, ACTIVE, active);
    }
  }

  /** Sets a chunk of the next batch, after {@link close}. */
  setEntry(position: number, digest: Uint8Array, size: number): void {
    const offset = ENTRIES_OFFSET + position * ENTRY_SIZE;
    this.#bytes.set(digest, offset);
    this.#view.setUint32(offset + DIGEST_SIZE, size, true);
  }

  /** Offers the chunks that were set. */
  open(count: number, isEncrypted: boolean, key: number): void {
    const control = this.#control;
    control[COUNT] = count;
    control[CHECKED] = 0;
    control[ENCRYPTED] = isEncrypted ? 1 : 0;
    control[KEY] = key;
    Atomics.store(control, TAKEN, 0);
    Atomics.add(control, ROUND, 1);
    Atomics.notify(control, ROUND);
  }

  /** Lets all threads end. */
  end(): void {
    this.close();
    Atomics.store(this.#control, ENDED, 1);
    Atomics.add(this.#control, ROUND, 1);
    Atomics.notify(this.#control, ROUND);
  }

  /** The next chunk, to be followed by {@link finish}; undefined when all are taken. */
  take(): BatchEntry | undefined {
    const control = this.#control;
    Atomics.add(control, ACTIVE, 1);
    const position = Atomics.add(control, TAKEN, 1);
    if (position >= control[COUNT]! || position >= BATCH_SIZE_MAX) {
      this.#leave();
      return undefined;
    }
    const offset = ENTRIES_OFFSET + position * ENTRY_SIZE;
    return {
      position,
      digest: this.#bytes.slice(offset, offset + DIGEST_SIZE),
      size: this.#view.getUint32(offset + DIGEST_SIZE, true),
      isEncrypted: control[ENCRYPTED] === 1,
      key: control[KEY]!,
    };
  }

  /** Tells what became of a chunk: bytes of its file, -1 when something is wrong with it. */
  finish({ position }: BatchEntry, storedSize: number): void {
    this.#results[position] = storedSize;
    Atomics.add(this.#control, CHECKED, 1);
    Atomics.notify(this.#control, CHECKED);
    this.#leave();
  }

  /** Waits until all chunks have been checked. */
  waitForResults(): void {
    for (;;) {
      const checked = Atomics.load(this.#control, CHECKED);
      if (checked >= this.#control[COUNT]!) return;
      Atomics.wait(this.#control, CHECKED, checked);
    }
  }

  /** Chunks checked so far. */
  get checkedCount(): number {
    return Atomics.load(this.#control, CHECKED);
  }

  /** What {@link finish} was told of a chunk. */
  resultOf(position: number): number {
    return this.#results[position]!;
  }

  /** Waits for chunks. @param seen the round that the caller has taken part in @returns the new one; undefined at the end */
  waitForRound(seen: number): number | undefined {
    Atomics.wait(this.#control, ROUND, seen);
    return Atomics.load(this.#control, ENDED) === 1 ? undefined : Atomics.load(
      this.#control,
      ROUND,
    );
  }

  #leave(): void {
    if (Atomics.sub(this.#control, ACTIVE, 1) === 1) Atomics.notify(this.#control, ACTIVE);
  }
}

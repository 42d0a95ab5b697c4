/**
 * A storage in memory that threads share: a log of objects, of which the last one of a name counts.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { allocateNativeBuffer } from "#src/io/host.ts";
import type {
  ChunkQuarantine,
  ChunkStorage,
  Storage,
  StorageDescription,
} from "#src/pbs/storage/storage.ts";
import { acquireLock, releaseLock } from "#src/threads/lock.ts";

/** Plain values that name a memory. */
export interface MemoryDescription extends StorageDescription {
  readonly kind: "memory";
  readonly memory: SharedArrayBuffer;
}

const LOCK_TIMEOUT_MS = 60_000;
const Cell = { LOCK: 0, END: 1, FIRST_RECORD: 2 } as const;
/** Cells of a record, before its name and its bytes. */
const Record = { IS_LIVE: 0, NAME_SIZE: 1, SIZE: 2, BYTES: 3 } as const;

/** Memory for objects of so many bytes together. */
export function createMemory(sizeBytes: number): MemoryDescription {
  const memory = new SharedArrayBuffer(Math.ceil(sizeBytes / 4) * 4);
  new Int32Array(memory)[Cell.END] = Cell.FIRST_RECORD;
  return { kind: "memory", memory };
}

/** Objects by name. */
class MemoryObjects {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  /** The last record of each name among those looked at. */
  readonly #known = new Map<string, number>();
  #lookedAt: number = Cell.FIRST_RECORD;

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
  }

  /** Runs something that no other thread sees half done. */
  alone<Result>(run: () => Result): Result {
    if (!acquireLock(this.#cells, Cell.LOCK, LOCK_TIMEOUT_MS)) throw new Error("The lock is lost");
    try {
      return run();
    } finally {
      releaseLock(this.#cells, Cell.LOCK);
    }
  }

  /** The record of an object; 0 when there is none. */
  find(name: string): number {
    const end = this.#cells[Cell.END]!;
    while (this.#lookedAt < end) {
      const record = this.#lookedAt;
      this.#known.set(this.#nameOf(record), record);
      this.#lookedAt = this.#endOf(record);
    }
    const record = this.#known.get(name) ?? 0;
    return record !== 0 && this.#cells[record + Record.IS_LIVE] === 1 ? record : 0;
  }

  sizeOf(record: number): number {
    return this.#cells[record + Record.SIZE]!;
  }

  bytesOf(record: number): Uint8Array<SharedArrayBuffer> {
    const start = (record + Record.BYTES) * 4 + this.#cells[record + Record.NAME_SIZE]!;
    return this.#bytes.subarray(start, start + this.sizeOf(record));
  }

  put(name: string, bytes: Uint8Array): void {
    const old = this.find(name);
    const record = this.#cells[Cell.END]!;
    const encodedName = new TextEncoder().encode(name);
    this.#cells[record + Record.NAME_SIZE] = encodedName.length;
    this.#cells[record + Record.SIZE] = bytes.length;
    this.#cells[record + Record.IS_LIVE] = 1;
    const end = this.#endOf(record);
    if (end > this.#cells.length) throw new Error("The memory of the test is too small");
    this.#bytes.set(encodedName, (record + Record.BYTES) * 4);
    this.bytesOf(record).set(bytes);
    this.#cells[Cell.END] = end;
    if (old !== 0) this.remove(old);
  }

  remove(record: number): void {
    this.#cells[record + Record.IS_LIVE] = 0;
  }

  #nameOf(record: number): string {
    const start = (record + Record.BYTES) * 4;
    const name = this.#bytes.slice(start, start + this.#cells[record + Record.NAME_SIZE]!);
    return new TextDecoder().decode(name);
  }

  #endOf(record: number): number {
    const size = this.#cells[record + Record.NAME_SIZE]! + this.sizeOf(record);
    return record + Record.BYTES + Math.ceil(size / 4);
  }
}

/** See the head of the module. */
export class MemoryStorage implements Storage {
  readonly chunks: ChunkStorage;

  constructor(readonly description: MemoryDescription) {
    this.chunks = new MemoryChunks(new MemoryObjects(description.memory));
  }

  close(): void {}
}

class MemoryChunks implements ChunkStorage, ChunkQuarantine {
  readonly quarantine = this;
  readonly #objects: MemoryObjects;
  #buffer: NativeBuffer = allocateNativeBuffer(0);

  constructor(objects: MemoryObjects) {
    this.#objects = objects;
  }

  get buffer(): NativeBuffer {
    return this.#buffer;
  }

  pathOf(digest: ChunkDigest): string {
    return `memory:${digest}`;
  }

  storedSize(digest: ChunkDigest): number {
    const record = this.placeOf(digest);
    return record === 0 ? -1 : this.#objects.sizeOf(record);
  }

  touch(digest: ChunkDigest): number {
    return this.storedSize(digest);
  }

  read(digest: ChunkDigest): number {
    const record = this.placeOf(digest);
    if (record === 0) return -1;
    const bytes = this.#objects.bytesOf(record);
    if (bytes.length > this.#buffer.bytes.length) {
      this.#buffer = allocateNativeBuffer(bytes.length);
    }
    this.#buffer.bytes.set(bytes);
    return bytes.length;
  }

  expect(): void {}

  write(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): void {
    const bytes = encoded.bytes.subarray(start, start + size);
    this.#objects.alone(() => this.#objects.put(digest, bytes));
  }

  add(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): boolean {
    return this.#objects.alone(() => {
      if (this.#objects.find(digest) !== 0) return false;
      this.#objects.put(digest, encoded.bytes.subarray(start, start + size));
      return true;
    });
  }

  placeOf(digest: ChunkDigest): number {
    return this.#objects.alone(() => this.#objects.find(digest));
  }

  setAside(digest: ChunkDigest, place: number): string | undefined {
    return this.#objects.alone(() => {
      if (this.#objects.find(digest) !== place) return undefined;
      const name = `${digest}.bad`;
      this.#objects.put(name, this.#objects.bytesOf(place).slice());
      this.#objects.remove(place);
      return name;
    });
  }
}

/**
 * A storage in memory that threads share: a log of objects, of which the last one of a name counts.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { Errno, LimitError, OsError, StateError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type {
  HeldLock,
  LockKind,
  ObjectLock,
  StorageLocks,
  WriterLock,
} from "#src/pbs/storage/locks.ts";
import {
  formatGroup,
  formatSnapshot,
  type GroupId,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import { isIndexName } from "#src/pbs/reading/index_scan.ts";
import {
  emptySweepResult,
  type FoundIndex,
  type GarbageSupport,
  type IndexFile,
  type IndexListing,
  type SweepOptions,
  type SweepResult,
} from "#src/pbs/storage/garbage_support.ts";
import type {
  ChunkQuarantine,
  ChunkStorage,
  FileStorage,
  Storage,
  StorageDescription,
  StoredEntry,
  StoredStatus,
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
const Record = { IS_LIVE: 0, NAME_SIZE: 1, SIZE: 2, USED_SECONDS: 3, BYTES: 4 } as const;

/** Memory for objects of so many bytes together. */
export function createMemory(sizeBytes: number): MemoryDescription {
  const memory = new SharedArrayBuffer(Math.ceil(sizeBytes / 4) * 4);
  new Int32Array(memory)[Cell.END] = Cell.FIRST_RECORD;
  return { kind: "memory", memory };
}

/** Makes all objects of a memory look as if they had been used so much earlier. */
export function ageMemory({ memory }: MemoryDescription, seconds: number): void {
  const objects = new MemoryObjects(memory);
  for (const name of objects.names("")) {
    const record = objects.find(name);
    objects.use(record, objects.usedSeconds(record) - seconds);
  }
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

  /** Names of objects that begin with this. */
  names(start: string): string[] {
    this.find("");
    return [...this.#known.keys()].filter((name) =>
      name.startsWith(start) && this.find(name) !== 0
    );
  }

  sizeOf(record: number): number {
    return this.#cells[record + Record.SIZE]!;
  }

  bytesOf(record: number): Uint8Array<SharedArrayBuffer> {
    const start = (record + Record.BYTES) * 4 + this.#cells[record + Record.NAME_SIZE]!;
    return this.#bytes.subarray(start, start + this.sizeOf(record));
  }

  /** When an object was used last, in unix seconds. */
  usedSeconds(record: number): number {
    return this.#cells[record + Record.USED_SECONDS]!;
  }

  use(record: number, seconds = nowSeconds()): void {
    this.#cells[record + Record.USED_SECONDS] = seconds;
  }

  put(name: string, bytes: Uint8Array): void {
    const old = this.find(name);
    const record = this.#cells[Cell.END]!;
    const encodedName = new TextEncoder().encode(name);
    this.#cells[record + Record.NAME_SIZE] = encodedName.length;
    this.#cells[record + Record.SIZE] = bytes.length;
    this.#cells[record + Record.IS_LIVE] = 1;
    this.use(record);
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
  readonly files: FileStorage;
  readonly locks = new MemoryLocks();
  readonly writerLock = new MemoryWriterLock();
  readonly garbage: GarbageSupport;

  constructor(readonly description: MemoryDescription) {
    const objects = new MemoryObjects(description.memory);
    this.chunks = new MemoryChunks(objects);
    this.files = new MemoryFiles(objects);
    this.garbage = new MemoryGarbage(objects, this.files);
  }

  space(): undefined {
    return undefined;
  }

  close(): void {}
}

class MemoryChunks implements ChunkStorage {
  readonly quarantine: ChunkQuarantine = {
    setAside: (digest, place) => this.#setAside(digest, place),
    touch: (digest) => void this.touch(`${digest}.bad`),
  };
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

  touch(name: string): number {
    return this.#objects.alone(() => {
      const record = this.#objects.find(name);
      if (record === 0) return -1;
      this.#objects.use(record);
      return this.#objects.sizeOf(record);
    });
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

  #setAside(digest: ChunkDigest, place: number): string | undefined {
    return this.#objects.alone(() => {
      if (this.#objects.find(digest) !== place) return undefined;
      const name = `${digest}.bad`;
      this.#objects.put(name, this.#objects.bytesOf(place).slice());
      this.#objects.remove(place);
      return name;
    });
  }
}

/** Chunks have names without a slash. */
class MemoryGarbage implements GarbageSupport {
  readonly #objects: MemoryObjects;
  readonly #files: FileStorage;

  constructor(objects: MemoryObjects, files: FileStorage) {
    this.#objects = objects;
    this.#files = files;
  }

  checkUseTimes(): void {}

  currentSeconds(): number {
    return nowSeconds();
  }

  listIndexes(): IndexListing {
    const names = this.#objects.alone(() => this.#objects.names("/")).filter(isIndexName).sort();
    const indexes = names.map((name): FoundIndex => {
      const path = this.#files.pathOf(name.slice(1));
      return { path, identity: name, open: () => this.#files.open(name.slice(1)) };
    });
    return { indexes, isComplete: true };
  }

  whileNothingMoves(mark: (moved: readonly IndexFile[]) => void): void {
    mark([]);
  }

  sweep({ cutoff, oldestWriter, onStep }: SweepOptions): SweepResult {
    const result = emptySweepResult();
    const names = this.#objects.alone(() => this.#objects.names(""))
      .filter((name) => !name.startsWith("/"));
    for (const [done, name] of names.entries()) {
      onStep(done, names.length, done);
      this.#objects.alone(() => {
        const record = this.#objects.find(name);
        if (record === 0) return;
        const [size, used] = [this.#objects.sizeOf(record), this.#objects.usedSeconds(record)];
        const isBad = name.endsWith(".bad");
        if (used < cutoff) {
          this.#objects.remove(record);
          result.removedBytes += size;
          result[isBad ? "removedBad" : "removedChunks"]++;
        } else if (used < oldestWriter) {
          result.pendingBytes += size;
          result[isBad ? "stillBad" : "pendingChunks"]++;
        } else {
          result.diskBytes += size;
          if (!isBad) result.diskChunks++;
        }
      });
    }
    onStep(names.length, names.length, names.length);
    return result;
  }
}

/** Folders are empty objects whose names end with a slash. */
class MemoryFiles implements FileStorage {
  readonly #objects: MemoryObjects;

  constructor(objects: MemoryObjects) {
    this.#objects = objects;
  }

  pathOf(name: string): string {
    return name === "" ? "memory:" : `memory:${name}`;
  }

  status(name: string): StoredStatus | undefined {
    return this.#objects.alone(() => this.#status(name));
  }

  list(folder: string): StoredEntry[] {
    return this.#objects.alone(() => {
      const start = folder === "" ? "/" : `/${folder}/`;
      return this.#objects.names(start).flatMap((name): StoredEntry[] => {
        const [, inner, slash] = /^([^/]+)(\/?)$/.exec(name.slice(start.length)) ?? [];
        return inner === undefined ? [] : [{ name: inner, kind: slash === "" ? "file" : "folder" }];
      });
    });
  }

  read(name: string, sizeMax: number): Uint8Array<ArrayBuffer> {
    const source = this.open(name);
    if (source.size > sizeMax) {
      throw new LimitError(`Cannot read "${this.pathOf(name)}": ${source.size} bytes`);
    }
    const buffer = allocateNativeBuffer(source.size);
    source.readAt(buffer, 0, source.size, 0);
    return buffer.bytes;
  }

  open(name: string): ByteSource {
    const bytes = this.#objects.alone(() => {
      const record = this.#objects.find(`/${name}`);
      return record === 0 ? undefined : this.#objects.bytesOf(record);
    });
    if (bytes === undefined) throw new OsError(Errno.ENOENT, "open", this.pathOf(name));
    return {
      size: bytes.length,
      readAt(target, start, size, offset) {
        const part = bytes.subarray(offset, offset + size);
        target.bytes.set(part, start);
        return part.length;
      },
      close() {},
    };
  }

  replace(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.#objects.alone(() => {
      if (this.#status(parentOf(name))?.kind !== "folder") {
        throw new OsError(Errno.ENOENT, "create", this.pathOf(name));
      }
      this.#objects.put(`/${name}`, bytes);
    });
  }

  commit(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.replace(name, bytes);
  }

  remove(name: string): boolean {
    return this.#objects.alone(() => {
      const record = this.#objects.find(`/${name}`);
      if (record !== 0) this.#objects.remove(record);
      return record !== 0;
    });
  }

  makeFolder(name: string): boolean {
    return this.#objects.alone(() => {
      if (this.#status(parentOf(name))?.kind !== "folder") {
        throw new OsError(Errno.ENOENT, "create", this.pathOf(name));
      }
      if (this.#status(name) !== undefined) return false;
      this.#objects.put(`/${name}/`, new Uint8Array(0));
      return true;
    });
  }

  removeFolder(name: string): void {
    this.#objects.alone(() => {
      const names = this.#objects.names(`/${name}/`);
      if (names.length > 1) throw new OsError(Errno.ENOTEMPTY, "remove", this.pathOf(name));
      for (const folder of names) this.#objects.remove(this.#objects.find(folder));
    });
  }

  removeFolderTree(name: string): void {
    this.#objects.alone(() => {
      for (const inner of this.#objects.names(`/${name}/`)) {
        this.#objects.remove(this.#objects.find(inner));
      }
    });
  }

  #status(name: string): StoredStatus | undefined {
    if (name === "" || this.#objects.find(`/${name}/`) !== 0) return { kind: "folder", size: 0 };
    const record = this.#objects.find(`/${name}`);
    return record === 0 ? undefined : { kind: "file", size: this.#objects.sizeOf(record) };
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(name.lastIndexOf("/"), 0));
}

/** Locks between those who use the same object of this class. */
class MemoryLocks implements StorageLocks {
  /** Holders by name; -1 is one who has it alone. */
  readonly #held = new Map<string, number>();

  lockGroup(group: GroupId): ObjectLock {
    return this.#lock(`${group.ns}|${formatGroup(group)}`, "exclusive");
  }

  lockSnapshot(snapshot: SnapshotId, kind: LockKind): ObjectLock {
    return this.#lock(`${snapshot.group.ns}|${formatSnapshot(snapshot)}`, kind);
  }

  lockManifest(snapshot: SnapshotId): ObjectLock {
    return this.#lock(`${snapshot.group.ns}|${formatSnapshot(snapshot)}|manifest`, "exclusive");
  }

  forgetGroup(): void {}

  forgetSnapshot(): void {}

  #lock(name: string, kind: LockKind): ObjectLock {
    const count = this.#held.get(name) ?? 0;
    if (count < 0 || (count > 0 && kind === "exclusive")) {
      throw new StateError("locked", `Cannot lock ${name}`);
    }
    this.#held.set(name, kind === "shared" ? count + 1 : -1);
    let isHeld = true;
    const release = () => {
      if (isHeld) this.#held.set(name, Math.max(this.#held.get(name)! - 1, 0));
      isHeld = false;
    };
    return { release };
  }
}

class MemoryWriterLock implements WriterLock {
  readonly #starts = new Set<HeldLock>();
  isHeldExclusively = false;

  get oldestSharedStart(): number | undefined {
    const starts = [...this.#starts].map(({ startTime }) => startTime);
    return starts.length === 0 ? undefined : Math.min(...starts);
  }

  acquireShared(): HeldLock {
    const lock = {
      startTime: Math.floor(Date.now() / 1000),
      release: () => void this.#starts.delete(lock),
    };
    this.#starts.add(lock);
    return lock;
  }

  acquireExclusive(): HeldLock {
    if (this.isHeldExclusively) throw new StateError("locked", "Cannot lock: it is locked");
    this.isHeldExclusively = true;
    const startTime = Math.floor(Date.now() / 1000);
    return { startTime, release: () => void (this.isHeldExclusively = false) };
  }
}

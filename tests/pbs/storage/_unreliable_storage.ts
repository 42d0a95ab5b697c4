/**
 * A storage in front of another one: calls take their time, and some fail, as a seed says.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import type { GarbageSupport } from "#src/pbs/storage/garbage_support.ts";
import type { StorageLocks, WriterLock } from "#src/pbs/storage/locks.ts";
import type {
  ChunkStorage,
  FileStorage,
  Storage,
  StorageDescription,
  StorageSpace,
} from "#src/pbs/storage/storage.ts";
import { sleep } from "#src/threads/waiting.ts";
import { Random } from "#tests/support/property_random.ts";

/** Plain values that name one. */
export interface UnreliableDescription extends StorageDescription {
  readonly kind: "unreliable";
  readonly inner: StorageDescription;
  readonly seed: number;
  /** One call in so many fails. */
  readonly failOneIn: number;
}

const DELAY_MAX_MS = 2;
/** What cannot fail by contract. */
const HARMLESS: ReadonlySet<string> = new Set(["expect", "pathOf", "placeOf"]);
/** Of these the answer may be lost too: to do them twice is no different from doing them once. */
const REPEATABLE: ReadonlySet<string> = new Set([
  "write",
  "touch",
  "read",
  "list",
  "replace",
  "commit",
  "removeFolderTree",
]);

/** See the head of the module. */
export class UnreliableStorage implements Storage {
  readonly chunks: ChunkStorage;
  readonly files: FileStorage;
  readonly garbage: GarbageSupport | undefined;
  readonly #inner: Storage;

  constructor(readonly description: UnreliableDescription) {
    this.#inner = openStorage(description.inner);
    this.chunks = unreliable(this.#inner.chunks, description);
    this.files = unreliable(this.#inner.files, description);
    const { garbage } = this.#inner;
    this.garbage = garbage && unreliable(garbage, description);
  }

  get locks(): StorageLocks | undefined {
    return this.#inner.locks;
  }

  get writerLock(): WriterLock | undefined {
    return this.#inner.writerLock;
  }

  space(): StorageSpace | undefined {
    return this.#inner.space();
  }

  close(): void {
    this.#inner.close();
  }
}

function unreliable<Part extends object>(
  part: Part,
  { seed, failOneIn }: UnreliableDescription,
): Part {
  const random = new Random(seed);
  const stumble = (name: string) => {
    if (random.oneIn(10)) sleep(random.between(0, DELAY_MAX_MS));
    if (random.oneIn(failOneIn)) throw new OsError(Errno.EIO, name, "unreliable");
  };
  return new Proxy(part, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof name !== "string" || typeof value !== "function") return value;
      if (HARMLESS.has(name)) return value.bind(target);
      return (...args: unknown[]) => {
        stumble(name);
        const result = value.apply(target, args);
        if (REPEATABLE.has(name)) stumble(name);
        return result;
      };
    },
  });
}

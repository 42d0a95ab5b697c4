/**
 * Chunks that are asked for before somebody waits for them.
 *
 * @module
 */

/** Under way or not taken yet. */
const COUNT_MAX = 8;

interface Expected {
  readonly bytes: Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Encoded chunks, each for one who takes it. */
export class Prefetched {
  readonly #load: (digest: string) => Promise<Uint8Array<ArrayBuffer>>;
  /** Oldest first. */
  readonly #expected = new Map<string, Expected>();

  constructor(load: (digest: string) => Promise<Uint8Array<ArrayBuffer>>) {
    this.#load = load;
  }

  /** Asks for a chunk; the oldest for which nobody came makes room. */
  expect(digest: string): void {
    if (this.#expected.has(digest)) return;
    if (this.#expected.size >= COUNT_MAX) {
      this.#expected.delete(this.#expected.keys().next().value!);
    }
    // What is wrong is found out by who needs it.
    this.#expected.set(digest, { bytes: this.#load(digest).catch(() => undefined) });
  }

  /** The chunk, when it comes; undefined when it was not asked for, or something is wrong. */
  take(digest: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const expected = this.#expected.get(digest);
    this.#expected.delete(digest);
    return expected?.bytes ?? Promise.resolve(undefined);
  }

  clear(): void {
    this.#expected.clear();
  }
}

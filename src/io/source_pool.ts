/**
 * Keeps recently used files open.
 *
 * @module
 */

import { LruCache } from "#src/bytes/lru_cache.ts";
import type { ByteSource, OpenSource } from "./byte_source.ts";

/**
 * Files one thread keeps open for reading: thousands of relations must not exhaust the descriptors.
 */
export const OPEN_SOURCES_MAX = 256;

/**
 * Open sources by path. A source may be closed by any later {@link get}: use it at once, do not
 * keep it.
 */
export class SourcePool {
  readonly #open: OpenSource;
  readonly #sources: LruCache<string, ByteSource>;

  constructor(open: OpenSource, openMax = OPEN_SOURCES_MAX) {
    this.#open = open;
    this.#sources = new LruCache(openMax, (source) => source.close());
  }

  /** Number of open files. */
  get openCount(): number {
    return this.#sources.count;
  }

  /** @throws {OsError} when the file cannot be opened */
  get(path: string): ByteSource {
    let source = this.#sources.get(path);
    if (source === undefined) {
      source = this.#open(path);
      this.#sources.set(path, source, 1);
    }
    return source;
  }

  close(): void {
    this.#sources.clear();
  }
}

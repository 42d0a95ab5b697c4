/**
 * Finds names that come twice in a directory that is being written.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";

/**
 * Names of one directory. As long as they ascend, each is compared with the one before and that is
 * all; the first that does not costs a set of all of them.
 */
export class NameCheck {
  readonly #names: string[] = [];
  #set: Set<string> | undefined;

  /**
   * Takes a name. @param bytes the same, encoded @returns false when it was there before; then
   * nothing has changed
   */
  add(name: string, bytes: Uint8Array): boolean {
    // Only bytes tell names apart: a lone surrogate may stand for one that is part of a character.
    const own = name.isWellFormed() ? name : decodeFileName(bytes);
    if (this.#set !== undefined) {
      if (this.#set.has(own)) return false;
      this.#set.add(own);
      return true;
    }
    const last = this.#names.at(-1);
    if (last !== undefined && !(last < own)) {
      const set = new Set(this.#names);
      if (set.has(own)) return false;
      this.#set = set.add(own);
      this.#names.length = 0;
      return true;
    }
    this.#names.push(own);
    return true;
  }
}

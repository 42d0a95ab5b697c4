/**
 * Where files with possibly several names were met first: about 70 bytes a file.
 *
 * @module
 */

import { childPath } from "#src/tree/paths.ts";
import type { FileNode } from "#src/tree/node.ts";

const CAPACITY_MIN = 1024;
/** A slot with nothing in it; others hold an index and one. */
const FREE = 0;

/** The first name of a file, and what was to be remembered with it. */
export interface FirstName {
  readonly path: string;
  readonly value: number;
}

/** Files of any number of trees. */
export class FirstNames {
  readonly #tables = new Map<object, FileTable>();

  /** The first name of `file`, or undefined when it was not met yet, or has one name only. */
  find(file: FileNode): FirstName | undefined {
    return this.#tables.get(file.origin)?.find(file.id);
  }

  /** Remembers `name` in `directoryPath` as the first name of `file`, unless it has no other. */
  add(file: FileNode, directoryPath: string, name: string, value: number): void {
    if (file.linkCount === 1) return;
    let table = this.#tables.get(file.origin);
    if (table === undefined) this.#tables.set(file.origin, table = new FileTable());
    table.add(file.id, directoryPath, name, value);
  }
}

/** Files of one origin, by id: open addressing, so that there is no object for each. */
class FileTable {
  #count = 0;
  #ids = new Float64Array(CAPACITY_MIN / 2);
  #values = new Float64Array(CAPACITY_MIN / 2);
  #directories = new Uint32Array(CAPACITY_MIN / 2);
  #slots = new Uint32Array(CAPACITY_MIN);
  readonly #names: string[] = [];
  readonly #directoryPaths: string[] = [];

  find(id: number): FirstName | undefined {
    const entry = this.#slots[this.#slotOf(id)]!;
    if (entry === FREE) return undefined;
    const index = entry - 1;
    const path = childPath(this.#directoryPaths[this.#directories[index]!]!, this.#names[index]!);
    return { path, value: this.#values[index]! };
  }

  /** Adds a file that is not in the table. */
  add(id: number, directoryPath: string, name: string, value: number): void {
    if (this.#count === this.#ids.length) this.#grow();
    const index = this.#count++;
    // Files come directory by directory.
    if (this.#directoryPaths.at(-1) !== directoryPath) this.#directoryPaths.push(directoryPath);
    this.#ids[index] = id;
    this.#values[index] = value;
    this.#directories[index] = this.#directoryPaths.length - 1;
    this.#names.push(name);
    this.#slots[this.#slotOf(id)] = index + 1;
  }

  /** The slot that has `id`, or the free one where it belongs. */
  #slotOf(id: number): number {
    const mask = this.#slots.length - 1;
    const hash = Math.imul(id >>> 0, 0x9e3779b1) ^ Math.imul(id / 2 ** 32, 0x85ebca6b);
    let slot = (hash ^ hash >>> 15) & mask;
    while (this.#slots[slot] !== FREE && this.#ids[this.#slots[slot]! - 1] !== id) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const capacity = this.#ids.length * 2;
    const grown = <Numbers extends Float64Array | Uint32Array>(from: Numbers, to: Numbers) => {
      to.set(from);
      return to;
    };
    this.#ids = grown(this.#ids, new Float64Array(capacity));
    this.#values = grown(this.#values, new Float64Array(capacity));
    this.#directories = grown(this.#directories, new Uint32Array(capacity));
    this.#slots = new Uint32Array(capacity * 2);
    for (let index = 0; index < this.#count; index++) {
      this.#slots[this.#slotOf(this.#ids[index]!)] = index + 1;
    }
  }
}

/**
 * What a diff has under which names, once for all threads: one piece of shared memory, made when
 * the diff is opened (`diff_scan.ts`) and never changed.
 *
 * A node is a number from 0, the root, on; 128 bytes each. A name is 12 bytes and its characters;
 * those of one directory lie one behind the other, in the order of their bytes.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";

/** The directory `data/`: the root of the merged tree. */
export const ROOT_NODE = 0;
/** The directory `links/` (`linked_files.ts`), which is in no tree. */
export const LINKS_NODE = 1;

/** Instead of the number of a node: the name is gone. */
export const WHITEOUT_NODE = -1;

/** What is kept of a node: a number each. */
export const NodeField = {
  /** {@link Shape} bits. */
  SHAPE: 0,
  MODE: 1,
  UID: 2,
  GID: 3,
  RDEV: 4,
  NLINK: 5,
  /** On the host. */
  SIZE: 6,
  MTIME_SECONDS: 7,
  MTIME_NANOSECONDS: 8,
  /** Space taken on the host. */
  DISK_BYTES: 9,
  /** The directory of its first name, and the number of that name; -1 for what has none. */
  PARENT: 10,
  ENTRY: 11,
  /** Directories: number of the first name in it, and how many there are. */
  FIRST: 12,
  COUNT: 13,
  /** Its text: the target of a link, or what {@link Shape} says. */
  TEXT: 14,
  TEXT_LENGTH: 15,
} as const;
/** Numbers that are kept of a node; even, so that nodes begin at round places. */
export const FIELD_COUNT = 16;

/** What a node is beside its type. */
export const Shape = {
  /** A directory with a marker; the text is the path that it continues, if it continues any. */
  MARKED: 1,
  CONTINUED: 2,
  /** It cannot be read; the text says why. */
  DAMAGED: 4,
} as const;

/** Words that are kept of a name: offset and length of its characters, and the node. */
export const ENTRY_WORDS = 3;

/** The parts of an index while it is made. */
export interface IndexParts {
  /** {@link FIELD_COUNT} numbers a node. */
  readonly nodes: readonly number[];
  /** {@link ENTRY_WORDS} a name. */
  readonly entries: readonly number[];
  readonly text: Uint8Array;
}

/** An empty node, to be filled and appended to {@link IndexParts.nodes}. */
export function makeIndexedNode(): number[] {
  const node = new Array<number>(FIELD_COUNT).fill(0);
  node[NodeField.PARENT] = node[NodeField.ENTRY] = -1;
  return node;
}

/** Number of the fields of all nodes before a node. */
export function placeOf(node: number, field: number): number {
  return node * FIELD_COUNT + field;
}

/** Puts an index into memory that can be posted to threads. */
export function packIndex({ nodes, entries, text }: IndexParts): SharedArrayBuffer {
  const header = [nodes.length, entries.length];
  const doublesLength = header.length + nodes.length;
  const wordsOffset = doublesLength * 8;
  const textOffset = wordsOffset + entries.length * 4;
  const memory = new SharedArrayBuffer(textOffset + text.length);
  new Float64Array(memory, 0, doublesLength).set([...header, ...nodes]);
  new Int32Array(memory, wordsOffset, entries.length).set(entries);
  new Uint8Array(memory, textOffset).set(text);
  return memory;
}

/** Reads an index in one thread. */
export class DiffIndex {
  readonly #nodes: Float64Array;
  readonly #entries: Int32Array;
  readonly #text: Uint8Array;

  /** @param memory what {@link packIndex} made */
  constructor(memory: SharedArrayBuffer) {
    const [nodesLength, entriesLength] = new Float64Array(memory, 0, 2) as unknown as [
      number,
      number,
    ];
    this.#nodes = new Float64Array(memory, 16, nodesLength);
    this.#entries = new Int32Array(memory, 16 + nodesLength * 8, entriesLength);
    this.#text = new Uint8Array(memory, 16 + nodesLength * 8 + entriesLength * 4);
  }

  /** Nodes have numbers below. */
  get nodeCount(): number {
    return this.#nodes.length / FIELD_COUNT;
  }

  get(node: number, field: number): number {
    return this.#nodes[placeOf(node, field)]!;
  }

  has(node: number, shape: number): boolean {
    return (this.get(node, NodeField.SHAPE) & shape) !== 0;
  }

  /** See {@link NodeField.TEXT}. */
  text(node: number): string {
    return this.#decode(this.get(node, NodeField.TEXT), this.get(node, NodeField.TEXT_LENGTH));
  }

  /** What a directory has under a name: a node, {@link WHITEOUT_NODE}, or undefined. */
  find(directory: number, name: string): number | undefined {
    const wanted = encodeFileName(name);
    let low = this.get(directory, NodeField.FIRST);
    let high = low + this.get(directory, NodeField.COUNT);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(wanted, middle);
      if (order === 0) return this.nodeOf(middle);
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    return undefined;
  }

  /** The node of a name, or {@link WHITEOUT_NODE}. */
  nodeOf(entry: number): number {
    return this.#entries[entry * ENTRY_WORDS + 2]!;
  }

  nameOf(entry: number): string {
    const place = entry * ENTRY_WORDS;
    return this.#decode(this.#entries[place]!, this.#entries[place + 1]!);
  }

  /** Path of a node in the diff directory. */
  hostPath(node: number): string {
    const names: string[] = [];
    let current = node;
    while (current !== ROOT_NODE && current !== LINKS_NODE) {
      names.unshift(this.nameOf(this.get(current, NodeField.ENTRY)));
      current = this.get(current, NodeField.PARENT);
    }
    return [current === ROOT_NODE ? "data" : "links", ...names].join("/");
  }

  /** Space that all nodes take on the host. */
  get diskBytes(): number {
    let sum = 0;
    for (let node = 0; node < this.nodeCount; node++) sum += this.get(node, NodeField.DISK_BYTES);
    return sum;
  }

  #compare(wanted: Uint8Array, entry: number): number {
    const place = entry * ENTRY_WORDS;
    const start = this.#entries[place]!;
    const length = this.#entries[place + 1]!;
    const common = Math.min(wanted.length, length);
    for (let index = 0; index < common; index++) {
      const difference = wanted[index]! - this.#text[start + index]!;
      if (difference !== 0) return difference;
    }
    return wanted.length - length;
  }

  #decode(start: number, length: number): string {
    // A copy, since decoders take no shared memory.
    return decodeFileName(this.#text.slice(start, start + length));
  }
}

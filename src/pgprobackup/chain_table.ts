/**
 * The merged file lists of a chain: which nodes there are, and which backup stores what of them.
 *
 * A catalog may have 50,000 files and every thread needs all of them, so this is one piece of
 * shared memory instead of an object for each file: about 40 bytes a node, its name, and 72 bytes
 * for each stored version.
 *
 * Nodes are numbered from 1, the root; versions likewise. 0 says "none". Names are kept as the
 * bytes of the list.
 *
 * @module
 */

import { decodeFileName, encodeFileNameInto } from "#src/bytes/file_name.ts";
import { NAME_SIZE_MAX, type PageCompression } from "./format/content.ts";

/** What a node is. */
export const NodeKind = {
  DIRECTORY: 0,
  /** Pages, from any number of versions. */
  RELATION: 1,
  /** Any other file, stored by one version. */
  WHOLE: 2,
  /** A link to a directory of the tree. */
  LINK: 3,
} as const;

/** A value of {@link NodeKind}. */
export type NodeKind = typeof NodeKind[keyof typeof NodeKind];

/** Words of a node. */
const Word = {
  PARENT: 0,
  /** Offset of the name. */
  NAME: 1,
  /** `kind << 24 | length of the name << 16 | mode`. */
  SHAPE: 2,
  /** Next node of the same hash bucket. */
  NEXT: 3,
  /** Next node of the same directory. */
  SIBLING: 4,
  /** Directory: first child. File: first version. Link: the directory it leads to. */
  FIRST: 5,
  /** Directory: last child. File: last version. */
  LAST: 6,
  /** Relation: blocks; negative while that is only the most that there can be. */
  BLOCKS: 7,
  /** Relation: number of the 1 GiB segment. */
  SEGMENT: 8,
} as const;
const NODE_WORDS = 9;

/** Doubles of a version. */
const Field = {
  NEXT: 0,
  /** `layer * EXTERNAL_SPAN + external directory`. */
  PLACE: 1,
  SIZE: 2,
  /** `compression`, and {@link GAPLESS}. */
  SHAPE: 3,
  HEADER_COUNT: 4,
  /** Whole file: instead of the above, its size with the zeros that are not stored. */
  VISIBLE_SIZE: 4,
  HEADER_OFFSET: 5,
  HEADER_SIZE: 6,
  HEADER_CRC: 7,
  CRC: 8,
} as const;
const VERSION_FIELDS = 9;

/** Flag of a version: see {@link Version.isGapless}. */
const GAPLESS = 1 << 8;

/** Above every number of an external directory. */
const EXTERNAL_SPAN = 1 << 17;

/** Words before the sections of packed memory: their lengths in elements, and the seed. */
const HEADER_WORDS = 8;

/** The parts of a table. */
interface Sections<Memory extends ArrayBufferLike> {
  seed: number;
  nodeCount: number;
  /** Record `id - 1` is that of node `id`; the same goes for versions. */
  nodes: Int32Array<Memory>;
  versions: Float64Array<Memory>;
  /** First node of each bucket; the length is a power of two. */
  buckets: Int32Array<Memory>;
  names: Uint8Array<Memory>;
}

/** Where a version is stored, and how. */
export interface Version {
  /** Number of the backup in the chain. */
  readonly layer: number;
  /** That backup's number of the external directory; 0 = data directory. */
  readonly externalNumber: number;
  /** Bytes stored. */
  readonly size: number;
  readonly compression: PageCompression;
  /** Pages: the records are those of blocks 0 to `headerCount - 1`. */
  readonly isGapless: boolean;
  readonly headerCount: number;
  readonly headerOffset: number;
  readonly headerSize: number;
  readonly headerCrc: number;
  /** CRC-32C of the bytes stored; -1 where the list tells none. */
  readonly crc: number;
}

/** Read access to a table. Ids are not checked. */
export class ChainTable<Memory extends ArrayBufferLike = SharedArrayBuffer> {
  /** Replaced while the table grows. */
  protected readonly sections: Sections<Memory>;
  readonly #name = new Uint8Array(NAME_SIZE_MAX + 1);

  protected constructor(sections: Sections<Memory>) {
    this.sections = sections;
  }

  /** A table that {@link ChainTableBuilder.pack} has made. */
  static of(memory: SharedArrayBuffer): ChainTable {
    const [versionLength, nodeLength, bucketLength, nameLength, seed] = new Int32Array(
      memory,
      0,
      HEADER_WORDS,
    ) as unknown as [number, number, number, number, number];
    let offset = HEADER_WORDS * 4;
    const place = (bytes: number) => (offset += bytes) - bytes;
    return new ChainTable({
      seed,
      nodeCount: nodeLength / NODE_WORDS,
      versions: new Float64Array(memory, place(versionLength * 8), versionLength),
      nodes: new Int32Array(memory, place(nodeLength * 4), nodeLength),
      buckets: new Int32Array(memory, place(bucketLength * 4), bucketLength),
      names: new Uint8Array(memory, place(nameLength), nameLength),
    });
  }

  /** Ids go from 1 to this number. */
  get nodeCount(): number {
    return this.sections.nodeCount;
  }

  kind(id: number): NodeKind {
    return (this.word(id, Word.SHAPE) >>> 24) as NodeKind;
  }

  mode(id: number): number {
    return this.word(id, Word.SHAPE) & 0xffff;
  }

  /** The root's name is empty, and it is its own parent. */
  name(id: number): string {
    const start = this.word(id, Word.NAME);
    return decodeFileName(this.sections.names.slice(start, start + this.#nameLength(id)));
  }

  parent(id: number): number {
    return this.word(id, Word.PARENT);
  }

  firstChild(id: number): number {
    return this.word(id, Word.FIRST);
  }

  nextSibling(id: number): number {
    return this.word(id, Word.SIBLING);
  }

  /** The directory that a link leads to. */
  linkedDirectory(id: number): number {
    return this.word(id, Word.FIRST);
  }

  /** Blocks of a relation, or the most there can be while {@link isBlockCountKnown} is false. */
  blockCount(id: number): number {
    return Math.abs(this.word(id, Word.BLOCKS));
  }

  /** False as long as the stored blocks have not been read for it; see `relation_length.ts`. */
  isBlockCountKnown(id: number): boolean {
    return this.word(id, Word.BLOCKS) >= 0;
  }

  /** Tells all threads how many blocks a relation has. The first one that finds it out decides. */
  setBlockCount(id: number, count: number): void {
    const place = (id - 1) * NODE_WORDS + Word.BLOCKS;
    const { nodes } = this.sections;
    Atomics.compareExchange(nodes, place, -this.blockCount(id), count);
  }

  segment(id: number): number {
    return this.word(id, Word.SEGMENT);
  }

  /** The child of a directory with that name, or 0. */
  lookup(parent: number, name: string): number {
    const length = encodeFileNameInto(name, this.#name);
    return length < 0 ? 0 : this.find(parent, this.#name, 0, length);
  }

  /** As {@link lookup}, the name being bytes. */
  find(parent: number, bytes: Uint8Array, start: number, end: number): number {
    const { nodes, names, buckets } = this.sections;
    const length = end - start;
    let id = buckets[this.bucketOf(parent, bytes, start, end)]!;
    while (id !== 0) {
      const record = (id - 1) * NODE_WORDS;
      const nameStart = nodes[record + Word.NAME]!;
      if (nodes[record + Word.PARENT] === parent && this.#nameLength(id) === length) {
        let same = 0;
        while (same < length && names[nameStart + same] === bytes[start + same]) same++;
        if (same === length) return id;
      }
      id = nodes[record + Word.NEXT]!;
    }
    return 0;
  }

  /** The first version of a file, newest backup first, or 0. */
  firstVersion(id: number): number {
    return this.word(id, Word.FIRST);
  }

  nextVersion(version: number): number {
    return this.#field(version, Field.NEXT);
  }

  /** All versions of a file, newest backup first. */
  *versions(id: number): Iterable<Version> {
    for (let version = this.firstVersion(id); version !== 0; version = this.nextVersion(version)) {
      yield this.version(version);
    }
  }

  /** Number of the newest backup that stores something of a file; 0 for an empty one. */
  newestLayer(id: number): number {
    const version = this.firstVersion(id);
    return version === 0 ? 0 : Math.floor(this.#field(version, Field.PLACE) / EXTERNAL_SPAN);
  }

  version(version: number): Version {
    const place = this.#field(version, Field.PLACE);
    const shape = this.#field(version, Field.SHAPE);
    return {
      layer: Math.floor(place / EXTERNAL_SPAN),
      externalNumber: place % EXTERNAL_SPAN,
      size: this.#field(version, Field.SIZE),
      compression: (shape & ~GAPLESS) as PageCompression,
      isGapless: (shape & GAPLESS) !== 0,
      headerCount: this.#field(version, Field.HEADER_COUNT),
      headerOffset: this.#field(version, Field.HEADER_OFFSET),
      headerSize: this.#field(version, Field.HEADER_SIZE),
      headerCrc: this.#field(version, Field.HEADER_CRC),
      crc: this.#field(version, Field.CRC),
    };
  }

  /** Size of a whole file; above what is stored when zeros at its end are not. */
  wholeSize(id: number): number {
    const version = this.firstVersion(id);
    return version === 0 ? 0 : this.#field(version, Field.VISIBLE_SIZE);
  }

  /** What is stored of a whole file, in bytes. */
  storedSize(id: number): number {
    const version = this.firstVersion(id);
    return version === 0 ? 0 : this.#field(version, Field.SIZE);
  }

  protected word(id: number, word: number): number {
    return this.sections.nodes[(id - 1) * NODE_WORDS + word]!;
  }

  protected bucketOf(parent: number, bytes: Uint8Array, start: number, end: number): number {
    // Seeded: names come from outside, and a list could have been made to fill one bucket.
    let hash = this.sections.seed ^ parent;
    for (let position = start; position < end; position++) {
      hash = Math.imul(hash ^ bytes[position]!, 0x01000193);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x85ebca6b);
    return (hash ^ (hash >>> 13)) & (this.sections.buckets.length - 1);
  }

  #nameLength(id: number): number {
    return (this.word(id, Word.SHAPE) >>> 16) & 0xff;
  }

  #field(version: number, field: number): number {
    return this.sections.versions[(version - 1) * VERSION_FIELDS + field]!;
  }
}

/** A table in the making; has a root directory of that mode. */
export class ChainTableBuilder extends ChainTable<ArrayBuffer> {
  #versionCount = 0;
  #nameBytes = 0;

  constructor(rootMode: number) {
    super({
      seed: crypto.getRandomValues(new Int32Array(1))[0]!,
      nodeCount: 0,
      nodes: new Int32Array(1024 * NODE_WORDS),
      versions: new Float64Array(1024 * VERSION_FIELDS),
      buckets: new Int32Array(1024),
      names: new Uint8Array(16 * 1024),
    });
    this.addNode(NodeKind.DIRECTORY, rootMode, 1, new Uint8Array(0), 0, 0);
  }

  get rootId(): number {
    return 1;
  }

  /** Adds a node whose name its parent does not have yet. @returns its id */
  addNode(
    kind: NodeKind,
    mode: number,
    parent: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const { sections } = this;
    const id = ++sections.nodeCount;
    sections.nodes = grown(sections.nodes, id * NODE_WORDS);
    if (id > sections.buckets.length) this.#rehash();
    const record = (id - 1) * NODE_WORDS;
    const { nodes } = sections;
    nodes[record + Word.PARENT] = parent;
    nodes[record + Word.NAME] = this.#nameBytes;
    nodes[record + Word.SHAPE] = (kind << 24) | ((end - start) << 16) | mode;
    sections.names = grown(sections.names, this.#nameBytes + end - start);
    for (let position = start; position < end; position++) {
      sections.names[this.#nameBytes++] = bytes[position]!;
    }
    if (id === this.rootId) return id;
    this.#enter(id);
    const parentRecord = (parent - 1) * NODE_WORDS;
    const last = nodes[parentRecord + Word.LAST]!;
    if (last === 0) nodes[parentRecord + Word.FIRST] = id;
    else nodes[(last - 1) * NODE_WORDS + Word.SIBLING] = id;
    nodes[parentRecord + Word.LAST] = id;
    return id;
  }

  setMode(id: number, mode: number): void {
    const record = (id - 1) * NODE_WORDS;
    this.sections.nodes[record + Word.SHAPE] = (this.word(id, Word.SHAPE) & ~0xffff) | mode;
  }

  setLink(id: number, directory: number): void {
    this.sections.nodes[(id - 1) * NODE_WORDS + Word.FIRST] = directory;
  }

  /** `blockCount` is negative while that is only the most that there can be. */
  setRelation(id: number, blockCount: number, segment: number): void {
    const record = (id - 1) * NODE_WORDS;
    this.sections.nodes[record + Word.BLOCKS] = blockCount;
    this.sections.nodes[record + Word.SEGMENT] = segment;
  }

  /** Adds a version of a relation after those of newer backups. */
  addVersion(id: number, version: Version): void {
    this.#append(id, version, version.headerCount);
  }

  /** Says where the content of a whole file is; `size` beyond what is stored is zeros. */
  placeWhole(id: number, version: Version, size: number): void {
    this.#append(id, version, size);
  }

  /**
   * The table in memory that other threads can use too. What it was built in is given back: this is
   * the last call.
   */
  pack(): SharedArrayBuffer {
    const { seed, nodeCount, nodes, versions, buckets, names } = this.sections;
    const parts = [
      versions.subarray(0, this.#versionCount * VERSION_FIELDS),
      nodes.subarray(0, nodeCount * NODE_WORDS),
      buckets,
      names.subarray(0, this.#nameBytes),
    ];
    const header = Int32Array.of(...parts.map((part) => part.length), seed);
    const sizeBytes = parts.reduce((sum, part) => sum + part.byteLength, HEADER_WORDS * 4);
    const memory = new SharedArrayBuffer(sizeBytes);
    const bytes = new Uint8Array(memory);
    bytes.set(new Uint8Array(header.buffer));
    let offset = HEADER_WORDS * 4;
    for (const part of parts) {
      bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), offset);
      offset += part.byteLength;
    }
    for (const part of parts) part.buffer.transfer(0);
    return memory;
  }

  #append(id: number, version: Version, headerCountOrSize: number): void {
    const { sections } = this;
    const number = ++this.#versionCount;
    sections.versions = grown(sections.versions, number * VERSION_FIELDS);
    const { versions, nodes } = sections;
    const start = (number - 1) * VERSION_FIELDS;
    versions[start + Field.PLACE] = version.layer * EXTERNAL_SPAN + version.externalNumber;
    versions[start + Field.SIZE] = version.size;
    versions[start + Field.SHAPE] = version.compression | (version.isGapless ? GAPLESS : 0);
    versions[start + Field.HEADER_COUNT] = headerCountOrSize;
    versions[start + Field.HEADER_OFFSET] = version.headerOffset;
    versions[start + Field.HEADER_SIZE] = version.headerSize;
    versions[start + Field.HEADER_CRC] = version.headerCrc;
    versions[start + Field.CRC] = version.crc;
    const record = (id - 1) * NODE_WORDS;
    const last = nodes[record + Word.LAST]!;
    if (last === 0) nodes[record + Word.FIRST] = number;
    else versions[(last - 1) * VERSION_FIELDS + Field.NEXT] = number;
    nodes[record + Word.LAST] = number;
  }

  #rehash(): void {
    this.sections.buckets = new Int32Array(4 * this.sections.buckets.length);
    // The last node is not complete yet.
    for (let id = this.rootId + 1; id < this.nodeCount; id++) this.#enter(id);
  }

  #enter(id: number): void {
    const { nodes, names, buckets } = this.sections;
    const record = (id - 1) * NODE_WORDS;
    const start = nodes[record + Word.NAME]!;
    const length = (nodes[record + Word.SHAPE]! >>> 16) & 0xff;
    const bucket = this.bucketOf(nodes[record + Word.PARENT]!, names, start, start + length);
    nodes[record + Word.NEXT] = buckets[bucket]!;
    buckets[bucket] = id;
  }
}

/**
 * The array, or a larger one with the same beginning, such that `length` elements fit; then the old
 * one is gone.
 */
function grown<
  T extends Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>,
>(
  array: T,
  length: number,
): T {
  if (length <= array.length) return array;
  const sizeBytes = Math.max(length, 2 * array.length) * array.BYTES_PER_ELEMENT;
  const TypedArray = array.constructor as new (buffer: ArrayBuffer) => T;
  return new TypedArray(array.buffer.transfer(sizeBytes));
}

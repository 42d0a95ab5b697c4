/**
 * A random chain of backups, and the files that it must show. Made in memory from a seed alone, so
 * that the writer of the catalog and each client of the mount know the same.
 *
 * @module
 */

import { pageChecksum } from "#src/pgprobackup/format/page_checksum.ts";
import type { BackupSpec, CompressionName, Entry } from "#tests/pgprobackup/_catalog_writer.ts";
import { Random } from "#tests/support/property_random.ts";

const PAGE_SIZE = 8192;
const SEGMENT_BLOCKS = 131_072;
const START_SECONDS = 1_795_226_505;
const BACKUPS_MAX = 4;
const COMPRESSIONS: readonly CompressionName[] = ["none", "zlib", "pglz", "lz4", "zstd"];

/** Processes that work on a mount at the same time. */
export const CLIENT_COUNT = 3;
/** Relation that all clients write to, each in byte ranges of its own. */
export const SHARED_PATH = "base/1/30000";
/** Its size. */
export const SHARED_SIZE = 48 * PAGE_SIZE;
/** Relation that nobody writes to. */
export const UNTOUCHED_PATH = "base/1/30001";
/** Relation of which block n belongs to client n mod {@link CLIENT_COUNT}. */
export const STRIPED_PATH = "base/1/30002";
/** Its blocks. */
export const STRIPED_BLOCKS = 1024;
/** File to which all clients append lines. */
export const JOURNAL_PATH = "base/1/journal";
/** Directory in which all clients make names. */
export const COMMON_DIRECTORY = "base/1/common";

/** Directories of one client: in the data directory, and in a tablespace. */
export function homesOf(client: number): readonly [string, string] {
  return [`base/${10_000 + client}`, `pg_tblspc/${20_000 + client}/PG_15_202209061/5`];
}

/** A chain, and what its last backup is. */
export interface PropertyChain {
  /** Oldest first; each one is the parent of the next. */
  readonly backups: readonly BackupSpec[];
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly directories: readonly string[];
}

function makePage(random: Random, absoluteBlock: number): Uint8Array<ArrayBuffer> {
  const kind = random.between(0, 9);
  if (kind === 0) return new Uint8Array(PAGE_SIZE);
  // Incompressible pages are stored as they are, between compressed ones.
  const page = kind < 4 ? random.bytes(PAGE_SIZE) : new Uint8Array(PAGE_SIZE).fill(kind);
  if (kind >= 4) page.set(random.bytes(random.between(1, 3000)), random.between(24, 5000));
  const view = new DataView(page.buffer);
  view.setUint16(12, 24, true); // pd_lower
  view.setUint16(14, 2048, true); // pd_upper
  view.setUint16(16, PAGE_SIZE, true); // pd_special
  view.setUint16(18, PAGE_SIZE | 4, true); // page size and layout version
  view.setUint16(8, pageChecksum(new Int32Array(page.buffer), 0, absoluteBlock), true);
  return page;
}

/** One relation file through all backups, the newest version of each block on top. */
class RelationHistory {
  readonly #newest = new Map<number, Uint8Array>();
  #blockCount = 0;

  constructor(
    readonly path: string,
    readonly blocksMax: number,
    /** The last backup has `blocksMax` blocks, and stores the last of them. */
    readonly isFull: boolean,
    /** Only one block in so many has ever been stored. */
    readonly sparseness = 1,
  ) {}

  entry(random: Random, isLast: boolean): Entry {
    const { path } = this;
    const segment = Number(/\.(\d+)$/.exec(path)?.[1] ?? 0);
    const blockCount = isLast && this.isFull
      ? this.blocksMax
      : random.oneIn(8)
      ? 0
      : random.between(1, this.blocksMax);
    const share = random.between(0, 4);
    const pages = new Map<number, Uint8Array>();
    for (let block = 0; block < blockCount; block++) {
      const isEnd = isLast && this.isFull && block === blockCount - 1;
      const isStored = random.between(0, 4) < share && random.oneIn(this.sparseness);
      if (!isStored && !isEnd) continue;
      pages.set(block, makePage(random, segment * SEGMENT_BLOCKS + block));
    }
    for (const [block, page] of pages) this.#newest.set(block, page);
    this.#blockCount = blockCount;
    const compression = random.pick(COMPRESSIONS);
    return { path, segment, blockCount, pages, compression, withoutMap: random.oneIn(4) };
  }

  content(): Uint8Array<ArrayBuffer> {
    // A restore ends the file behind the last block that it has, however many the list counts.
    const stored = [...this.#newest.keys()].filter((block) => block < this.#blockCount);
    const content = new Uint8Array((Math.max(-1, ...stored) + 1) * PAGE_SIZE);
    for (const [block, page] of this.#newest) {
      if (block < this.#blockCount) content.set(page, block * PAGE_SIZE);
    }
    return content;
  }
}

/** A file that is stored whole; `isCfs` ones without the zeros at their end. */
class WholeHistory {
  #content = new Uint8Array(0);

  constructor(readonly path: string, readonly sizeMax: number, readonly isCfs: boolean) {}

  entry(random: Random, isFirst: boolean): Entry {
    const { path, isCfs } = this;
    if (!isFirst && random.oneIn(2)) return { path, isCfs, content: "unchanged" };
    const stored = random.bytes(random.between(isCfs ? 1 : 0, this.sizeMax));
    const fullSize = isCfs ? stored.length + random.between(0, 20_000) : stored.length;
    this.#content = new Uint8Array(fullSize);
    this.#content.set(stored);
    return { path, content: stored, ...(isCfs ? { isCfs, fullSize } : {}) };
  }

  content(): Uint8Array<ArrayBuffer> {
    return this.#content;
  }
}

function directoriesOf(client: number): string[] {
  const [home, tablespace] = homesOf(client);
  const [space, version] = [tablespace.replace(/\/PG_.*$/, ""), tablespace.replace(/\/5$/, "")];
  return [home, `${home}/sub`, `${home}/sub/deep`, space, version, tablespace, `${tablespace}/sub`];
}

function historiesOf(client: number): (RelationHistory | WholeHistory)[] {
  const [home, tablespace] = homesOf(client);
  const relation = (path: string, blocksMax: number) => new RelationHistory(path, blocksMax, false);
  return [
    relation(`${home}/16384`, 40),
    relation(`${home}/16384.1`, 12),
    relation(`${home}/16384.2`, 3),
    relation(`${home}/16385_fsm`, 5),
    relation(`${home}/sub/16386`, 24),
    relation(`${home}/sub/deep/16387`, 6),
    relation(`${tablespace}/16388`, 20),
    relation(`${tablespace}/sub/16389`, 9),
    ...Array.from({ length: 6 }, (_, index) => relation(`${home}/${17_000 + index}`, 10)),
    new WholeHistory(`${home}/notes`, 70_000, false),
    new WholeHistory(`${home}/sub/PG_VERSION`, 3, false),
    new WholeHistory(`${tablespace}/16390.cfm`, 50_000, true),
  ];
}

/** The chain of a seed. */
export function makeChain(seed: number): PropertyChain {
  const random = new Random(seed, 1);
  const clients = Array.from({ length: CLIENT_COUNT }, (_, client) => client);
  const directories = ["base", "base/1", COMMON_DIRECTORY, "pg_tblspc", "pg_wal", "global"];
  for (const client of clients) directories.push(...directoriesOf(client));
  const histories = [
    new RelationHistory(SHARED_PATH, SHARED_SIZE / PAGE_SIZE, true),
    new RelationHistory(STRIPED_PATH, STRIPED_BLOCKS, true, 50),
    new RelationHistory(UNTOUCHED_PATH, 64, false),
    new WholeHistory(JOURNAL_PATH, 0, false),
    ...clients.flatMap(historiesOf),
  ];
  const count = random.between(1, BACKUPS_MAX);
  const backups: BackupSpec[] = [];
  /** Files that come only with a later backup, and those that a backup between does not have. */
  const firstOf = histories.map(() => random.oneIn(5) ? random.between(0, count - 1) : 0);
  for (let index = 0; index < count; index++) {
    const entries: Entry[] = directories.map((path) => ({ path, directory: true }));
    for (const [at, history] of histories.entries()) {
      const first = firstOf[at]!;
      if (index < first) continue;
      entries.push(
        history instanceof RelationHistory
          ? history.entry(random, index === count - 1)
          : history.entry(random, index === first),
      );
    }
    // Dropped later: must not be seen.
    if (index < count - 1) {
      entries.push({ path: `${homesOf(0)[0]}/dropped${index}`, content: random.bytes(9) });
    }
    backups.push({
      startTime: START_SECONDS + index,
      ...(index === 0 ? {} : { parent: START_SECONDS + index - 1 }),
      entries,
    });
  }
  const files = new Map(histories.map((history) => [history.path, history.content()]));
  return { backups, files, directories };
}

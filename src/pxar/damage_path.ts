/**
 * The next event of an archive, also behind damage: by the tables of the directories that are open.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { type GuidedEntry, TableGuide } from "./reading/table_guide.ts";
import type { PxarDecoder, PxarEntryEvent, PxarEvent } from "./decoder.ts";
import { filenameHash, hashFileName } from "./format/filename_hash.ts";
import { isMalformed } from "./malformed.ts";

/** So many lost entries are named at most. */
const NAMED_MAX = 1_000_000;

/** Something in a directory, known without the archive. */
export interface KnownEntry {
  /** Last part of its path. */
  readonly name: string;
  /** Whether others may be in it. */
  readonly isDirectory: boolean;
}

/** What helps behind damage. */
export interface DamageHelp {
  /**
   * Gives random access to the metadata stream. Without it damage is the end, and so is what cannot
   * be an archive.
   */
  readonly openTables?: (() => ByteSource) | undefined;
  /**
   * What is in a directory, in the order of the archive, as far as something else than the archive
   * tells it.
   */
  readonly knownEntries?: ((path: string) => readonly KnownEntry[]) | undefined;
}

/** Hears of damage. */
export interface DamageListener {
  /** Something in `path`, or the entry itself, cannot be read. */
  fail(path: string, error: Error): void;
  /** An entry of this name is lost. */
  lose(path: string, error: Error): void;
  /** The regular file that was the entry before ends elsewhere: what was read of it is wrong. */
  misread(path: string, error: Error): void;
}

/** An open directory. */
interface OpenDirectory {
  readonly path: string;
  /** Offset of its FILENAME header. */
  readonly offset: number;
  /** Name of the last entry in it that was read. */
  last: string | undefined;
}

/** Knows which directories are open, and so where it goes on. */
export class DamagePath {
  readonly #decoder: PxarDecoder;
  readonly #listener: DamageListener;
  readonly #help: DamageHelp;
  readonly #open: OpenDirectory[] = [];
  #guide: TableGuide | undefined;
  #isMarkerTold = false;
  #namedCount = 0;
  /** Offset of the last entry that was read, or tried. */
  #passed = 0;
  /** The last event, if it is an entry. */
  #lastEntry: PxarEntryEvent | undefined;
  /** Ranges of the archive with nothing but lost entries, in order. */
  readonly #lost: { readonly start: number; end: number }[] = [];
  /** Offset of the last entry that was read. */
  #read = 0;

  constructor(decoder: PxarDecoder, listener: DamageListener, help: DamageHelp) {
    this.#decoder = decoder;
    this.#listener = listener;
    this.#help = help;
  }

  /**
   * The next event. Damage is reported and skipped, and once the root has been read what is
   * malformed is, too.
   *
   * @param leaveTo is called with the number of directories that stay open, the root included, when
   *   others end
   *   because of damage
   * @throws what {@link PxarDecoder.next} throws
   */
  next(leaveTo: (depth: number) => void): PxarEvent | undefined {
    while (true) {
      try {
        const event = this.#decoder.next();
        this.#follow(event);
        return event;
      } catch (error) {
        if (!this.#isPassable(error) || this.#help.openTables === undefined) throw error;
        this.#guide ??= new TableGuide(this.#help.openTables());
        leaveTo(this.#pass(error, this.#guide));
      }
    }
  }

  /** Whether an entry whose FILENAME is at `offset` is lost, whatever its name. */
  isLost(offset: number): boolean {
    let [low, high] = [0, this.#lost.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#lost[middle]!.start <= offset) low = middle + 1;
      else high = middle;
    }
    return low > 0 && offset < this.#lost[low - 1]!.end;
  }

  #isPassable(error: unknown): error is Error {
    return isDamage(error) || this.#open.length > 0 && isMalformed(error);
  }

  #follow(event: PxarEvent | undefined): void {
    this.#lastEntry = event?.type === "entry" ? event : undefined;
    if (event?.type === "leave") this.#open.pop();
    if (event?.type !== "entry") return;
    const { name, path, offset, entry } = event;
    this.#passed = this.#read = offset;
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.last = name;
    if (entry.kind === "directory") this.#open.push({ path, offset, last: undefined });
    const { markerDamage } = this.#decoder;
    if (markerDamage === undefined || this.#isMarkerTold) return;
    this.#isMarkerTold = true;
    this.#listener.fail("/", markerDamage);
  }

  /** Goes on behind damage. @returns how many directories stay open */
  #pass(error: Error, guide: TableGuide): number {
    if (this.#open.length === 0) this.#open.push({ path: "/", offset: 0, last: undefined });
    const directories = this.#open.slice(1).map(({ offset }) => offset);
    // Behind the last entry, not behind what was met there: a wrong size leads past others.
    let found = guide.next(directories, this.#passed);
    const isEntry = found?.offset === this.#decoder.itemOffset;
    if (isEntry) found = guide.next(directories, found!.offset);
    this.#passed = found?.offset ?? 0;
    const depth = found?.depth ?? 0;
    this.#noteLost(found?.offset ?? Infinity);
    const misread = this.#misreadBefore(directories, guide);
    if (misread !== undefined) this.#listener.misread(misread, error);
    const isNamed = this.#nameLost(error, found) > 0 || misread !== undefined;
    const { failedPath } = this.#decoder;
    if (!isNamed && isEntry && failedPath !== undefined) this.#listener.lose(failedPath, error);
    else if (!isNamed) this.#listener.fail(this.#open.at(-1)!.path, error);
    this.#open.length = depth;
    this.#decoder.resume(found?.offset ?? 0, depth);
    return depth;
  }

  #noteLost(end: number): void {
    const start = this.#read + 1;
    const last = this.#lost.at(-1);
    if (last?.start === start) last.end = end;
    else this.#lost.push({ start, end });
  }

  /** Path of the file just read, if by the table it does not end where its content did. */
  #misreadBefore(directories: readonly number[], guide: TableGuide): string | undefined {
    if (this.#lastEntry?.entry.kind !== "file") return undefined;
    const { path, offset, entry: { payload } } = this.#lastEntry;
    if (payload.kind !== "inline") return undefined;
    const end = guide.endOf(directories, offset);
    return end === undefined || end === payload.offset + payload.size ? undefined : path;
  }

  /**
   * Names what is known to lie between the last entry that was read and the next one. @returns how
   * many
   */
  #nameLost(error: Error, next: GuidedEntry | undefined): number {
    let count = 0;
    for (let depth = this.#open.length; depth > 0 && depth >= (next?.depth ?? 0); depth--) {
      const { path, last } = this.#open[depth - 1]!;
      const known = this.#known(path);
      const start = last === undefined ? 0 : known.findIndex(({ name }) => name === last) + 1;
      const isPassed = last !== undefined && start === 0;
      for (const entry of isPassed ? [] : known.slice(start)) {
        if (depth === next?.depth && isNamed(entry.name, next)) break;
        count += this.#tellOf(path, entry, error);
      }
    }
    return count;
  }

  /** @returns how many entries were named */
  #tellOf(directory: string, { name, isDirectory }: KnownEntry, error: Error): number {
    const path = directory === "/" ? `/${name}` : `${directory}/${name}`;
    // A hostile list may be endless.
    if (this.#namedCount++ >= NAMED_MAX) return 0;
    this.#listener.lose(path, error);
    if (!isDirectory) return 1;
    return this.#known(path).reduce((sum, entry) => sum + this.#tellOf(path, entry, error), 1);
  }

  #known(path: string): readonly KnownEntry[] {
    try {
      return this.#help.knownEntries?.(path) ?? [];
    } catch (error) {
      if (error instanceof Failure) return [];
      throw error;
    }
  }
}

function isNamed(name: string, { item }: GuidedEntry): boolean {
  hashFileName(name);
  return filenameHash.high === item.hashHigh && filenameHash.low === item.hashLow;
}

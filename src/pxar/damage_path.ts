/**
 * The next event of an archive, also behind damage: by the tables of the directories that are open.
 *
 * @module
 */

import { Failure, FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { type GuidedEntry, TableGuide } from "./reading/table_guide.ts";
import type { PxarDecoder, PxarEvent } from "./decoder.ts";
import { filenameHash, hashFileName } from "./format/filename_hash.ts";

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
  /** Gives random access to the metadata stream. */
  readonly openTables?: (() => ByteSource) | undefined;
  /**
   * What is in a directory, in the order of the archive, as far as something else than the archive
   * tells it.
   */
  readonly knownEntries?: ((path: string) => readonly KnownEntry[]) | undefined;
  /** Also what cannot be an archive is left behind, once the root has been read. */
  readonly passesMalformed?: boolean;
}

/** Hears of damage. */
export interface DamageListener {
  /** Something in `path`, or the entry itself, cannot be read. */
  fail(path: string, error: Error): void;
  /** An entry of this name is lost. */
  lose(path: string, error: Error): void;
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

  constructor(decoder: PxarDecoder, listener: DamageListener, help: DamageHelp) {
    this.#decoder = decoder;
    this.#listener = listener;
    this.#help = help;
  }

  /**
   * The next event. Damage is reported and skipped.
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

  #isPassable(error: unknown): error is Error {
    if (isDamage(error)) return true;
    return this.#help.passesMalformed === true && this.#open.length > 0 &&
      error instanceof FormatError;
  }

  #follow(event: PxarEvent | undefined): void {
    if (event?.type === "leave") this.#open.pop();
    if (event?.type !== "entry") return;
    const { name, path, offset, entry } = event;
    this.#passed = offset;
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
    if (found?.offset === this.#decoder.itemOffset) found = guide.next(directories, found.offset);
    this.#passed = found?.offset ?? 0;
    const depth = found?.depth ?? 0;
    this.#tellOfLost(error, found);
    this.#open.length = depth;
    this.#decoder.resume(found?.offset ?? 0, depth);
    return depth;
  }

  /**
   * Names what lies between the last entry that was read and the next one; where no name is known,
   * the directory.
   */
  #tellOfLost(error: Error, next: GuidedEntry | undefined): void {
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
    if (count === 0) this.#listener.fail(this.#open.at(-1)!.path, error);
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

/**
 * What the steps of a client are made of: its places, and names, handles, offsets and contents
 * picked by chance.
 *
 * @module
 */

import * as posix from "#tests/support/posix_calls.ts";
import { withFile } from "#tests/support/posix_files.ts";
import type { ByteRange, Model } from "#tests/support/property_model.ts";
import type { Random } from "#tests/support/property_random.ts";

const { O } = posix;

/** Unit of the overlay's copy-on-write. */
export const BLOCK_SIZE = 8192;
/** Largest file that a client makes. */
export const SIZE_MAX = 48 * BLOCK_SIZE;

/** One step. */
export interface Step {
  readonly text: string;
  /** Makes the calls; throws when they do not find what they must. */
  perform(): void;
  /** The same in the model. */
  effect?(model: Model): void;
  /** Number of the file that a step cut short may leave half changed. */
  readonly touched?: number;
}

/** A file that is open across steps. */
export interface OpenFile {
  readonly fd: number;
  readonly number: number;
  readonly isWritable: boolean;
  readonly mapping?: posix.Mapping;
}

/** Where a client works. */
export interface StepPlaces {
  readonly root: string;
  readonly random: Random;
  /** The steps add to it and remove from it. */
  readonly openFiles: OpenFile[];
  readonly homes: readonly string[];
  /** Begin of all own names in the directory that clients share. */
  readonly commonPrefix: string;
  readonly shared: { readonly number: number; readonly own: ByteRange };
  /** A file whose blocks belong to the clients in turn. The steps take from `stripes`. */
  readonly striped: { readonly number: number; readonly stripes: ByteRange[] };
  /** File that nobody writes to. */
  readonly untouched: number;
  /** Whether files are read with O_DIRECT too, at any offset. */
  readonly readsPastCache: boolean;
  readonly journal: {
    readonly path: string;
    nextLine(): string;
    wrote(line: string): void;
  };
}

/** A file to work on. */
export interface Target {
  readonly number: number;
  readonly text: string;
  use(run: (fd: number) => void): void;
}

/** Picks for one client. */
export class Draws {
  readonly places: StepPlaces;
  readonly random: Random;
  /** Names that the client makes. */
  readonly pool: readonly string[];

  constructor(places: StepPlaces) {
    this.places = places;
    this.random = places.random;
    const [home = "", tablespace = ""] = places.homes;
    const directories = [home, `${home}/sub`, `${home}/sub/deep`, `${home}/new`, tablespace];
    directories.push(`${tablespace}/sub`, `${tablespace}/sub/new`);
    const names = ["16384", "16384.1", "16386", "notes", "x", "a name of more than 24 bytes"];
    this.pool = [
      ...directories.filter((path) => !places.homes.includes(path)),
      ...directories.flatMap((directory) => names.map((name) => `${directory}/${name}`)),
      ...["a", "b", "c"].map((name) => places.commonPrefix + name),
    ];
  }

  /** Where a path of the model is on the host. */
  path(path: string): string {
    return `${this.places.root}/${path}`;
  }

  /** A name, more often than not one that is there. */
  anyName(model: Model): string {
    return this.random.oneIn(3) ? this.random.pick(this.pool) : this.fileName(model);
  }

  /** A name, more often than not one that is free. */
  newName(model: Model): string {
    return this.random.oneIn(4) ? this.fileName(model) : this.random.pick(this.pool);
  }

  /** Whether this client alone works below, or at, a path. */
  isOwn(path: string): boolean {
    const { homes, commonPrefix } = this.places;
    return path.startsWith(commonPrefix) || homes.some((home) => path.startsWith(`${home}/`));
  }

  /** Name of an own file that is there, when there is one. */
  fileName(model: Model): string {
    const names = [...model.names.keys()].filter((path) => this.isOwn(path));
    return names.length === 0 ? this.random.pick(this.pool) : this.random.pick(names);
  }

  /** A directory that is there. */
  directoryName(model: Model): string {
    return this.random.pick([...model.directories]);
  }

  /** A file to work on: by a new handle, or by one that is open already. */
  target(model: Model, wantsWrite: boolean): Target | undefined {
    const { openFiles, shared } = this.places;
    const held = openFiles.filter((file) =>
      file.number !== shared.number && (file.isWritable || !wantsWrite)
    );
    if (held.length > 0 && this.random.oneIn(3)) {
      const { fd, number } = this.random.pick(held);
      return { number, text: `file ${number} open as ${fd}`, use: (run) => run(fd) };
    }
    const path = this.fileName(model);
    const number = model.names.get(path);
    if (number === undefined) return undefined;
    const flags = wantsWrite ? O.RDWR : O.RDONLY;
    return {
      number,
      text: `file ${number} "${path}"`,
      use: (run) => withFile(this.path(path), flags, run),
    };
  }

  /** An offset: at edges of blocks, at the end, anywhere. */
  offset(size: number, limit = SIZE_MAX): number {
    const random = this.random;
    const edge = random.between(0, Math.ceil(size / BLOCK_SIZE) + 2) * BLOCK_SIZE;
    const offset = random.pick([
      edge,
      edge + random.between(-2, 2),
      edge + random.pick([512, 4095, 4096, 4097]),
      size,
      size + random.between(-3, 3),
      random.between(0, size),
      random.between(0, Math.min(limit, size + 3 * BLOCK_SIZE)),
    ]);
    return Math.max(0, Math.min(offset, limit));
  }

  /** How many bytes to read or write. */
  length(): number {
    const random = this.random;
    return random.pick([
      1,
      1,
      2,
      random.between(1, 300),
      4096,
      BLOCK_SIZE,
      BLOCK_SIZE,
      2 * BLOCK_SIZE,
      random.between(1, 3 * BLOCK_SIZE),
      random.between(1, 12 * BLOCK_SIZE),
    ]);
  }

  /** New bytes: zeros, all the same, or random. */
  content(size: number): Uint8Array<ArrayBuffer> {
    const kind = this.random.between(0, 5);
    if (kind === 0) return new Uint8Array(size);
    if (kind < 3) return new Uint8Array(size).fill(this.random.between(1, 255));
    return this.random.bytes(size);
  }
}

/** A name of a file that has one. */
export function pathOf(model: Model, number: number): string {
  for (const [path, each] of model.names) if (each === number) return path;
  throw new RangeError(`Cannot find a name of file ${number}`);
}

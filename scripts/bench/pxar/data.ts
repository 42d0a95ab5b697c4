/**
 * Trees to measure archives with. The same on every machine: names, sizes and bytes come from a
 * fixed seed.
 *
 * @module
 */

const SEED = 0x2545f491;
const PATTERN_SIZE = 1 << 22;
const MEBIBYTE = 1 << 20;

/** A tree that was made. */
export interface DataSet {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
}

/** xorshift32: numbers from 0 up to 1. */
export function makeRandom(): () => number {
  let state = SEED;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Bytes without long runs of zeros, which an extractor would turn into holes. */
function makePattern(random: () => number): Uint8Array {
  const words = new Uint32Array(PATTERN_SIZE / 4);
  for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 32;
  return new Uint8Array(words.buffer);
}

/** Writes `size` bytes from somewhere in the pattern on. */
function writeFile(path: string, size: number, pattern: Uint8Array, random: () => number): void {
  const file = Deno.openSync(path, { write: true, createNew: true });
  try {
    let start = Math.floor(random() * (PATTERN_SIZE - 4096));
    for (let done = 0; done < size;) {
      const part = pattern.subarray(start, start + size - done);
      done += file.writeSync(part);
      start = 0;
    }
  } finally {
    file.close();
  }
}

/** 1,000 files of 4 KiB in 10 directories. */
export function makeSmallFiles(path: string): DataSet {
  const random = makeRandom();
  const pattern = makePattern(random);
  for (let directory = 0; directory < 10; directory++) {
    Deno.mkdirSync(`${path}/d${directory}`, { recursive: true });
    for (let i = 0; i < 100; i++) writeFile(`${path}/d${directory}/f${i}`, 4096, pattern, random);
  }
  return { path, files: 1000, bytes: 1000 * 4096 };
}

/**
 * `count` sizes that are `total` in all, from 2^`from` to 2^`to` or so: each power of two is as
 * frequent as the next.
 */
export function spreadSizes(
  count: number,
  [from, to]: readonly [from: number, to: number],
  total: number,
  random: () => number,
): number[] {
  const wishes = Array.from({ length: count }, () => 2 ** (from + (to - from) * random()));
  const factor = total / wishes.reduce((sum, wish) => sum + wish, 0);
  const sizes = wishes.map((wish) => Math.floor(wish * factor));
  sizes[0]! += total - sizes.reduce((sum, size) => sum + size, 0);
  return sizes;
}

/** Makes the directories for 10,000 files. @returns the path of each file */
export function makeMixedPaths(path: string): string[] {
  return Array.from({ length: 10_000 }, (_, i) => {
    const directory = `${path}/d${Math.floor(i / 500)}/e${Math.floor(i / 50) % 10}`;
    if (i % 50 === 0) Deno.mkdirSync(directory, { recursive: true });
    return `${directory}/file-${i}.dat`;
  });
}

/**
 * Sizes of the files of {@link makeMixedPaths}: 500 MiB in all, most are small, a few are large.
 */
export function mixedSizes(random: () => number): number[] {
  return spreadSizes(10_000, [6, 20], 500 * MEBIBYTE, random);
}

/** 10,000 files in 200 directories, 500 MiB in all: most are small, a few are large. */
export function makeMixedFiles(path: string): DataSet {
  const random = makeRandom();
  const pattern = makePattern(random);
  const sizes = mixedSizes(random);
  makeMixedPaths(path).forEach((file, i) => writeFile(file, sizes[i]!, pattern, random));
  return { path, files: sizes.length, bytes: 500 * MEBIBYTE };
}

/** One file of 1 GiB. */
export function makeLargeFile(path: string): DataSet {
  const random = makeRandom();
  Deno.mkdirSync(path, { recursive: true });
  writeFile(`${path}/large.dat`, 1 << 30, makePattern(random), random);
  return { path, files: 1, bytes: 1 << 30 };
}

/** Paths of the archive for lookups: 100,000 entries, files and the directories they are in. */
export function listManyPaths(): string[] {
  const paths: string[] = [];
  for (let directory = 0; directory < 100; directory++) {
    for (let i = 0; i < 999; i++) paths.push(`d${directory}/file-${i}`);
  }
  return paths;
}

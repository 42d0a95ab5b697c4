/**
 * Trees to measure datastores with. No two chunks are the same: what repeats would be stored once.
 *
 * @module
 */

import { type DataSet, makeMixedPaths, makeRandom, mixedSizes, spreadSizes } from "../pxar/data.ts";

const MEBIBYTE = 1 << 20;
const GIBIBYTE = 1 << 30;
const RANDOM_SIZE_MAX = 65_536;
const PIECE_SIZE = MEBIBYTE;

/** Files of the tree that the targets of whole runs are about. */
const GIBIBYTE_FILES = 76;

/** Fills a buffer with bytes that come once in a lifetime. */
function fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
  for (let start = 0; start < bytes.length; start += RANDOM_SIZE_MAX) {
    crypto.getRandomValues(bytes.subarray(start, start + RANDOM_SIZE_MAX));
  }
}

/** Makes bytes that look like a log: words from a list, a number on each line that comes once. */
function makeTextFiller(random: () => number): (bytes: Uint8Array<ArrayBuffer>) => void {
  const words = Array.from({ length: 512 }, () => {
    const length = 3 + Math.floor(random() * 8);
    const letter = () => String.fromCharCode(97 + Math.floor(random() * 26));
    return Array.from({ length }, letter).join("");
  });
  let line = 0;
  return (bytes) => {
    const encoder = new TextEncoder();
    for (let end = 0; end < bytes.length;) {
      let text = `${String(line++).padStart(10, "0")}`;
      for (let i = 0; i < 12; i++) text += ` ${words[Math.floor(random() * words.length)]}`;
      end += encoder.encodeInto(`${text}\n`, bytes.subarray(end)).written;
      if (bytes.length - end < 4) bytes.fill(10, end), end = bytes.length;
    }
  };
}

type Fill = (bytes: Uint8Array<ArrayBuffer>) => void;

function writeFile(path: string, size: number, fill: Fill): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (let rest = size; rest > 0;) {
    const piece = new Uint8Array(Math.min(PIECE_SIZE, rest));
    fill(piece);
    for (let part = piece; part.length > 0;) part = part.subarray(file.writeSync(part));
    rest -= piece.length;
  }
}

/** Small files, 1,000 of 4 KiB unless told. */
export function makeDistinctSmallFiles(path: string, files = 1000, size = 4096): DataSet {
  for (let i = 0; i < files; i++) {
    if (i % 100 === 0) Deno.mkdirSync(`${path}/d${i / 100}`, { recursive: true });
    writeFile(`${path}/d${Math.floor(i / 100)}/f${i}`, size, fillRandom);
  }
  return { path, files, bytes: files * size };
}

/** 10,000 files, 500 MiB in all; every other one is text. */
export function makeDistinctMixedFiles(path: string): DataSet {
  const random = makeRandom();
  const fillText = makeTextFiller(random);
  const sizes = mixedSizes(random);
  makeMixedPaths(path).forEach((file, i) =>
    writeFile(file, sizes[i]!, i % 2 === 0 ? fillRandom : fillText)
  );
  return { path, files: sizes.length, bytes: 500 * MEBIBYTE };
}

/** One file, of 1 GiB unless told, half of it text. */
export function makeDistinctLargeFile(path: string, bytes = GIBIBYTE): DataSet {
  const fillText = makeTextFiller(makeRandom());
  let isText = false;
  Deno.mkdirSync(path, { recursive: true });
  writeFile(`${path}/large.dat`, bytes, (piece) => {
    (isText ? fillText : fillRandom)(piece);
    isText = !isText;
  });
  return { path, files: 1, bytes };
}

/** 1 GiB (unless told) in 76 files of 4 KiB to 64 MiB, half random and half text. */
export function makeMixedSizes(path: string, bytes = GIBIBYTE): DataSet {
  const random = makeRandom();
  const fillText = makeTextFiller(random);
  const sizes = spreadSizes(GIBIBYTE_FILES, [12, 26], bytes, random);
  Deno.mkdirSync(path, { recursive: true });
  // The largest in turns, so that half of the bytes are of either kind.
  sizes.sort((a, b) => b - a).forEach((size, i) =>
    writeFile(`${path}/file-${i}`, size, i % 4 === 0 || i % 4 === 3 ? fillRandom : fillText)
  );
  return { path, files: sizes.length, bytes };
}

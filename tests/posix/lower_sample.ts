/**
 * The known content that the cases of `lower_cases.ts` change: what an overlay finds in its lower
 * tree.
 *
 * @module
 */

import * as posix from "#tests/support/posix_calls.ts";
import { patternBytes, writeFile } from "#tests/support/posix_files.ts";

const BLOCK = 8192;

/**
 * Content of the files of a sample, by path. Lengths that are multiples of 8192 can be stored as
 * data files.
 */
export const SAMPLE_FILES: ReadonlyMap<string, Uint8Array<ArrayBuffer>> = new Map([
  ["small", new TextEncoder().encode("small file\n")],
  ["empty", new Uint8Array(0)],
  ["blocks", patternBytes(40 * BLOCK, 11)],
  ["odd", patternBytes(3 * BLOCK + 777, 12)],
  ["program", new TextEncoder().encode("#!/bin/sh\n")],
  ["dir/a", new TextEncoder().encode("file a")],
  ["dir/b", patternBytes(2 * BLOCK, 13)],
  ["dir/nested/deep", new TextEncoder().encode("deep file")],
  ["full/x", new TextEncoder().encode("x")],
]);

const DIRECTORIES = new Map([
  ["dir", 0o750],
  ["dir/nested", 0o700],
  ["emptydir", 0o700],
  ["full", 0o755],
]);

const MODES = new Map([["small", 0o640], ["program", 0o755]]);

/** Symbolic links of a sample, by path. */
export const SAMPLE_LINKS: ReadonlyMap<string, string> = new Map([
  ["link", "small"],
  ["dangling", "nowhere"],
  ["dir/up", "../dir/nested"],
]);

/** What a sample may leave out, for lower trees that cannot hold it. */
export interface SampleOptions {
  /** Whether symbolic links are made; true unless told. */
  readonly symlinks?: boolean;
}

/** Fills an empty directory with one sample. */
export function buildSample(directory: string, options: SampleOptions = {}): void {
  for (const [path, mode] of DIRECTORIES) {
    posix.mkdir(`${directory}/${path}`);
    posix.chmod(`${directory}/${path}`, mode);
  }
  for (const [path, content] of SAMPLE_FILES) {
    writeFile(`${directory}/${path}`, content);
    posix.chmod(`${directory}/${path}`, MODES.get(path) ?? 0o600);
  }
  if (options.symlinks === false) return;
  for (const [path, target] of SAMPLE_LINKS) posix.symlink(target, `${directory}/${path}`);
}

/** Content of one file of a sample. */
export function sampleContent(path: string): Uint8Array<ArrayBuffer> {
  const content = SAMPLE_FILES.get(path);
  if (content === undefined) throw new RangeError(`Cannot find sample file "${path}"`);
  return content;
}

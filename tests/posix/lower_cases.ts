/**
 * What an overlay must do with names that come from its lower tree: changes copy up, removed names
 * stay away, and nobody can tell the result from a plain directory. Each case changes a sample of
 * its own (`lower_sample.ts`), so the cases run on a plain copy as well.
 *
 * @module
 */

import * as posix from "#tests/support/posix_calls.ts";
import { lowerFileCases } from "#tests/posix/lower_file_cases.ts";
import { lowerNameCases } from "#tests/posix/lower_name_cases.ts";
import { lowerSymlinkCases } from "#tests/posix/lower_symlink_cases.ts";
import { buildSample, type SampleOptions } from "#tests/posix/lower_sample.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";

/** All cases; those of {@link lowerSymlinkCases} need a lower tree with symbolic links. */
export function lowerCases(options: SampleOptions = {}): PosixSuite {
  const links = options.symlinks === false ? [] : lowerSymlinkCases;
  return new Map([...lowerNameCases, ...lowerFileCases, ...links]);
}

/** Where the sample of a case lies below the directory given to {@link buildLowerSample}. */
export function lowerCaseDirectory(name: string): string {
  const index = [...lowerCases().keys()].indexOf(name);
  if (index < 0) throw new RangeError(`Cannot find case "${name}"`);
  return `sample${index}`;
}

/** Fills an empty directory with one sample for each case. */
export function buildLowerSample(directory: string, options: SampleOptions = {}): void {
  for (const name of lowerCases(options).keys()) {
    const path = `${directory}/${lowerCaseDirectory(name)}`;
    posix.mkdir(path, 0o755);
    buildSample(path, options);
  }
}

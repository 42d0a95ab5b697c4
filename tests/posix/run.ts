/**
 * Runs the POSIX suite on a directory: `run.ts [OPTION] DIRECTORY`.
 *
 * Every case gets a fresh directory below DIRECTORY. With `--lower` (`--lower-without-links`: where
 * the lower tree cannot hold symbolic links), DIRECTORY is one that `buildLowerSample` filled (or a
 * mount over it) and the cases of `lower_cases.ts` run instead, each in its own part of the sample.
 * With `--read-only MANIFEST` the cases of `read_only_suite.ts` run on DIRECTORY, which must show
 * what the file MANIFEST says. One line a case, then a JSON summary; exit code 1 when a case
 * failed.
 *
 * A program of its own because its calls block: the process that serves a mount must not run them.
 *
 * @module
 */

import { lowerCaseDirectory, lowerCases } from "#tests/posix/lower_cases.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import { posixReadOnlySuite } from "#tests/posix/read_only_suite.ts";
import { posixSuite } from "#tests/posix/suite.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { readText } from "#tests/support/posix_files.ts";
import { parseManifest } from "#tests/support/tree_manifest.ts";

/** The last line that {@link run} prints, as JSON. */
export interface PosixSummary {
  readonly passed: number;
  readonly failed: readonly string[];
}

async function run(suite: PosixSuite, place: (name: string) => string): Promise<PosixSummary> {
  let passed = 0;
  const failed: string[] = [];
  for (const [name, test] of suite) {
    const started = performance.now();
    try {
      await test(place(name));
      passed++;
      console.log(`ok ${name} (${Math.round(performance.now() - started)} ms)`);
    } catch (error) {
      failed.push(name);
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      console.log(`FAILED ${name}: ${text.replaceAll("\n", "\n    ")}`);
    }
  }
  return { passed, failed };
}

const USAGE = "Usage: run.ts [--lower | --lower-without-links | --read-only MANIFEST] DIRECTORY";

function runFresh(directory: string): Promise<PosixSummary> {
  let count = 0;
  return run(posixSuite, () => {
    // Short names: a unix socket's path may have 107 bytes only.
    const fresh = `${directory}/c${count++}`;
    posix.mkdir(fresh, 0o755);
    return fresh;
  });
}

function main(args: readonly string[]): Promise<PosixSummary> {
  const directory = args.at(-1);
  if (directory === undefined) throw new TypeError(USAGE);
  const options = args.slice(0, -1);
  switch (options[0]) {
    case undefined:
      return runFresh(directory);
    case "--lower":
    case "--lower-without-links": {
      const cases = lowerCases({ symlinks: options[0] === "--lower" });
      return run(cases, (name) => `${directory}/${lowerCaseDirectory(name)}`);
    }
    case "--read-only": {
      const expected = parseManifest(readText(options[1] ?? ""));
      return run(posixReadOnlySuite(expected), () => directory);
    }
    default:
      throw new TypeError(USAGE);
  }
}

const summary = await main(Deno.args);
console.log(JSON.stringify(summary));
Deno.exit(summary.failed.length === 0 ? 0 : 1);

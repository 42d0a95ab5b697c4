/**
 * Runs the POSIX suite on a directory: `run.ts [--lower|--lower-without-links] DIRECTORY`.
 *
 * Every case gets a fresh directory below DIRECTORY. With `--lower` (`--lower-without-links`: where the lower
 * tree cannot hold symbolic links), DIRECTORY is one that `buildLowerSample`
 * filled (or a mount over it) and the cases of `lower_cases.ts` run instead, each in its own part of the sample.
 * One line a case, then a JSON summary; exit code 1 when a case failed.
 *
 * A program of its own because its calls block: the process that serves a mount must not run them.
 *
 * @module
 */

import { lowerCaseDirectory, lowerCases } from "#tests/posix/lower_cases.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import { posixSuite } from "#tests/posix/suite.ts";
import * as posix from "#tests/support/posix_calls.ts";

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

function main(args: readonly string[]): Promise<PosixSummary> {
  const [first, second] = args;
  if (second !== undefined && (first === "--lower" || first === "--lower-without-links")) {
    const cases = lowerCases({ symlinks: first === "--lower" });
    return run(cases, (name) => `${second}/${lowerCaseDirectory(name)}`);
  }
  if (first === undefined || second !== undefined) {
    throw new TypeError("Usage: run.ts [--lower|--lower-without-links] DIRECTORY");
  }
  let count = 0;
  return run(posixSuite, () => {
    // Short names: a unix socket's path may have 107 bytes only.
    const directory = `${first}/c${count++}`;
    posix.mkdir(directory, 0o755);
    return directory;
  });
}

const summary = await main(Deno.args);
console.log(JSON.stringify(summary));
Deno.exit(summary.failed.length === 0 ? 0 : 1);

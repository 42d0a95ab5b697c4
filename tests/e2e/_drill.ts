/**
 * Drills by the program, and what their reports say.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { DrillReport, Finding } from "#src/usecases/drill/report.ts";
import type { RunPlace } from "./_run_place.ts";

/** Runs a drill, which must leave nothing. @returns its report */
export async function drill(
  place: RunPlace,
  source: string,
  ...words: string[]
): Promise<DrillReport> {
  const { stdout, stderr, code } = await place.run("drill", source, "--format", "json", ...words);
  assert.ok(stdout.startsWith("{"), stderr);
  const report: DrillReport = JSON.parse(stdout);
  assert.equal(code, report.outcome === "passed" ? 0 : 1);
  assert.deepEqual(place.remains(), []);
  return report;
}

/** The outcome of each check. */
export function outcomes({ checks }: DrillReport): Record<string, string> {
  return Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));
}

/** What a check has found. */
export function findingsOf({ checks }: DrillReport, name: string): readonly Finding[] {
  return checks.find((check) => check.name === name)?.findings ?? [];
}

/**
 * Times whole runs of a program, its start included, and the memory they take.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { median } from "../host.ts";

const RUN_TIMEOUT_MS = 120_000;
const TIME = "/usr/bin/time";

/** Medians of several runs. */
export interface RunCost {
  readonly seconds: number;
  /** Largest resident size. */
  readonly memoryMebibytes: number;
}

/** One run; `sh` gets the output away without a pipe that would have to be read. */
async function runOnce(command: readonly string[]): Promise<RunCost> {
  // What earlier runs left to be written must not be counted here.
  await runCommand(["sync"], { timeoutMs: RUN_TIMEOUT_MS });
  const script = `exec ${TIME} -f "%M" "$@" >/dev/null`;
  const start = performance.now();
  const { stderr } = await runCommand(["sh", "-c", script, "sh", ...command], {
    timeoutMs: RUN_TIMEOUT_MS,
  });
  const seconds = (performance.now() - start) / 1000;
  return { seconds, memoryMebibytes: Number(stderr.trim().split("\n").at(-1)) / 1024 };
}

/**
 * Measures several commands by turns, so that what else the machine does hits all of them alike,
 * each `rounds` times and after its preparation. The first round warms the caches and does not
 * count.
 */
export async function measureRuns(
  commands: readonly (readonly string[])[],
  rounds: number,
  prepare: () => Promise<unknown>,
): Promise<RunCost[]> {
  const costs: RunCost[][] = commands.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, command] of commands.entries()) {
      await prepare();
      const cost = await runOnce(command);
      if (round > 0) costs[index]!.push(cost);
    }
  }
  return costs.map((runs) => ({
    seconds: median(runs.map((cost) => cost.seconds)),
    memoryMebibytes: median(runs.map((cost) => cost.memoryMebibytes)),
  }));
}

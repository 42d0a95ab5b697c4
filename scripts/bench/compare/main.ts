/**
 * Mounts by this executable, mounts by one of before, and a plain directory, side by side in one
 * run:
 *
 *     deno task bench compare [--before EXECUTABLE] [--rounds N] [mount] [cat] [random] [count] [pgbench]
 *
 * Every figure is the median of the rounds (3 unless told). In each round the sides take turns,
 * each with a data directory made new, and every step is a process of its own that begins with the
 * kernel's caches dropped. The plain directory is filled by writes of 8 KiB, as a database fills
 * it.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { largestRelation } from "../mount/relations.ts";
import { SAMPLE_BACKUP, SAMPLE_INSTANCE, unpackSample } from "../mount/sample.ts";
import { Comparison } from "./report.ts";
import { MountSide, PlainSide, type Side, type SideName } from "./sides.ts";
import { measureStep, type Step, STEPS } from "./steps.ts";

const COPY_TIMEOUT_MS = 300_000;

/** Runs the comparison. @param checkout path of the sources, with a slash at its end */
export async function compareSides(checkout: string, args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { before: { type: "string" }, rounds: { type: "string", default: "3" } },
  });
  const unknown = positionals.filter((word) => !(STEPS as readonly string[]).includes(word));
  if (unknown.length > 0) throw new Error(`No such step: ${unknown}; there are ${STEPS}`);
  const steps = STEPS.filter((step) => positionals.length === 0 || positionals.includes(step));
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  using place = new TempDirectory("compare");
  // The server's user must reach the plain directory.
  Deno.chmodSync(place.path, 0o755);
  const store = await unpackSample(checkout, place.path);
  const mountSide = (name: SideName, executable: string) =>
    new MountSide(name, {
      program: executable,
      store,
      instance: SAMPLE_INSTANCE,
      backupId: SAMPLE_BACKUP,
      mountPath: place.join("mnt"),
      diffPath: place.join(`diff-${name}`),
    });
  const now = mountSide("now", program);
  const template = place.join("template");
  const relation = await copyOut(now, template);
  const sides: Side[] = [new PlainSide(place.join("plain"), template), now];
  if (values.before !== undefined) sides.push(mountSide("before", values.before));

  const comparison = new Comparison();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const step of steps) await measureRound(step, round, sides, relation, comparison);
  }
  console.log(comparison.table());
  await Deno.mkdir(`${checkout}dist`, { recursive: true });
  await Deno.writeTextFile(`${checkout}dist/bench-compare.json`, comparison.json() + "\n");
}

/** One step on all sides; who is first changes from round to round. */
async function measureRound(
  step: Step,
  round: number,
  sides: readonly Side[],
  relation: string,
  comparison: Comparison,
): Promise<void> {
  for (let turn = 0; turn < sides.length; turn++) {
    const side = sides[(round + turn) % sides.length]!;
    comparison.add(side.name, await measureStep(step, side, relation));
  }
}

/** Copies what a mount shows. @returns the largest relation's path below it */
async function copyOut(side: Side, template: string): Promise<string> {
  await side.open();
  try {
    await runCommand(["cp", "-a", "--sparse=never", side.path, template], {
      timeoutMs: COPY_TIMEOUT_MS,
    });
  } finally {
    await side.close();
  }
  await runCommand(["rm", "-rf", `${template}/.pbkfs`], { timeoutMs: COPY_TIMEOUT_MS });
  return await largestRelation(template);
}

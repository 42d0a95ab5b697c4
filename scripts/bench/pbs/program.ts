/**
 * Whole runs of the executable on a datastore, process start included.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import {
  makeDistinctLargeFile,
  makeDistinctMixedFiles,
  makeDistinctSmallFiles,
  makeMixedSizes,
} from "./data.ts";
import type { DataSet } from "../pxar/data.ts";
import type { PxarReport } from "../pxar/report.ts";
import { measureRuns } from "../pxar/run.ts";

const ROUNDS = 3;
const TIMEOUT_MS = 120_000;
const MEMORY_TARGET = "<= 512";
const MODES = ["legacy", "data", "metadata"] as const;

/** Seconds: what is to be reached, and what the real client with its server takes. */
interface Expectation {
  readonly target: number;
  readonly reference: number;
}

type Step = "first, legacy" | "unchanged, legacy" | "unchanged, metadata" | "restore, legacy";

/** Of the 1 GiB in 76 files. */
const EXPECTATIONS: Readonly<Record<Step, Expectation>> = {
  "first, legacy": { target: 3.0, reference: 3.4 },
  "unchanged, legacy": { target: 1.0, reference: 1.1 },
  "unchanged, metadata": { target: 0.15, reference: 0.05 },
  "restore, legacy": { target: 2.0, reference: 2.3 },
};

/** A datastore and the executable that works on it. */
class Bench {
  readonly #store: string;
  readonly #restored: string;

  constructor(readonly program: string, readonly place: string, readonly report: PxarReport) {
    this.#store = `${place}/store`;
    this.#restored = `${place}/restored`;
  }

  async clean(): Promise<void> {
    await runCommand(["rm", "-rf", this.#store, this.#restored], { timeoutMs: TIMEOUT_MS });
  }

  async newStore(): Promise<void> {
    await this.clean();
    await runCommand([this.program, "pbs", "datastore", "create", this.#store], {
      timeoutMs: TIMEOUT_MS,
    });
  }

  backup(source: string, mode: string): string[] {
    return this.#command(
      ["backup", `root.pxar:${source}`, "--backup-id", mode, "--change-detection-mode", mode],
    );
  }

  restore(mode: string): string[] {
    return this.#command(["restore", `host/${mode}`, "root.pxar", this.#restored]);
  }

  async removeRestored(): Promise<void> {
    await runCommand(["rm", "-rf", this.#restored], { timeoutMs: TIMEOUT_MS });
  }

  /** Measures one command and adds the figure. */
  async measure(
    name: string,
    command: readonly string[],
    prepare: () => Promise<unknown>,
    expectation?: Expectation,
  ): Promise<void> {
    const [cost] = await measureRuns([command], ROUNDS, prepare);
    this.report.add({
      name,
      unit: "s",
      value: cost!.seconds,
      memoryMebibytes: cost!.memoryMebibytes,
      target: expectation && `<= ${expectation.target}`,
      yardstick: expectation?.reference,
    });
  }

  #command(args: readonly string[]): string[] {
    return [this.program, "pbs", ...args, "--repository", `dir:${this.#store}`];
  }
}

async function benchmarkTree(
  bench: Bench,
  name: string,
  { path }: DataSet,
  expectations: Partial<Readonly<Record<string, Expectation>>>,
): Promise<void> {
  const nothing = async () => {};
  for (const mode of ["legacy", "data"]) {
    const step = `first, ${mode}`;
    await bench.measure(
      `${name}: ${step}`,
      bench.backup(path, mode),
      () => bench.newStore(),
      expectations[step],
    );
  }
  for (const mode of MODES) {
    // The round that does not count makes the snapshot that nothing has changed since.
    const step = `unchanged, ${mode}`;
    await bench.measure(
      `${name}: ${step}`,
      bench.backup(path, mode),
      nothing,
      expectations[step],
    );
  }
  for (const mode of ["legacy", "data"]) {
    const step = `restore, ${mode}`;
    await bench.measure(
      `${name}: ${step}`,
      bench.restore(mode),
      () => bench.removeRestored(),
      expectations[step],
    );
  }
  await bench.clean();
  await Deno.remove(path, { recursive: true });
}

/** Measures backups and restores of several trees. */
export async function benchmarkProgram(
  program: string,
  place: string,
  report: PxarReport,
): Promise<void> {
  const bench = new Bench(program, place, report);
  const source = `${place}/source`;
  await benchmarkTree(bench, "1,000 x 4 KiB", makeDistinctSmallFiles(source), {});
  await benchmarkTree(bench, "10,000 files, 500 MiB", makeDistinctMixedFiles(source), {});
  await benchmarkTree(bench, "one file of 1 GiB", makeDistinctLargeFile(source), {});
  await benchmarkTree(bench, "76 files, 1 GiB", makeMixedSizes(source), EXPECTATIONS);
}

/** Memory of a backup of 4 GiB, and of its restore. */
export async function benchmarkMemory(
  program: string,
  place: string,
  report: PxarReport,
): Promise<void> {
  const bench = new Bench(program, place, report);
  const source = `${place}/source`;
  for (let part = 0; part < 4; part++) makeDistinctLargeFile(`${source}/part-${part}`);
  await bench.newStore();
  for (const mode of ["legacy", "data"] as const) {
    const commands = { backup: bench.backup(source, mode), restore: bench.restore(mode) };
    for (const [step, command] of Object.entries(commands)) {
      const [cost] = await measureRuns([command], 1, () => bench.removeRestored());
      report.add({
        name: `memory of ${step} of 4 GiB, ${mode}`,
        unit: "MiB",
        value: cost!.memoryMebibytes,
        target: MEMORY_TARGET,
      });
    }
  }
  await bench.clean();
  await Deno.remove(source, { recursive: true });
}

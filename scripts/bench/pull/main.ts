/**
 * Measures backups that are pulled: over a long way, beside the same backups made without an agent,
 * and in memory. Agent, puller and datastore are on this computer, in a tmpfs.
 *
 *     deno task bench pull [delay] [many] [local] [memory] [--rounds N]
 *
 * Without words everything is measured; `many` is the one of 100,000 files. Needs root, GNU time,
 * `dist/pbkfs` (or `PBKFS_BIN`) and 4 GiB of memory for the tmpfs. Prints a table;
 * `dist/bench-pull.json` has the same.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  makeDistinctLargeFile,
  makeDistinctMixedFiles,
  makeDistinctSmallFiles,
} from "../pbs/data.ts";
import { measureRuns } from "../pxar/run.ts";
import { Report } from "../report.ts";
import { withTmpfs } from "../tmpfs.ts";
import { BenchAgent } from "./bench_agent.ts";
import { DelayingProxy } from "./delaying_proxy.ts";

const DELAY_MS = 20;
const METADATA = ["--change-detection-mode", "metadata"];
const GIBIBYTE = 1 << 30;

interface Scene {
  readonly agent: BenchAgent;
  readonly report: Report;
  readonly rounds: number;
  /** Where trees are made. */
  readonly place: string;
}

const PARTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  delay: benchmarkDelay,
  many: benchmarkMany,
  local: benchmarkLocal,
  memory: benchmarkMemory,
};

/** Runs the measurements that are named; `checkout` is where `dist` is. */
export async function benchmarkPull(checkout: string, args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { rounds: { type: "string", default: "5" } },
  });
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  const report = new Report(["pull", "local"]);
  await withTmpfs("4g", async (place) => {
    for (const name of positionals.length === 0 ? Object.keys(PARTS) : positionals) {
      const part = PARTS[name];
      if (part === undefined) throw new Error(`there is nothing called ${name} to measure`);
      await using agent = await BenchAgent.start(program, place);
      await part({ agent, report, rounds: Number(values.rounds), place });
    }
  });
  console.log(report.table());
  await Deno.mkdir(`${checkout}dist`, { recursive: true });
  await Deno.writeTextFile(`${checkout}dist/bench-pull.json`, report.json() + "\n");
}

/** A thousand small files over a long way. */
async function benchmarkDelay({ agent, report, rounds, place }: Scene): Promise<void> {
  const tree = `${place}/tree`;
  makeDistinctSmallFiles(tree);
  await using proxy = new DelayingProxy(agent.port, DELAY_MS);
  const name = `1,000 x 4 KiB, ${DELAY_MS} ms each way`;
  const pull = agent.pull(tree, proxy.port, ...METADATA);
  const [first] = await measureRuns([pull], rounds, () => agent.renewStore());
  report.add({ name: `${name}: first`, unit: "s", mount: first!.seconds, target: "<= 1.5" });
  await benchmarkUnchanged({ agent, report, rounds, place }, name, proxy, "<= 0.5");
}

/** A hundred thousand files that have not changed, over a long way. */
async function benchmarkMany(scene: Scene): Promise<void> {
  const { agent, place } = scene;
  makeDistinctSmallFiles(`${place}/tree`, 100_000, 64);
  await using proxy = new DelayingProxy(agent.port, DELAY_MS);
  await agent.renewStore();
  await benchmarkUnchanged(scene, `100,000 files, ${DELAY_MS} ms each way`, proxy, "<= 10");
}

/** The round that does not count makes the snapshots that nothing has changed since. */
async function benchmarkUnchanged(
  { agent, report, rounds, place }: Scene,
  name: string,
  proxy: DelayingProxy,
  target: string,
): Promise<void> {
  const pull = agent.pull(`${place}/tree`, proxy.port, ...METADATA);
  const local = agent.backup(`${place}/tree`, ...METADATA);
  const [pulled, made] = await measureRuns([pull, local], rounds, () => Promise.resolve());
  report.add({ name: `${name}: unchanged`, unit: "s", mount: pulled!.seconds, target });
  report.add({ name: "the same without an agent", unit: "s", mount: made!.seconds });
}

/** First backups without delay, beside those that no agent is asked for. */
async function benchmarkLocal({ agent, report, rounds, place }: Scene): Promise<void> {
  const trees = [
    ["10,000 files of 50 KiB: first", makeDistinctMixedFiles, "<= 1.3"],
    // Throughput of 0.8.
    ["1 GiB in a file: first", makeDistinctLargeFile, "<= 1.25"],
  ] as const;
  for (const [name, make, target] of trees) {
    const tree = `${place}/tree`;
    make(tree);
    const commands = [agent.pull(tree, agent.port), agent.backup(tree)];
    const [pulled, made] = await measureRuns(commands, rounds, () => agent.renewStore());
    report.add({ name, unit: "s", mount: pulled!.seconds, plain: made!.seconds, target });
    await Deno.remove(tree, { recursive: true });
  }
}

/** Memory of both sides, of a large tree and of a large file. */
async function benchmarkMemory({ agent, report, place }: Scene): Promise<void> {
  const trees = [
    ["100,000 files", () => makeDistinctSmallFiles(`${place}/tree`, 100_000, 64)],
    ["1 GiB in a file", () => makeDistinctLargeFile(`${place}/tree`, GIBIBYTE)],
  ] as const;
  for (const [name, make] of trees) {
    make();
    const pull = agent.pull(`${place}/tree`, agent.port);
    const [pulled] = await measureRuns([pull], 1, () => agent.renewStore());
    report.add({
      ...{ name: `memory of the puller, ${name}`, unit: "MiB", target: "<= 300" },
      mount: pulled!.memoryMebibytes,
    });
    report.add({
      ...{ name: `memory of the agent, ${name}`, unit: "MiB", target: "<= 150" },
      mount: await agent.peakMebibytes(),
    });
    await Deno.remove(`${place}/tree`, { recursive: true });
  }
}

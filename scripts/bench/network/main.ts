/**
 * Measures what the network adds: HTTP/2 beside a bare TLS socket, and commands with a server
 * (`pbkfs pbs serve`, a process of its own, over loopback) beside the same with a local datastore.
 *
 *     deno task bench network [transport] [program] [mounts] [memory]
 *         [--size MIB] [--memory-size MIB] [--rounds N]
 *
 * Without words everything is measured. `--size` is of the mixed data and of the file that is read
 * through mounts, `--memory-size` of the backup whose client's memory is measured: 1024 each unless
 * told, and the figures that are wanted for memory are of 4096. Needs root, GNU time, `dist/pbkfs`
 * (or `PBKFS_BIN`) and memory for a tmpfs of four times the larger size. Prints a table;
 * `dist/bench-network.json` has the same.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Report } from "../report.ts";
import { withTmpfs } from "../tmpfs.ts";
import { BenchServer } from "./bench_server.ts";
import { benchmarkMemory } from "./memory.ts";
import { benchmarkMounts } from "./mounts.ts";
import { benchmarkProgram } from "./program.ts";
import type { NetworkBenchSizes } from "./sizes.ts";
import { benchmarkTransport } from "./transport.ts";

const MEBIBYTE = 1 << 20;

type Part = (server: BenchServer, report: Report, sizes: NetworkBenchSizes) => Promise<void>;

const PARTS: Readonly<Record<string, Part>> = {
  transport: (_server, report) => benchmarkTransport(report),
  program: benchmarkProgram,
  mounts: benchmarkMounts,
  memory: benchmarkMemory,
};

/** Runs the measurements that are named; `checkout` is where `dist` is. */
export async function benchmarkNetwork(checkout: string, args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      size: { type: "string", default: "1024" },
      "memory-size": { type: "string", default: "1024" },
      rounds: { type: "string", default: "3" },
    },
  });
  const dataBytes = Number(values.size) * MEBIBYTE;
  const memoryBytes = Number(values["memory-size"]) * MEBIBYTE;
  const sizes = { rounds: Number(values.rounds), dataBytes, memoryBytes };
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  const report = new Report(["network", "yardstick"]);
  await withTmpfs(String(4 * Math.max(dataBytes, memoryBytes)), async (place) => {
    for (const name of positionals.length === 0 ? Object.keys(PARTS) : positionals) {
      const part = PARTS[name];
      if (part === undefined) throw new Error(`there is nothing called ${name} to measure`);
      await using server = new BenchServer(program, place);
      await part(server, report, sizes);
    }
  });
  console.log(report.table());
  await Deno.mkdir(`${checkout}dist`, { recursive: true });
  await Deno.writeTextFile(`${checkout}dist/bench-network.json`, report.json() + "\n");
}

/**
 * Reads through a mounted snapshot of a server, beside one of a local datastore.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { median } from "../host.ts";
import { makeDistinctLargeFile } from "../pbs/data.ts";
import { measureReads } from "../read_rates.ts";
import type { Report } from "../report.ts";
import type { BenchServer, Side } from "./bench_server.ts";
import type { NetworkBenchSizes } from "./sizes.ts";

const TIMEOUT_MS = 120_000;
const SIDES: readonly Side[] = ["server", "local"];

/** Measures a file that is read in order by a new mount, then at random out of caches. */
export async function benchmarkMounts(
  server: BenchServer,
  report: Report,
  { rounds, dataBytes }: NetworkBenchSizes,
): Promise<void> {
  const source = `${server.place}/source`;
  const mountPoint = `${server.place}/mnt`;
  const run = (command: readonly string[]) => runCommand(command, { timeoutMs: TIMEOUT_MS });
  makeDistinctLargeFile(source, dataBytes);
  await Deno.mkdir(mountPoint);
  await server.renew();
  for (const side of SIDES) {
    await run(server.command(side, "backup", `root.pxar:${source}`, "--backup-id", "bench"));
  }
  await Deno.remove(source, { recursive: true });

  const inOrder: Record<Side, number[]> = { server: [], local: [] };
  const atRandom: Record<Side, number[]> = { server: [], local: [] };
  for (let round = 0; round < rounds; round++) {
    for (const side of SIDES) {
      await run(server.command(side, "mount", "host/bench", "root.pxar", mountPoint));
      try {
        const path = `${mountPoint}/large.dat`;
        inOrder[side].push((await measureReads("sequential", path, 1)).megabytesPerSecond);
        atRandom[side].push((await measureReads("random", path, 1)).readsPerSecond);
      } finally {
        await run([server.program, "unmount", "-D", mountPoint]);
      }
    }
  }
  for (
    const [name, unit, values, target] of [
      ["mounted, read in order", "MB/s", inOrder, ">= 0.7"],
      ["mounted, random 8 KiB, warm", "reads/s", atRandom, ">= 0.95"],
    ] as const
  ) {
    report.add({
      name,
      unit,
      mount: median(values.server),
      plain: median(values.local),
      target,
    });
  }
}

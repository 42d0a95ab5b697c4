/**
 * Whole runs of the executable with a server, process start included, beside local ones.
 *
 * @module
 */

import { makeDistinctSmallFiles, makeMixedSizes } from "../pbs/data.ts";
import { measureRuns } from "../pxar/run.ts";
import type { Report } from "../report.ts";
import type { BenchServer, Side } from "./bench_server.ts";
import type { NetworkBenchSizes } from "./sizes.ts";

const SIDES: readonly Side[] = ["server", "local"];
const SMALL_ROUNDS = 9;
const MILLISECONDS = 1000;

/** Measures first backups, restores, unchanged backups, and one of a few small files. */
export async function benchmarkProgram(
  server: BenchServer,
  report: Report,
  { rounds, dataBytes }: NetworkBenchSizes,
): Promise<void> {
  const source = `${server.place}/source`;
  const restored = `${server.place}/restored`;
  makeMixedSizes(source, dataBytes);
  const name = `${dataBytes / (1 << 20)} MiB of mixed data`;

  const backup = (side: Side) => server.command(side, "backup", `root.pxar:${source}`);
  await server.renew();
  const backups = await measureRuns(SIDES.map(backup), rounds, () => server.renew());
  report.add({ name: `${name}: first backup`, unit: "s", ...beside(backups), target: "<= 1.3" });

  await server.renew();
  const id = ["--backup-id", "bench", "--change-detection-mode", "metadata"];
  const again = SIDES.map((side) => [...backup(side), ...id]);
  // The round that does not count makes the snapshot that nothing has changed since.
  const [unchanged, unchangedLocal] = await measureRuns(again, rounds, async () => {});
  const restore = (side: Side) =>
    server.command(side, "restore", "host/bench", "root.pxar", restored);
  const restores = await measureRuns(SIDES.map(restore), rounds, async () => {
    await Deno.remove(restored, { recursive: true }).catch(() => {});
  });
  report.add({ name: `${name}: restore`, unit: "s", ...beside(restores), target: "<= 1.25" });
  report.add({
    name: `${name}: unchanged, metadata`,
    unit: "s",
    mount: unchanged!.seconds,
    target: "<= 0.2",
  });
  report.add({
    name: "the same with the local datastore",
    unit: "s",
    mount: unchangedLocal!.seconds,
  });
  await Deno.remove(source, { recursive: true });
  await Deno.remove(restored, { recursive: true });
  await benchmarkSmallFiles(server, report);
}

/** Each time all contents are new, and the group's last snapshot is compared with. */
async function benchmarkSmallFiles(server: BenchServer, report: Report): Promise<void> {
  const source = `${server.place}/small`;
  await server.renew();
  const backup = server.command("server", "backup", `root.pxar:${source}`, "--backup-id", "small");
  const version = ["env", server.program, "--version"];
  const renewFiles = async () => {
    await Deno.remove(source, { recursive: true }).catch(() => {});
    makeDistinctSmallFiles(source, 50, 8192);
  };
  const [cost, start] = await measureRuns([backup, version], SMALL_ROUNDS, renewFiles);
  const startMs = start!.seconds * MILLISECONDS;
  report.add({ name: "--version", unit: "ms", mount: startMs });
  report.add({
    name: "50 x 8 KiB, process start included",
    unit: "ms",
    mount: cost!.seconds * MILLISECONDS,
    target: `<= ${Math.round(2.5 * startMs + 50)}`,
  });
}

function beside(costs: readonly { readonly seconds: number }[]) {
  return { mount: costs[0]!.seconds, plain: costs[1]!.seconds };
}

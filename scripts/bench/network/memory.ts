/**
 * Memory of a client, and of a server that has many of them at once.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { makeDistinctLargeFile } from "../pbs/data.ts";
import { measureRuns } from "../pxar/run.ts";
import type { Report } from "../report.ts";
import type { BenchServer } from "./bench_server.ts";
import type { NetworkBenchSizes } from "./sizes.ts";

const CLIENTS = 16;
const TIMEOUT_MS = 300_000;

/** Measures a backup and a restore by one client, then both by many at once. */
export async function benchmarkMemory(
  server: BenchServer,
  report: Report,
  { memoryBytes, dataBytes }: NetworkBenchSizes,
): Promise<void> {
  const source = `${server.place}/source`;
  const restored = `${server.place}/restored`;
  const id = ["--backup-id", "bench"];
  makeDistinctLargeFile(source, memoryBytes);
  await server.renew();
  const backup = server.command("server", "backup", `root.pxar:${source}`, ...id);
  const restore = server.command("server", "restore", "host/bench", "root.pxar", restored);
  const prepare = {
    backup: () => server.renew(),
    restore: () => Deno.remove(restored, { recursive: true }).catch(() => {}),
  };
  for (const [step, command] of Object.entries({ backup, restore })) {
    const [cost] = await measureRuns([command], 1, prepare[step as keyof typeof prepare]);
    report.add({
      name: `memory of the client, ${step} of ${memoryBytes / (1 << 20)} MiB`,
      unit: "MiB",
      mount: cost!.memoryMebibytes,
      target: "<= 512",
    });
  }
  for (const path of [source, restored]) await Deno.remove(path, { recursive: true });
  await benchmarkServerMemory(server, report, Math.floor(dataBytes / CLIENTS));
}

/** Every client has data of its own. */
async function benchmarkServerMemory(
  server: BenchServer,
  report: Report,
  bytes: number,
): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, (_, index) => ({
    id: `client-${index}`,
    source: `${server.place}/source-${index}`,
    restored: `${server.place}/restored-${index}`,
  }));
  for (const { source } of clients) makeDistinctLargeFile(source, bytes);
  await server.renew();
  const all = (argsOf: (client: typeof clients[number]) => string[]) =>
    Promise.all(
      clients.map((client) =>
        runCommand(server.command("server", ...argsOf(client)), { timeoutMs: TIMEOUT_MS })
      ),
    );
  await all(({ id, source }) => ["backup", `root.pxar:${source}`, "--backup-id", id]);
  await all(({ id, restored }) => ["restore", `host/${id}`, "root.pxar", restored]);
  report.add({
    name: `memory of the server, ${CLIENTS} clients at once`,
    unit: "MiB",
    mount: await server.peakMebibytes(),
    target: "<= 300",
  });
}

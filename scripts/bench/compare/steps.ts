/**
 * What is measured on each side. Every step is a process of its own, and each begins with the
 * kernel's caches dropped.
 *
 * @module
 */

import { PostgresServer } from "#tests/support/postgres.ts";
import { runCommand } from "#tests/support/process.ts";
import { dropCaches, elapsedSeconds, processorSeconds } from "../host.ts";
import { countMs, pgbenchTps } from "../mount/postgres.ts";
import { measureReads } from "../read_rates.ts";
import type { Side } from "./sides.ts";

/** A mount is idle when it has not been asked anything for so long. */
const IDLE_MS = 3000;
const CAT_TIMEOUT_MS = 120_000;
/** Smaller than the table, so that a second scan reads the files again. */
const SHARED_BUFFERS = "64MB";

/** The measured quantities, by the keys of `QUANTITIES`. */
export type Figures = Partial<Record<Quantity, number>>;

/** A quantity of the table. */
export type Quantity =
  | "mountSeconds"
  | "idleMebibytes"
  | "catSeconds"
  | "catProcessorSeconds"
  | "randomReadsPerSecond"
  | "firstCountMs"
  | "firstCountProcessorSeconds"
  | "secondCountMs"
  | "readWriteTps";

/** A group of quantities that are measured together on a new data directory. */
export type Step = "mount" | "cat" | "random" | "count" | "pgbench";

/** All of them, in the order in which they are measured. */
export const STEPS: readonly Step[] = ["mount", "cat", "random", "count", "pgbench"];

/**
 * Measures one step on one side. @param relation the file that is read, relative to the data
 * directory
 */
export async function measureStep(step: Step, side: Side, relation: string): Promise<Figures> {
  const isMount = side.name !== "plain";
  if (step === "mount" && !isMount) return {};
  if (step === "mount") await dropCaches();
  const openSeconds = await side.open();
  try {
    switch (step) {
      case "mount":
        return { mountSeconds: openSeconds, idleMebibytes: await idleMebibytes(side) };
      case "cat":
        return await cat(side, `${side.path}/${relation}`);
      case "random": {
        await dropCaches();
        const rate = await measureReads("random", `${side.path}/${relation}`, 1);
        return { randomReadsPerSecond: rate.readsPerSecond };
      }
      case "count":
        return await counts(side);
      case "pgbench":
        return { readWriteTps: await readWriteTps(side.path) };
    }
  } finally {
    await side.close();
  }
}

/** Proportional set size: pages that several processes share count in part. */
async function idleMebibytes(side: Side): Promise<number> {
  // Asked of the mount itself, so before: every request brings code back into memory.
  const pid = await side.workerPid();
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const { stdout } = await runCommand(["cat", `/proc/${pid}/smaps_rollup`], {
    timeoutMs: 10_000,
  });
  return Number(/^Pss:\s+(\d+) kB/m.exec(stdout)?.[1]) / 1024;
}

async function cat(side: Side, path: string): Promise<Figures> {
  const clock = await processorClock(side);
  await dropCaches();
  // The program itself must not have to be read from the disk.
  await runCommand(["sh", "-c", "cat /dev/null >/dev/null"], { timeoutMs: CAT_TIMEOUT_MS });
  const start = clock?.();
  const catSeconds = await elapsedSeconds(() =>
    runCommand(["sh", "-c", 'exec cat "$1" >/dev/null', "sh", path], { timeoutMs: CAT_TIMEOUT_MS })
  );
  if (start === undefined) return { catSeconds };
  return { catSeconds, catProcessorSeconds: clock!() - start };
}

async function counts(side: Side): Promise<Figures> {
  const server = await PostgresServer.start({
    version: 15,
    dataDirectory: side.path,
    settings: { shared_buffers: SHARED_BUFFERS },
  });
  try {
    const clock = await processorClock(side);
    await dropCaches();
    const start = clock?.();
    // Each by a psql, and so a server process, of its own.
    const firstCountMs = await countMs(server);
    const used = clock && { firstCountProcessorSeconds: clock() - start! };
    return { firstCountMs, ...used, secondCountMs: await countMs(server) };
  } finally {
    await server.stop();
  }
}

/** Tells the processor time of the process that serves a side, if there is one. */
async function processorClock(side: Side): Promise<(() => number) | undefined> {
  const pid = await side.workerPid();
  return pid === undefined ? undefined : () => processorSeconds(pid);
}

async function readWriteTps(dataDirectory: string): Promise<number> {
  const server = await PostgresServer.start({ version: 15, dataDirectory });
  try {
    await dropCaches();
    return await pgbenchTps(server);
  } finally {
    await server.stop();
  }
}

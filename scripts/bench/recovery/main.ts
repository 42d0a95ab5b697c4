/**
 * Measures instant recovery: a server on a mount that hydrates, what it is like when everything is
 * there, and how long there is no server while the mount becomes a plain directory.
 *
 *     deno task bench recovery [hydration] [load] [hydrated] [promote]
 *
 * Without words everything is measured. Needs root, PostgreSQL 15 and `dist/pbkfs` (or
 * `PBKFS_BIN`). Prints a table; `dist/bench-recovery.json` has the same.
 *
 * @module
 */

import { PostgresServer } from "#tests/support/postgres.ts";
import { runCommand } from "#tests/support/process.ts";
import { buildSyntheticCatalog } from "#tests/support/synthetic_catalog.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { dropCaches, elapsedSeconds, median, residentMebibytes } from "../host.ts";
import { BenchMount } from "../mount/bench_mount.ts";
import { countMs, pgbenchTps } from "../mount/postgres.ts";
import { largestRelation } from "../mount/relations.ts";
import { SAMPLE_BACKUP, SAMPLE_INSTANCE, unpackSample } from "../mount/sample.ts";
import { measureReads } from "../read_rates.ts";
import { Report } from "../report.ts";

const ROUNDS = 5;
const TIMEOUT_MS = 600_000;
/** How long pgbench runs while the sample hydrates at {@link LOAD_RATE}. */
const LOAD_SECONDS = "3";
const LOAD_RATE = "100M";
const READ_ONLY_ROUNDS = 5;
const MANY_FILES = { fileCount: 50_000, blocksPerFile: 1 };

/** Where it is measured. */
interface Scene {
  readonly program: string;
  readonly report: Report;
  readonly place: TempDirectory;
  /** The catalog of the sample. */
  readonly store: string;
  /** The sample, restored. */
  readonly plain: string;
}

const PARTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  hydration: benchmarkHydration,
  load: benchmarkLoad,
  hydrated: benchmarkHydrated,
  promote: benchmarkPromote,
};

/** Runs the measurements that are named; `checkout` is where `dist` is. */
export async function benchmarkRecovery(checkout: string, names: readonly string[]): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  using place = new TempDirectory("bench-recovery");
  Deno.chmodSync(place.path, 0o755);
  const report = new Report(["recovery", "plain"]);
  const store = await unpackSample(checkout, place.path);
  const plain = place.join("plain");
  const scene = { program, report, place, store, plain };
  await restore(scene, plain);
  await runCommand(["chown", "-R", "postgres:", plain], { timeoutMs: TIMEOUT_MS });
  for (const name of names.length === 0 ? Object.keys(PARTS) : names) {
    const part = PARTS[name];
    if (part === undefined) throw new Error(`there is nothing called ${name} to measure`);
    await part(scene);
  }
  console.log(report.table());
  await Deno.mkdir(`${checkout}dist`, { recursive: true });
  await Deno.writeTextFile(`${checkout}dist/bench-recovery.json`, report.json() + "\n");
}

function restore({ program, store }: Scene, target: string): Promise<unknown> {
  const source = `${store}#${SAMPLE_INSTANCE}/${SAMPLE_BACKUP}`;
  return runCommand([program, "restore", source, target, "-j", "2"], { timeoutMs: TIMEOUT_MS });
}

/** A mount of the sample, with a new diff directory that goes with it. */
async function withMount(
  { program, place, store }: Scene,
  options: readonly string[],
  use: (mount: BenchMount) => Promise<void>,
): Promise<void> {
  const [mountPath, diffPath] = [place.join("mnt"), place.join("diff")];
  await using mount = new BenchMount({
    ...{ program, store, instance: SAMPLE_INSTANCE, backupId: SAMPLE_BACKUP },
    ...{ mountPath, diffPath, options },
  });
  await mount.mount();
  await use(mount);
  await mount.unmount();
  await runCommand(["rm", "-rf", diffPath], { timeoutMs: TIMEOUT_MS });
}

/** Until everything is in the diff directory. */
function hydrated({ program }: Scene, { path }: BenchMount): Promise<unknown> {
  return runCommand([program, "hydrate", "start", "-D", path, "--wait"], { timeoutMs: TIMEOUT_MS });
}

async function withServer(
  dataDirectory: string,
  use: (server: PostgresServer) => Promise<void>,
): Promise<void> {
  const settings = { port: "5432" };
  const server = await PostgresServer.start({ version: 15, dataDirectory, settings });
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

/** Hydration alone, from the mount on, beside a restore; both leave everything on the disk. */
async function benchmarkHydration(scene: Scene): Promise<void> {
  const { report, place } = scene;
  const [hydrations, restores]: [number[], number[]] = [[], []];
  const target = place.join("target");
  for (let round = 0; round < ROUNDS; round++) {
    await dropCaches();
    restores.push(await elapsedSeconds(() => restore(scene, target)));
    await runCommand(["rm", "-rf", target], { timeoutMs: TIMEOUT_MS });
    await dropCaches();
    const start = performance.now();
    await withMount(scene, ["--hydrate"], async (mount) => {
      await hydrated(scene, mount);
      hydrations.push((performance.now() - start) / 1000);
    });
  }
  report.add({
    ...{ name: "mount and hydrate; plain: restore -j 2", unit: "s", target: "<= 1.1" },
    ...{ mount: median(hydrations), plain: median(restores) },
  });
}

/** A server that is used while its files come. */
async function benchmarkLoad(scene: Scene): Promise<void> {
  const { report, plain } = scene;
  const [first, loads, plains]: [number[], number[], number[]] = [[], [], []];
  let memory = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await withServer(plain, async (server) => {
      plains.push(await pgbenchTps(server, "-T", LOAD_SECONDS));
    });
    await withMount(scene, [`--hydrate=${LOAD_RATE}`], async (mount) => {
      await withServer(mount.path, async (server) => {
        first.push(await elapsedSeconds(() => server.sql("select count(*) from pgbench_tellers")));
        loads.push(await pgbenchTps(server, "-T", LOAD_SECONDS));
      });
      memory = Math.max(memory, await residentMebibytes(await mount.workerPid()));
    });
  }
  report.add({
    name: "first query while it hydrates",
    unit: "s",
    mount: median(first),
    target: "<= 0.5",
  });
  report.add({
    ...{ name: `pgbench read-write, hydration at ${LOAD_RATE}`, unit: "tps", target: ">= 0.8" },
    ...{ mount: median(loads), plain: median(plains) },
  });
  report.add({ name: "memory of the worker", unit: "MiB", mount: memory, target: "<= 150" });
}

/** When everything is in the diff directory. */
async function benchmarkHydrated(scene: Scene): Promise<void> {
  const { report, plain } = scene;
  await withMount(scene, ["--hydrate"], async (mount) => {
    await hydrated(scene, mount);
    const relation = await largestRelation(plain);
    const rates = { mount: 0, plain: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      for (const [side, directory] of [["plain", plain], ["mount", mount.path]] as const) {
        const path = `${directory}/${relation}`;
        await measureReads("sequential", path, 1);
        const { megabytesPerSecond } = await measureReads("sequential", path, 1);
        rates[side] = Math.max(rates[side], megabytesPerSecond);
      }
    }
    report.add({ name: "repeated sequential read", unit: "MB/s", ...rates, target: ">= 0.97" });

    const counts: Record<"mount" | "plain", number[]> = { mount: [], plain: [] };
    const tps: Record<"mount" | "plain", number[]> = { mount: [], plain: [] };
    for (let round = 0; round < READ_ONLY_ROUNDS; round++) {
      for (const [side, directory] of [["plain", plain], ["mount", mount.path]] as const) {
        await withServer(directory, async (server) => {
          await dropCaches();
          counts[side].push(await countMs(server));
          tps[side].push(await pgbenchTps(server, "-S", "-T", LOAD_SECONDS));
        });
      }
    }
    report.add({
      ...{ name: "first count(*), cold", unit: "ms", target: "<= 1.15" },
      ...{ mount: median(counts.mount), plain: median(counts.plain) },
    });
    report.add({
      ...{ name: "pgbench read-only", unit: "tps", target: ">= 0.97" },
      ...{ mount: median(tps.mount), plain: median(tps.plain) },
    });
  });
}

/** How long there is no server: of the sample after some writes, and of many small files. */
async function benchmarkPromote(scene: Scene): Promise<void> {
  const { program, report, place, store } = scene;
  const manyPath = place.join("many");
  const many = buildSyntheticCatalog(manyPath, MANY_FILES);
  const catalogs = [
    ["the sample, 341 MB", { store, instance: SAMPLE_INSTANCE, backupId: SAMPLE_BACKUP }],
    [
      `${MANY_FILES.fileCount.toLocaleString("en-US")} files`,
      { store: manyPath, instance: many.instance, backupId: many.backupId },
    ],
  ] as const;
  for (const [name, catalog] of catalogs) {
    const seconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [mountPath, diffPath] = [place.join("mnt"), place.join("diff")];
      const target = place.join("target");
      await using mount = new BenchMount({
        ...{ program, ...catalog, mountPath, diffPath, options: ["--hydrate"] },
      });
      await mount.mount();
      if (catalog.store === store) {
        await withServer(mount.path, async (server) => {
          await pgbenchTps(server, "-T", "1");
        });
      }
      await hydrated(scene, mount);
      const { stdout } = await runCommand(
        [program, "promote", "-D", mountPath, target, "--format", "json"],
        { timeoutMs: TIMEOUT_MS },
      );
      seconds.push(JSON.parse(stdout).without_server_s);
      await runCommand(["rm", "-rf", target], { timeoutMs: TIMEOUT_MS });
    }
    report.add({
      ...{ name: `without a server at promote, ${name}`, unit: "s", target: "<= 2" },
      mount: median(seconds),
    });
  }
}

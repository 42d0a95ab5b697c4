/**
 * Measures a mount against a plain directory with the same files on the same disk, in one run.
 *
 *     deno task bench [CATALOG.tar.zst [INSTANCE BACKUP_ID]]
 *     deno task bench compare [--before EXECUTABLE] [--rounds N] [STEP…]
 *     deno task bench pxar
 *     deno task bench chunking
 *     deno task bench pbs [chunks] [library] [program] [memory]
 *     deno task bench run
 *     deno task bench network [transport] [program] [mounts] [memory] [--size MIB] [--memory-size MIB]
 *     deno task bench pull [delay] [many] [local] [memory] [--rounds N]
 *     deno task bench restore [THREADS]
 *     deno task bench recovery [hydration] [load] [hydrated] [promote]
 *     deno task bench commit [MIB]
 *     deno task bench list --before EXECUTABLE
 *
 * The second form measures each step anew, beside an executable of before (`compare/`), the third
 * archives (`pxar.ts`), the fourth how streams are cut into chunks (`chunking.ts`), the fifth that
 * and datastores (`pbs.ts`), the others a server for one command (`run.ts`), what the network adds
 * (`network/`), backups that are pulled (`pull/`), restores (`restore/`), hydration and promotion
 * (`recovery/`), commits of what was changed (`commit.ts`), and listings beside an executable of
 * before (`listing.ts`).
 *
 * Needs root, PostgreSQL 15 and `dist/pbkfs` (or `PBKFS_BIN`). The catalog must be one of a pgbench
 * database; without arguments the shared sample of scale 20 is taken. Prints a table;
 * `dist/bench.json` has the same.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { BenchMount } from "./mount/bench_mount.ts";
import { benchmarkChunking } from "./pbs/chunking.ts";
import { benchmarkCommit } from "./commit.ts";
import { compareSides } from "./compare/main.ts";
import { elapsedSeconds, median, residentMebibytes } from "./host.ts";
import { benchmarkListing } from "./listing.ts";
import { benchmarkNetwork } from "./network/main.ts";
import { benchmarkDatastores } from "./pbs/main.ts";
import { benchmarkPostgres } from "./mount/postgres.ts";
import { benchmarkArchives } from "./pxar/main.ts";
import { benchmarkReads } from "./mount/reads.ts";
import { countFiles, largestRelation } from "./mount/relations.ts";
import { benchmarkRecovery } from "./recovery/main.ts";
import { Report } from "./report.ts";
import { benchmarkPull } from "./pull/main.ts";
import { benchmarkRequestCost } from "./mount/request_cost.ts";
import { benchmarkRestore } from "./restore/main.ts";
import { SAMPLE_BACKUP, SAMPLE_INSTANCE, unpackSample } from "./mount/sample.ts";
import { benchmarkRun } from "./run.ts";
import { benchmarkScale } from "./mount/scale.ts";

const CHECKOUT = new URL("../../", import.meta.url).pathname;
const LIFE_CYCLES = 5;
const COPY_TIMEOUT_MS = 300_000;

/** Mount and unmount several times, each with a new diff directory. */
async function benchmarkLifeCycle(make: (index: number) => BenchMount, report: Report) {
  const mounts: number[] = [];
  const unmounts: number[] = [];
  for (let index = 0; index < LIFE_CYCLES; index++) {
    await using mount = make(index);
    mounts.push(await mount.mount());
    unmounts.push(await mount.unmount());
  }
  report.add({ name: "mount --wait", unit: "s", mount: median(mounts), target: "<= 0.3" });
  report.add({ name: "unmount", unit: "s", mount: median(unmounts), target: "<= 0.5" });
}

async function main(args: readonly string[]): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${CHECKOUT}dist/pbkfs`;
  const [archive, instance = SAMPLE_INSTANCE, backupId = SAMPLE_BACKUP] = args;
  using place = new TempDirectory("bench");
  const report = new Report();
  const store = await unpackSample(CHECKOUT, place.path, archive);
  const make = (name: string) =>
    new BenchMount({
      program,
      store,
      instance,
      backupId,
      mountPath: place.join("mnt"),
      diffPath: place.join(name),
    });

  await benchmarkLifeCycle((index) => make(`diff-${index}`), report);

  await using mount = make("diff");
  await mount.mount();
  const plain = place.join("plain");
  const copySeconds = await elapsedSeconds(() =>
    runCommand(["cp", "-a", "--sparse=never", mount.path, plain], { timeoutMs: COPY_TIMEOUT_MS })
  );
  await Deno.remove(`${plain}/.pbkfs`, { recursive: true });
  report.add({ name: "files of the backup", unit: "", mount: await countFiles(plain) });
  report.add({ name: "cp -a of the whole mount", unit: "s", mount: copySeconds });

  const relation = await largestRelation(plain);
  await benchmarkReads(
    { mount: `${mount.path}/${relation}`, plain: `${plain}/${relation}` },
    report,
  );
  await benchmarkPostgres({ mount: mount.path, plain }, report);
  const memory = await residentMebibytes(await mount.workerPid());
  report.add({ name: "memory of the worker", unit: "MiB", mount: memory, target: "<= 150" });
  report.add({
    name: "unmount after all",
    unit: "s",
    mount: await mount.unmount(),
    target: "<= 0.5",
  });
  await benchmarkRequestCost(place, report);
  await benchmarkScale(program, report);

  console.log(report.table());
  await Deno.mkdir(`${CHECKOUT}dist`, { recursive: true });
  await Deno.writeTextFile(`${CHECKOUT}dist/bench.json`, report.json() + "\n");
}

if (import.meta.main) {
  if (Deno.args[0] === "pxar") await benchmarkArchives(CHECKOUT);
  else if (Deno.args[0] === "chunking") await benchmarkChunking(CHECKOUT);
  else if (Deno.args[0] === "compare") await compareSides(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "pbs") await benchmarkDatastores(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "restore") await benchmarkRestore(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "recovery") await benchmarkRecovery(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "commit") await benchmarkCommit(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "list") await benchmarkListing(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "network") await benchmarkNetwork(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "pull") await benchmarkPull(CHECKOUT, Deno.args.slice(1));
  else if (Deno.args[0] === "run") await benchmarkRun(CHECKOUT);
  else await main(Deno.args);
}

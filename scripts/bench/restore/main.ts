/**
 * Measures restores against what there was before (a mount, and a copy of all that it shows), and
 * against a copy of a plain directory: the same files on the same disk, in one run, by turns. On a
 * machine that does other things too, only the times of the processor tell.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { dropCaches, processorSeconds } from "../host.ts";
import { BenchMount } from "../mount/bench_mount.ts";
import { SAMPLE_BACKUP, SAMPLE_INSTANCE, unpackSample } from "../mount/sample.ts";
import { Report } from "../report.ts";
import { addTimes, Times } from "../times.ts";

const ROUNDS = 5;
const TIMEOUT_MS = 600_000;

/** How the copies are made. */
interface Course {
  readonly name: string;
  /** All that was written is on the disk at the end. */
  readonly isDurable: boolean;
  /** The backup, or the plain directory, comes from the disk. */
  readonly isCold: boolean;
}

const COURSES: readonly Course[] = [
  { name: "caches warm, not synced", isDurable: false, isCold: false },
  { name: "caches warm, synced", isDurable: true, isCold: false },
  { name: "caches cold, synced", isDurable: true, isCold: true },
];

/** What restores are compared with, and the most that they may take of its wall time. */
const OTHERS = [
  ["mounted", "mount + cp -a", "<= 0.6"],
  ["plain", "cp -a of a plain directory", "<= 1.25"],
] as const;

/** Measures, and prints a table. */
export async function benchmarkRestore(checkout: string, args: readonly string[]): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  const threads = args[0] ?? String(navigator.hardwareConcurrency);
  using place = new TempDirectory("bench-restore");
  const store = await unpackSample(checkout, place.path);
  const source = `${store}#${SAMPLE_INSTANCE}/${SAMPLE_BACKUP}`;
  const plain = place.join("plain");
  const target = place.join("target");
  await runCommand([program, "restore", source, plain], { timeoutMs: TIMEOUT_MS });
  const clear = () => runCommand(["rm", "-rf", target], { timeoutMs: TIMEOUT_MS });
  const copy = async (from: string, isDurable: boolean) => {
    await runCommand(["cp", "-a", from, target], { timeoutMs: TIMEOUT_MS });
    if (isDurable) await runCommand(["sync", "-f", target], { timeoutMs: TIMEOUT_MS });
  };
  const report = new Report(["restore", "other"]);
  for (const { name, isDurable, isCold } of COURSES) {
    const ways = {
      async restore() {
        const sync = isDurable ? [] : ["--no-sync"];
        await runCommand([program, "restore", source, target, "-j", threads, ...sync], {
          timeoutMs: TIMEOUT_MS,
        });
      },
      async mounted() {
        await using mount = new BenchMount({
          program,
          store,
          instance: SAMPLE_INSTANCE,
          backupId: SAMPLE_BACKUP,
          mountPath: place.join("mnt"),
          diffPath: place.join("diff"),
          options: ["--workers", threads],
        });
        await mount.mount();
        await copy(mount.path, isDurable);
        const worker = processorSeconds(await mount.workerPid());
        await mount.unmount();
        return worker;
      },
      plain: () => copy(plain, isDurable),
    };
    const times = { restore: new Times(), mounted: new Times(), plain: new Times() };
    for (let round = 0; round < ROUNDS; round++) {
      for (const way of ["restore", "mounted", "plain"] as const) {
        await clear();
        if (isCold) await dropCaches();
        await times[way].measure(ways[way]);
        await runCommand(["rm", "-rf", place.join("diff")], { timeoutMs: TIMEOUT_MS });
      }
    }
    for (const [other, title, target] of OTHERS) {
      const sides = { measured: times.restore, yardstick: times[other] };
      addTimes(report, `${title}, ${name}`, sides, target);
    }
  }
  console.log(report.table());
}

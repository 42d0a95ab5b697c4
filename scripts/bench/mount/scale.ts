/**
 * How mounting and memory grow with the number of files: a generated catalog of 300 GiB.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { buildSyntheticCatalog } from "#tests/support/synthetic_catalog.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { BenchMount } from "./bench_mount.ts";
import { dropCaches, median, residentMebibytes } from "../host.ts";
import type { Report } from "../report.ts";

const READER = fileURLToPath(new URL("./scatter_reader.ts", import.meta.url));
const MOUNTS = 3;
const READS = 50_000;
const READ_TIMEOUT_MS = 300_000;

/** The catalogs and their targets. */
const SIZES = [
  { fileCount: 1500, blocksPerFile: 786, secondsMax: 0.3, mebibytesMax: 150 },
  { fileCount: 50_000, blocksPerFile: 786, secondsMax: 2, mebibytesMax: 400 },
] as const;

async function measure(program: string, size: typeof SIZES[number], report: Report): Promise<void> {
  using place = new TempDirectory("scale");
  const store = place.join("catalog");
  const catalog = buildSyntheticCatalog(store, size);
  const paths = Array.from({ length: size.fileCount }, (_, index) => catalog.pathOf(index));
  Deno.writeTextFileSync(place.join("paths"), paths.join("\n"));
  const name = `${size.fileCount.toLocaleString("en-US")} files, ${
    Math.round(catalog.logicalBytes / 2 ** 30)
  } GiB`;
  const { instance, backupId } = catalog;
  const mountPath = place.join("mnt");
  const seconds: number[] = [];
  for (let index = 0; index < MOUNTS; index++) {
    await using mount = new BenchMount({
      program,
      store,
      instance,
      backupId,
      mountPath,
      diffPath: place.join(`diff-${index}`),
    });
    seconds.push(await mount.mount());
    if (index < MOUNTS - 1) continue;
    report.add({
      name: `mount --wait, ${name}`,
      unit: "s",
      mount: median(seconds),
      target: `<= ${size.secondsMax}`,
    });
    await dropCaches();
    const args = [mountPath, place.join("paths"), String(size.blocksPerFile), String(READS)];
    const command = denoRunCommand(["--allow-ffi", "--allow-read"], READER, args);
    const { stdout } = await runCommand(command, { timeoutMs: READ_TIMEOUT_MS });
    report.add({ name: `open, read 8 KiB, close: ${name}`, unit: "/s", mount: Number(stdout) });
    report.add({
      name: `memory of the worker, ${name}`,
      unit: "MiB",
      mount: await residentMebibytes(await mount.workerPid()),
      target: `<= ${size.mebibytesMax}`,
    });
  }
}

/** Measures each of {@link SIZES}. */
export async function benchmarkScale(program: string, report: Report): Promise<void> {
  for (const size of SIZES) await measure(program, size, report);
}

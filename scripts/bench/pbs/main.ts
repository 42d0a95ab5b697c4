/**
 * Measures datastores: cutting and storing chunks, backups by the library, and whole runs of the
 * executable.
 *
 *     deno task bench pbs [chunks] [library] [program] [memory]
 *
 * Without words everything is measured. Needs root, GNU time, `dist/pbkfs` (or `PBKFS_BIN`) and 14
 * GiB of memory for a tmpfs on which the trees, the datastores and what is restored lie. Prints a
 * table; `dist/bench-pbs.json` has the same.
 *
 * Beside the figures are those of another implementation, for whole runs of the real client with
 * its server, all on two cores of a known machine: on other machines they tell little.
 *
 * @module
 */

import { measureChunking } from "./chunking.ts";
import { benchmarkLibrary } from "./library.ts";
import { benchmarkMemory, benchmarkProgram } from "./program.ts";
import { PxarReport } from "../pxar/report.ts";
import { withTmpfs } from "../tmpfs.ts";

/** Of the tmpfs that the trees, the datastores and what is restored lie on. */
const SIZE = "16g";

type Part = (place: string, report: PxarReport) => void | Promise<void>;

/** Runs the measurements that are named; `checkout` is where `dist` is. */
export async function benchmarkDatastores(
  checkout: string,
  names: readonly string[],
): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  const parts: Record<string, Part> = {
    chunks: (_place, report) => measureChunking(report),
    library: benchmarkLibrary,
    program: (place, report) => benchmarkProgram(program, place, report),
    memory: (place, report) => benchmarkMemory(program, place, report),
  };
  const report = new PxarReport("reference");
  await withTmpfs(SIZE, async (place) => {
    for (const name of names.length === 0 ? Object.keys(parts) : names) {
      const part = parts[name];
      if (part === undefined) throw new Error(`there is nothing called ${name} to measure`);
      await part(place, report);
    }
  });
  console.log(report.table());
  await Deno.mkdir(`${checkout}dist`, { recursive: true });
  await Deno.writeTextFile(`${checkout}dist/bench-pbs.json`, report.json() + "\n");
}

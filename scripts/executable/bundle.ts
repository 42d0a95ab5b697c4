/**
 * The program as one JavaScript file: the FUSE worker's bundle goes into the main bundle as text, since a
 * single file has no second module that a worker could be started from.
 *
 * @module
 */

import type { BuildKind } from "../../src/cli/build_kind.ts";
import { makeBuiltinsLazy } from "./lazy_builtins.ts";
import { runDeno } from "./run_deno.ts";

const WORKER_MODULE = "src/cli/fuse_worker.ts";

function entryModule(kind: BuildKind, workerBundle: string): string {
  return `import workerSource from ${JSON.stringify(workerBundle)} with { type: "text" };
import { setBuildKind } from "#src/cli/build_kind.ts";
import { embedWorkerSource } from "#src/mount/worker_source.ts";
import { main } from "../../main.ts";

setBuildKind(${JSON.stringify(kind)});
embedWorkerSource(workerSource);
Deno.exit(await main(Deno.args));
`;
}

/** Bundles, makes the imports of builtins lazy, and minifies: the last for 2 ms of start-up. */
async function bundle(module: string, output: string): Promise<void> {
  const plain = `${output}.plain.js`;
  await runDeno(["bundle", "--quiet", "--platform", "deno", "-o", plain, module]);
  await Deno.writeTextFile(plain, makeBuiltinsLazy(await Deno.readTextFile(plain)));
  await runDeno(["bundle", "--quiet", "--platform", "deno", "--minify", "-o", output, plain]);
}

/**
 * Makes the one file.
 *
 * @param directory scratch directory, two levels below the checkout (for the import map to apply)
 * @returns path of the bundle
 */
export async function bundleProgram(kind: BuildKind, directory: string): Promise<string> {
  await bundle(WORKER_MODULE, `${directory}/fuse_worker.js`);
  await Deno.writeTextFile(`${directory}/entry.ts`, entryModule(kind, "./fuse_worker.js"));
  const program = `${directory}/pbkfs.js`;
  await bundle(`${directory}/entry.ts`, program);
  return program;
}

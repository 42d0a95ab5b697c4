/**
 * The program as one JavaScript file: the FUSE worker's bundle goes into the program's as text, since a single
 * file has no second module that a worker could be started from, and the program's into a small module that starts it.
 *
 * @module
 */

import type { BuildKind } from "../../src/cli/build_kind.ts";
import { makeBuiltinsLazy } from "./lazy_builtins.ts";
import { runDeno } from "./run_deno.ts";

const WORKER_MODULE = "src/cli/fuse_worker.ts";

/** The whole program but its start: a module that exports `start`. */
function programModule(kind: BuildKind, workerBundle: string): string {
  return `import workerSource from ${JSON.stringify(workerBundle)} with { type: "text" };
import { setBuildKind } from "#src/cli/build_kind.ts";
import { embedWorkerSource } from "#src/mount/worker_source.ts";
import { main } from "../../main.ts";

setBuildKind(${JSON.stringify(kind)});
embedWorkerSource(workerSource);
export const start = main;
`;
}

/**
 * What runs first. The program is a text in here until it is needed: to read its 0.7 MB takes longer than all the
 * rest of the start, and nothing of it is needed to tell the version.
 */
function entryModule(kind: BuildKind, programBundle: string): string {
  return `import programSource from ${JSON.stringify(programBundle)} with { type: "text" };
import { setBuildKind } from "#src/cli/build_kind.ts";
import { versionLine } from "#src/cli/version.ts";

const [word, ...rest] = Deno.args;
if (rest.length === 0 && (word === "--version" || word === "-V")) {
  setBuildKind(${JSON.stringify(kind)});
  console.log(versionLine());
} else {
  const program = new Blob([programSource], { type: "application/javascript" });
  const { start } = await import(URL.createObjectURL(program));
  Deno.exit(await start(Deno.args));
}
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
  await Deno.writeTextFile(`${directory}/program.ts`, programModule(kind, "./fuse_worker.js"));
  await bundle(`${directory}/program.ts`, `${directory}/program.js`);
  await Deno.writeTextFile(`${directory}/entry.ts`, entryModule(kind, "./program.js"));
  const executable = `${directory}/pbkfs.js`;
  await bundle(`${directory}/entry.ts`, executable);
  return executable;
}

/**
 * The program as one JavaScript file: the bundle of its threads goes into the program's as text, since a single
 * file has no second module that a worker could be started from, and the program's goes into a small module that
 * starts it.
 *
 * @module
 */

import type { BuildKind } from "../../src/cli/build_kind.ts";
import { makeFunctionBody, runnerModule } from "./function_body.ts";
import { makeBuiltinsLazy } from "./lazy_builtins.ts";
import { runDeno } from "./run_deno.ts";

const WORKER_MODULE = "src/cli/worker.ts";

/** The whole program but its start: exports `start`. */
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

/** What runs first: tells the version by itself, and starts the program for all the rest. */
function entryModule(kind: BuildKind, runner: string): string {
  return `${runner}
import { setBuildKind } from "#src/cli/build_kind.ts";
import { versionLine } from "#src/cli/version.ts";

const [word, ...rest] = Deno.args;
if (rest.length === 0 && (word === "--version" || word === "-V")) {
  setBuildKind(${JSON.stringify(kind)});
  console.log(versionLine());
} else {
  const { start } = await run();
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

/** Bundles a module and wraps it: the result is a small module around a text. */
async function bundleAsText(module: string, name: string, wrap: (runner: string) => string) {
  const code = `${name}.code.js`;
  await bundle(module, code);
  const { body, modules } = makeFunctionBody(await Deno.readTextFile(code));
  await Deno.writeTextFile(`${name}.txt`, body);
  const text = `./${name.slice(name.lastIndexOf("/") + 1)}.txt`;
  await Deno.writeTextFile(`${name}.wrapped.ts`, wrap(runnerModule(modules, text)));
  await bundle(`${name}.wrapped.ts`, `${name}.js`);
}

/**
 * Makes the one file.
 *
 * @param directory scratch directory, two levels below the checkout (for the import map to apply)
 * @returns path of the bundle
 */
export async function bundleProgram(kind: BuildKind, directory: string): Promise<string> {
  const worker = `${directory}/worker`;
  await bundleAsText(WORKER_MODULE, worker, (runner) => `${runner}\nawait run();\n`);
  await Deno.writeTextFile(`${directory}/program.ts`, programModule(kind, "./worker.js"));
  const executable = `${directory}/pbkfs`;
  await bundleAsText(`${directory}/program.ts`, executable, (runner) => entryModule(kind, runner));
  return `${executable}.js`;
}

/**
 * The program as one JavaScript file: the bundle of its threads goes into it as text, since a single file has no second
 * module that a worker could be started from, and so do the program's parts, each to be compiled when it is needed.
 *
 * @module
 */

import type { BuildKind } from "../../src/cli/build_kind.ts";
import { makeBuiltinsLazy } from "./lazy_builtins.ts";
import { linkProgram } from "./linked_program.ts";
import { runDeno } from "./run_deno.ts";

const WORKER_MODULE = "src/cli/worker.ts";

/** The whole program but its start. */
function programModule(kind: BuildKind): string {
  return `import { setBuildKind } from "#src/cli/build_kind.ts";
export { embedWorkerSource } from "#src/mount/worker_source.ts";
export { main as start } from "../../main.ts";

setBuildKind(${JSON.stringify(kind)});
`;
}

/** What runs first: tells the version by itself, and starts the program for all the rest. */
function entryModule(kind: BuildKind, runner: string, workerBundle: string): string {
  return `import workerSource from ${JSON.stringify(workerBundle)} with { type: "text" };
import { setBuildKind } from "#src/cli/build_kind.ts";
import { versionLine } from "#src/cli/version.ts";
${runner}
const [word, ...rest] = Deno.args;
if (rest.length === 0 && (word === "--version" || word === "-V")) {
  setBuildKind(${JSON.stringify(kind)});
  console.log(versionLine());
} else {
  const { start, embedWorkerSource } = await run();
  embedWorkerSource(workerSource);
  Deno.exit(await start(Deno.args));
}
`;
}

const BUNDLE = ["bundle", "--quiet", "--platform", "deno"];

/** Bundles a module, split where parts are imported when they are needed. @returns the modules by name */
async function splitBundle(module: string, directory: string): Promise<Map<string, string>> {
  const [plain, small] = [`${directory}/plain`, `${directory}/small`];
  await runDeno([...BUNDLE, "--code-splitting", "--outdir", plain, module]);
  for (const { name } of Deno.readDirSync(plain)) {
    const path = `${plain}/${name}`;
    await Deno.writeTextFile(path, makeBuiltinsLazy(await Deno.readTextFile(path)));
  }
  const entry = module.replace(/^.*\/(.*)\.ts$/, "$1.js");
  const minified = [...BUNDLE, "--code-splitting", "--minify"];
  await runDeno([...minified, "--outdir", small, `${plain}/${entry}`]);
  const names = [...Deno.readDirSync(small)].map(({ name }) => name).sort();
  return new Map(names.map((name) => [`./${name}`, Deno.readTextFileSync(`${small}/${name}`)]));
}

/** Bundles a module as texts and a small module around them. @param wrap makes the source of that of the runner's */
async function bundleLinked(
  module: string,
  directory: string,
  wrap: (runner: string) => string,
): Promise<string> {
  await Deno.mkdir(directory);
  const bundle = await splitBundle(module, directory);
  const entry = module.replace(/^.*\/(.*)\.ts$/, "./$1.js");
  const { texts, runner } = linkProgram(bundle, entry);
  for (const [file, text] of texts) await Deno.writeTextFile(`${directory}/${file}`, text);
  await Deno.writeTextFile(`${directory}/wrapped.ts`, wrap(runner));
  const output = `${directory}/linked.js`;
  await runDeno([...BUNDLE, "--minify", "-o", output, `${directory}/wrapped.ts`]);
  return output;
}

/**
 * Makes the one file.
 *
 * @param directory scratch directory in the checkout (for the import map to apply)
 * @returns path of the bundle
 */
export async function bundleProgram(kind: BuildKind, directory: string): Promise<string> {
  const worker = await bundleLinked(
    WORKER_MODULE,
    `${directory}/worker`,
    (runner) => `${runner}\nawait run();\n`,
  );
  await Deno.writeTextFile(`${directory}/program.ts`, programModule(kind));
  await Deno.copyFile(worker, `${directory}/worker.js`);
  return await bundleLinked(
    `${directory}/program.ts`,
    `${directory}/program`,
    (runner) => entryModule(kind, runner, "../worker.js"),
  );
}

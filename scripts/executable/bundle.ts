/**
 * The program as one JavaScript file: the bundle of its threads goes into it as text, since a
 * single file has no second module that a worker could be started from, and so do the program's
 * parts, each to be compiled when it is needed.
 *
 * @module
 */

import type { BuildKind } from "../../src/cli/build_kind.ts";
import { countDisposals, keepDisposals } from "./kept_disposals.ts";
import { makeBuiltinsLazy } from "./lazy_builtins.ts";
import { linkProgram, type SplitBundle } from "./linked_program.ts";
import { runDeno } from "./run_deno.ts";
import { stageSources } from "./staging.ts";

const WORKER_MODULE = "src/usecases/worker.ts";

/** The whole program but its start. */
function programModule(kind: BuildKind): string {
  return `import { setBuildKind } from "#src/cli/build_kind.ts";
export { embedWorkerSource } from "#src/usecases/threads.ts";
export { main as start } from "./main.ts";

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

/** Where a bundle is made: a copy of the sources, in which the bundler runs. */
class Stage {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Path of a file of the stage for the build itself. */
  path(name: string): string {
    return `${this.#directory}/${name}`;
  }

  write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(this.path(name), text);
  }

  /** Runs the bundler; names in `args` are relative to the stage. */
  async bundle(...args: readonly string[]): Promise<void> {
    const command = ["bundle", "--quiet", "--platform", "deno", "--node-modules-dir=auto"];
    await runDeno([...command, "--frozen", ...args], { directory: this.#directory });
  }
}

/**
 * Bundles a module, split where parts are imported when they are needed. @returns the modules by
 * name
 */
async function splitBundle(stage: Stage, module: string, output: string): Promise<SplitBundle> {
  const [plain, small] = [`${output}/plain`, `${output}/small`];
  await stage.bundle("--code-splitting", "--outdir", plain, module);
  let disposalCount = 0;
  for (const { name } of Deno.readDirSync(stage.path(plain))) {
    const text = await Deno.readTextFile(stage.path(`${plain}/${name}`));
    disposalCount += countDisposals(text);
    await stage.write(`${plain}/${name}`, keepDisposals(makeBuiltinsLazy(text)));
  }
  const entry = `${plain}/${scriptOf(module)}`;
  await stage.bundle("--code-splitting", "--minify", "--outdir", small, entry);
  const names = [...Deno.readDirSync(stage.path(small))].map(({ name }) => name).sort();
  const textOf = (name: string) => Deno.readTextFileSync(stage.path(`${small}/${name}`));
  const bundle = new Map(names.map((name) => [`./${name}`, textOf(name)]));
  const keptCount = [...bundle.values()].reduce((sum, text) => sum + countDisposals(text), 0);
  if (keptCount !== disposalCount) {
    throw new Error(`The minifier has kept ${keptCount} of ${disposalCount} \`using\``);
  }
  return bundle;
}

/** Name of the bundle of a module. */
function scriptOf(module: string): string {
  return module.replace(/^(?:.*\/)?(.*)\.ts$/, "$1.js");
}

/**
 * Bundles a module as texts and a small module around them. @param wrap makes the source of that of
 * the runner's
 */
async function bundleLinked(
  stage: Stage,
  module: string,
  output: string,
  wrap: (runner: string) => string,
): Promise<string> {
  await Deno.mkdir(stage.path(output));
  const bundle = await splitBundle(stage, module, output);
  const { texts, runner } = linkProgram(bundle, `./${scriptOf(module)}`);
  for (const [file, text] of texts) await stage.write(`${output}/${file}`, text);
  await stage.write(`${output}/wrapped.ts`, wrap(runner));
  await stage.bundle("--minify", "-o", `${output}/linked.js`, `${output}/wrapped.ts`);
  return `${output}/linked.js`;
}

/**
 * Makes the one file.
 *
 * @param directory an empty scratch directory; where it lies has no effect on what is made
 * @returns path of the bundle
 */
export async function bundleProgram(kind: BuildKind, directory: string): Promise<string> {
  await stageSources(directory);
  const stage = new Stage(directory);
  const worker = await bundleLinked(
    stage,
    WORKER_MODULE,
    "worker",
    (runner) => `${runner}\nawait run();\n`,
  );
  await stage.write("program.ts", programModule(kind));
  const program = await bundleLinked(
    stage,
    "program.ts",
    "program",
    (runner) => entryModule(kind, runner, `../${worker}`),
  );
  return stage.path(program);
}

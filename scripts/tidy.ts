/**
 * House rules that the compiler and the linter do not check: dead modules, import cycles, leftover
 * markers, tests that do not run, names that say nothing or two things, folders with too many
 * modules. Long modules are only mentioned.
 *
 *     deno run --allow-read --allow-write=dist --allow-run=deno,git scripts/tidy.ts
 *
 * @module
 */

import { type Layer, layerOf, MAY_IMPORT } from "./lint/layer_table.ts";

/** Modules by path inside the checkout, each with the modules it imports. */
export type ModuleGraph = ReadonlyMap<string, readonly string[]>;

const LINES_MAX = 450;
const FOLDER_MODULES_MAX = 25;
/** The formatter keeps code within these and leaves comments alone. */
const COMMENT_COLUMNS_MAX = 100;
/** A line of a comment that is no table and no example: those have lines of their own. */
const COMMENT_TEXT = /^\s*(?:\/\/|\/?\*+(?!\*))(?! {5}| \|| https?:)/;
const WORKER_URL = /new URL\(\s*"([^"]+\.ts)",\s*import\.meta\.url\s*,?\s*\)/g;
/** Split so that this file does not find itself. */
const MARKER = new RegExp(
  `\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`,
);
const SILENT_TEST = /Deno\.test\.(only|ignore)\b|\b(only|ignore): true\b/;
const EMPTY_NAME =
  /^export (?:abstract )?(?:class|interface|type|function|const) \w*(Manager|Helper|Helpers|Util|Utils)\b/;
const EMPTY_FILE_NAME = /(^|\/)(utils?|helpers?|common|misc)(\.ts|\/)/;

/** All modules that can be reached from `roots`, the roots included. */
export function reachable(graph: ModuleGraph, roots: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const open = [...roots];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    open.push(...graph.get(path) ?? []);
  }
  return seen;
}

/**
 * Groups of modules that import each other, each group sorted; a module that imports itself is one
 * too.
 */
export function importCycles(graph: ModuleGraph): string[][] {
  const cycles: string[][] = [];
  const assigned = new Set<string>();
  for (const path of graph.keys()) {
    if (assigned.has(path)) continue;
    const group = [...reachable(graph, graph.get(path) ?? [])]
      .filter((other) => reachable(graph, [other]).has(path));
    if (!group.includes(path)) continue;
    for (const member of group) assigned.add(member);
    cycles.push(group.toSorted());
  }
  return cycles;
}

/** Layers that may import another one, and do not: the table promises more than the house needs. */
export function unusedAllowances(
  graph: ModuleGraph,
  table: Readonly<Record<Layer, readonly Layer[]>> = MAY_IMPORT,
): string[] {
  const used = new Set<string>();
  for (const [path, imported] of graph) {
    for (const target of imported) used.add(`${layerOf(path)} → ${layerOf(target)}`);
  }
  return Object.entries(table)
    .flatMap(([from, targets]) => targets.map((to) => `${from} → ${to}`))
    .filter((allowance) => !used.has(allowance))
    .map((allowance) => `scripts/lint/layer_table.ts: nothing uses ${allowance}`);
}

/** Packages of the import map that no module imports. */
export function unusedPackages(
  imports: Readonly<Record<string, string>>,
  texts: ReadonlyMap<string, string>,
): string[] {
  const all = [...texts.values()];
  return Object.entries(imports)
    .filter(([, target]) => target.startsWith("npm:"))
    .filter(([name]) =>
      !all.some((text) => text.includes(`"${name}"`) || text.includes(`"${name}/`))
    )
    .map(([name]) => `deno.json: no module imports ${name}`);
}

/** Folders that hold more modules than one can overlook, and that nobody has put in order yet. */
const LARGE_FOLDERS: ReadonlySet<string> = new Set([
  "src/mount",
  "src/overlay",
  "src/pbs",
]);

/** Folders of the program in which nobody finds anything: they need sub-folders. */
export function crowdedFolders(modules: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const path of modules.filter((path) => path.startsWith("src/"))) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([folder, count]) => count > FOLDER_MODULES_MAX && !LARGE_FOLDERS.has(folder))
    .map(([folder, count]) => `${folder}: ${count} modules, more than ${FOLDER_MODULES_MAX}`);
}

/** Names that two folders declare with different meanings, each the term of its own field. */
const SHARED_NAMES: ReadonlySet<string> = new Set([
  "NAME_SIZE_MAX", // limits of two formats
  "Namespace", // names of a file system, and of a datastore
  "PATH_SIZE_MAX", // limits of two formats
]);

const EXPORTED_NAME =
  /^export (?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let) (\w+)/gm;

/** An export of something under another name than its own. */
const EXPORTED_ALIAS = /^export (?:type )?\{[^}]*?(\w+ as \w+)/gm;

/**
 * Names that several modules of the program export, things that have two names, and entries of
 * `shared` that only one module exports.
 */
export function ambiguousNames(
  texts: ReadonlyMap<string, string>,
  shared: ReadonlySet<string> = SHARED_NAMES,
): string[] {
  const places = new Map<string, Set<string>>();
  const aliases: string[] = [];
  for (const [path, text] of texts) {
    if (!/^(?:src|ffi)\//.test(path)) continue;
    aliases.push(...Array.from(text.matchAll(EXPORTED_ALIAS), ([, alias]) => `${path}: ${alias}`));
    for (const [, name] of text.matchAll(EXPORTED_NAME)) {
      places.set(name!, (places.get(name!) ?? new Set()).add(path));
    }
  }
  const ambiguous = [...places].filter(([, paths]) => paths.size > 1);
  const names = new Set(ambiguous.map(([name]) => name));
  return [
    ...aliases,
    ...ambiguous.filter(([name]) => !shared.has(name))
      .map(([name, paths]) => `${name}: declared in ${[...paths].join(" and ")}`),
    ...[...shared].filter((name) => !names.has(name))
      .map((name) => `scripts/tidy.ts: ${name} is declared once, and need not be allowed`),
  ];
}

/** What is wrong with the text of one module. */
export function textFaults(path: string, text: string): string[] {
  const faults: string[] = [];
  if (EMPTY_FILE_NAME.test(path)) faults.push(`${path}: the file's name says nothing`);
  text.split("\n").forEach((line, index) => {
    const place = `${path}:${index + 1}`;
    if (line.length > COMMENT_COLUMNS_MAX && COMMENT_TEXT.test(line)) {
      faults.push(`${place}: a comment of ${line.length} columns`);
    }
    if (MARKER.test(line)) faults.push(`${place}: leftover marker`);
    if (EMPTY_NAME.test(line)) faults.push(`${place}: the name says nothing`);
    if (path.startsWith("tests/") && SILENT_TEST.test(line)) {
      faults.push(`${place}: a test that does not run, or keeps others from running`);
    }
  });
  return faults;
}

const CHECKOUT = new URL("../", import.meta.url);

async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: CHECKOUT.pathname,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command} ${args[0]} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Modules git knows of, or would: what is ignored is not looked at. */
async function listModules(): Promise<string[]> {
  const listed = await run("git", [
    "-c",
    "safe.directory=*",
    "ls-files",
    "--cached",
    "--others",
    "--exclude-standard",
    "-z",
    "*.ts",
  ]);
  const present = await Promise.all(
    listed.split("\0").filter((path) => path !== "").map(async (path) => {
      return await Deno.stat(new URL(path, CHECKOUT)).then(() => [path], () => []);
    }),
  );
  return present.flat();
}

interface InfoModule {
  specifier: string;
  dependencies?: { code?: { specifier?: string }; type?: { specifier?: string } }[];
}

/** The imports of all modules, as the runtime resolves them. */
async function loadGraph(modules: readonly string[]): Promise<ModuleGraph> {
  await Deno.mkdir(new URL("dist", CHECKOUT), { recursive: true });
  const entry = await Deno.makeTempFile({ dir: new URL("dist", CHECKOUT).pathname, suffix: ".ts" });
  try {
    const imports = modules.map((path) =>
      `import ${JSON.stringify(new URL(path, CHECKOUT).href)};`
    );
    await Deno.writeTextFile(entry, imports.join("\n"));
    const info: { modules: InfoModule[] } = JSON.parse(
      await run("deno", ["info", "--json", entry]),
    );
    const graph = new Map<string, readonly string[]>();
    for (const module of info.modules) {
      if (!module.specifier.startsWith(CHECKOUT.href)) continue;
      const imported = (module.dependencies ?? [])
        .flatMap((dependency) => [dependency.code?.specifier, dependency.type?.specifier])
        .filter((specifier) => specifier?.startsWith(CHECKOUT.href))
        .map((specifier) => specifier!.slice(CHECKOUT.href.length));
      graph.set(module.specifier.slice(CHECKOUT.href.length), imported);
    }
    graph.delete(entry.slice(CHECKOUT.pathname.length));
    return graph;
  } finally {
    await Deno.remove(entry);
  }
}

/** Whether something other than an import starts a module of tests, examples or scripts. */
function isEntryPoint(path: string, text: string): boolean {
  return path.endsWith("_test.ts") || path.endsWith("_worker.ts") ||
    path.startsWith("examples/") || path.startsWith("scripts/lint/") ||
    path === "scripts/executable/build.ts" ||
    text.includes("import.meta.main");
}

/** Faults of the whole graph: cycles, and modules nothing leads to. */
function graphFaults(graph: ModuleGraph, texts: ReadonlyMap<string, string>, exported: string[]) {
  const workers = [...texts].flatMap(([path, text]) =>
    [...text.matchAll(WORKER_URL)].map((match) => new URL(match[1]!, new URL(path, CHECKOUT)).href)
  ).map((href) => href.slice(CHECKOUT.href.length));
  const programRoots = [
    "main.ts",
    ...exported,
    ...workers.filter((path) => !path.startsWith("tests/")),
  ];
  const program = reachable(graph, programRoots);
  const otherRoots = [...texts.keys()].filter((path) => !/^(src|ffi)\//.test(path))
    .filter((path) => isEntryPoint(path, texts.get(path)!));
  const all = reachable(graph, [...programRoots, ...workers, ...otherRoots]);
  const dead = [...texts.keys()].filter((path) =>
    /^(src|ffi)\//.test(path) ? !program.has(path) : !all.has(path)
  );
  return [
    ...importCycles(graph).map((cycle) => `import cycle: ${cycle.join(", ")}`),
    ...dead.map((path) => `${path}: nothing leads here (dead module)`),
  ];
}

async function main(): Promise<number> {
  const modules = await listModules();
  const texts = new Map<string, string>();
  for (const path of modules) texts.set(path, await Deno.readTextFile(new URL(path, CHECKOUT)));
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", CHECKOUT)));
  const exported = Object.values(config.exports as Record<string, string>).map((path) =>
    path.slice(2)
  );

  const graph = await loadGraph(modules);
  const faults = [
    ...unusedPackages(config.imports, texts),
    ...unusedAllowances(graph),
    ...crowdedFolders(modules),
    ...ambiguousNames(texts),
    ...exported.filter((path) => !texts.has(path)).map((path) => `${path}: exported but not there`),
    ...[...texts].flatMap(([path, text]) => textFaults(path, text)),
    ...graphFaults(graph, texts, exported),
  ];
  for (const [path, text] of texts) {
    const lines = text.split("\n").length;
    if (lines > LINES_MAX) {
      console.warn(`note: ${path} has ${lines} lines: is there a second module in it?`);
    }
  }
  for (const fault of faults) console.error(fault);
  console.log(`tidy: ${modules.length} modules, ${faults.length} faults`);
  return faults.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());

/// <reference lib="deno.unstable" />
/**
 * A lint plugin that keeps the dependency direction of docs/architecture.md; the table is in
 * `layer_table.ts`. Type imports count like others: what matters is what a module knows of. Import
 * cycles need the whole graph; `scripts/tidy.ts` looks for them.
 *
 * @module
 */

import { INNER_FOLDERS, layerOf, MAY_IMPORT } from "./layer_table.ts";

/** What `src/errors.ts` builds on. */
const ERROR_CLASSES: ReadonlySet<string> = new Set(["ffi/failure.ts", "ffi/os_error.ts"]);

/** Globals that pure code must not touch: the outside world, clocks and randomness. */
const IMPURE_GLOBALS: ReadonlySet<string> = new Set([
  "Deno",
  "clearInterval",
  "clearTimeout",
  "console",
  "crypto",
  "fetch",
  "performance",
  "process",
  "setInterval",
  "setTimeout",
]);

const ROOT = new URL("../../", import.meta.url).pathname;

/** Path inside the checkout; a name without the checkout's prefix is taken as it is. */
function relativePath(filename: string): string {
  return filename.startsWith(ROOT) ? filename.slice(ROOT.length) : filename;
}

function isPure(path: string): boolean {
  const layer = layerOf(path);
  return layer === "bytes" || layer === "format";
}

/** Path inside the checkout that a specifier means, or undefined for packages and builtins. */
function resolve(specifier: string, importer: string): string | undefined {
  if (specifier === "#version") return "deno.json";
  const mapped = /^#(src|ffi|tests)\/(.*)$/.exec(specifier);
  if (mapped !== null) return `${mapped[1]}/${mapped[2]}`;
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///${importer}`).pathname.slice(1);
}

/** Why nobody but their own folder imports some modules, or undefined when anybody may. */
function doorObjection(importer: string, target: string): string | undefined {
  const isFront = (path: string) => path.endsWith("/mod.ts");
  if (isFront(target) && !isFront(importer)) {
    return `"${target}" is for users of the library: import the module that has the thing`;
  }
  const inner = INNER_FOLDERS.find((folder) => target.startsWith(`${folder}/`));
  const owner = inner?.slice(0, inner.lastIndexOf("/") + 1);
  return owner === undefined || importer.startsWith(owner)
    ? undefined
    : `"${target}" is an inner module of "${owner}"`;
}

/** Why `importer` must not import `specifier`, or undefined when it may. */
function objection(importer: string, specifier: string): string | undefined {
  const from = layerOf(importer);
  if (from === undefined) return undefined;
  const target = resolve(specifier, importer);
  if (target === undefined) {
    return isPure(importer)
      ? `"${from}" is pure: it must not import "${specifier}", only its own kind`
      : undefined;
  }
  const shut = doorObjection(importer, target);
  if (shut !== undefined) return shut;
  const to = layerOf(target);
  if (to === undefined) return `"${from}" must not import "${target}"`;
  if (from === "format" && to === "format") {
    const folder = importer.slice(0, importer.lastIndexOf("/"));
    return target.startsWith(`${folder}/`)
      ? undefined
      : `a format must not import another format's "${target}"`;
  }
  if (from === "pgprobackup" || from === "pxar" || from === "pbs" || from === "chunking") {
    const ownFormat = `src/${from}/format/`;
    if (to === "format" && target.startsWith(ownFormat)) return undefined;
    if (to === "format") return `"${from}" must not import another format's "${target}"`;
  }
  if (from === to) return undefined;
  if (from === "errors" && ERROR_CLASSES.has(target)) return undefined;
  return MAY_IMPORT[from]?.includes(to) === false
    ? `"${from}" must not import "${to}" (docs/architecture.md, "Dependency direction")`
    : undefined;
}

type ImportLike = { source: { value: unknown } | null };

const direction: Deno.lint.Rule = {
  create(context) {
    const importer = relativePath(context.filename);
    const check = (node: Deno.lint.Node & ImportLike) => {
      if (typeof node.source?.value !== "string") return;
      const message = objection(importer, node.source.value);
      if (message !== undefined) context.report({ node, message });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: (node) => {
        if (node.source.type === "Literal") check(node as Deno.lint.Node & ImportLike);
      },
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};

/** Whether an identifier is a property name or a declared one rather than a use of the global. */
function isGlobalUse(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  if (parent.type === "MemberExpression") return parent.object === node || parent.computed;
  return parent.type === "CallExpression" || parent.type === "NewExpression";
}

const purity: Deno.lint.Rule = {
  create(context) {
    if (!isPure(relativePath(context.filename))) return {};
    return {
      Identifier(node) {
        if (!IMPURE_GLOBALS.has(node.name) || !isGlobalUse(node)) return;
        context.report({
          node,
          message: `Bytes in, values out: pure code must not use "${node.name}"`,
        });
      },
      MemberExpression(node) {
        const { object, property } = node;
        if (object.type !== "Identifier" || property.type !== "Identifier") return;
        const name = `${object.name}.${property.name}`;
        if (name !== "Math.random" && name !== "Date.now") return;
        context.report({
          node,
          message: `Pure code must not use "${name}": clock and randomness are arguments`,
        });
      },
      NewExpression(node) {
        if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
        if (node.arguments.length > 0) return;
        context.report({ node, message: `Pure code must not ask for the time` });
      },
    };
  },
};

const dlopen: Deno.lint.Rule = {
  create(context) {
    const path = relativePath(context.filename);
    const applies = path === "main.ts" || path.startsWith("src/");
    if (!applies) return {};
    return {
      'MemberExpression[object.name="Deno"][property.name="dlopen"]'(node: Deno.lint.Node) {
        context.report({ node, message: "Libraries are loaded in ffi/ only" });
      },
    };
  },
};

/**
 * Threads wait for each other in one place, which has a limit for every wait; and where their code
 * comes from is handed in. Other modules may have a class of their own with the name `Worker`.
 */
const threads: Deno.lint.Rule = {
  create(context) {
    const path = relativePath(context.filename);
    if (!/^(?:main\.ts$|src\/)/u.test(path) || path.startsWith("src/threads/")) return {};
    const report = (node: Deno.lint.Node) =>
      context.report({ node, message: "Threads start, sleep and wake in src/threads/ only" });
    let isOwnName = false;
    const started: Deno.lint.Node[] = [];
    return {
      'MemberExpression[object.name="Atomics"][property.name=/^(wait|waitAsync|notify)$/]': report,
      'NewExpression[callee.name="Worker"]'(node: Deno.lint.Node) {
        started.push(node);
      },
      ':matches(ClassDeclaration[id.name="Worker"], ImportSpecifier[local.name="Worker"])'() {
        isOwnName = true;
      },
      "Program:exit"() {
        if (!isOwnName) started.forEach(report);
      },
    };
  },
};

/** What only the command line may know: its arguments, its environment, and who sits before it. */
const TERMINAL = /^(?:args|env|stdin|stdout|stderr|consoleSize)$/u;

/** Use cases take plain values and give results: a program without a terminal calls them too. */
const terminal: Deno.lint.Rule = {
  create(context) {
    if (layerOf(relativePath(context.filename)) !== "usecases") return {};
    const report = (node: Deno.lint.Node) =>
      context.report({ node, message: "Use cases know no command line and no terminal" });
    return {
      MemberExpression(node) {
        const { object, property } = node;
        if (object.type !== "Identifier" || property.type !== "Identifier") return;
        const isOfRuntime = object.name === "Deno" && TERMINAL.test(property.name);
        if (object.name === "console" || isOfRuntime) report(node);
      },
      'ImportDeclaration[source.value="commander"]': report,
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "layers",
  rules: { direction, purity, dlopen, threads, terminal },
};

export default plugin;

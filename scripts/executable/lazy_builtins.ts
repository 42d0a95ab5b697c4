/**
 * Makes a bundle load `node:` modules when they are first used instead of when it starts.
 *
 * Deno loads its implementation of a `node:` module on import: `node:fs` alone takes 19 ms of start-up. The
 * command-line library imports several that most runs never touch. A bundler must hoist such imports; this
 * rewrite turns namespaces into objects, and functions into functions, that load the module on first use.
 *
 * Works on the text of an unminified bundle, whose imports stand on lines of their own.
 *
 * @module
 */

import process from "node:process";

/** Modules whose default export is a plain namespace, neither called nor constructed nor inherited from. */
const NAMESPACE_BUILTINS: ReadonlySet<string> = new Set([
  "buffer",
  "child_process",
  "crypto",
  "fs",
  "fs/promises",
  "os",
  "path",
  "process",
  "readline",
  "tty",
  "url",
  "util",
  "zlib",
]);

const NAMESPACE_IMPORT = /^import (?:\* as )?([\w$]+) from "node:([\w/]+)";$/gm;
const NAMED_IMPORT = /^import \{ ([^}]+) \} from "node:([\w/]+)";$/gm;
const REQUIRE_IMPORT = /^import \{ createRequire as ([\w$]+) \} from "node:module";$/m;

const PRELUDE = `var __lazyBuiltin = (id) => {
  let loaded;
  const load = () => loaded ??= process.getBuiltinModule(id);
  return new Proxy({}, {
    get: (_, key) => Reflect.get(load(), key),
    set: (_, key, value) => Reflect.set(load(), key, value),
    has: (_, key) => Reflect.has(load(), key),
  });
};
var __lazyFunction = (id, name) => {
  let loaded;
  return (...args) => (loaded ??= process.getBuiltinModule(id)[name])(...args);
};
`;

/** Whether an export is an ordinary function: no class, nothing with properties that somebody may want. */
function isPlainFunction(module: string, name: string): boolean {
  const namespace = process.getBuiltinModule(`node:${module}`) as
    | Record<string, unknown>
    | undefined;
  const value = namespace?.[name];
  return typeof value === "function" && /^[a-z]/.test(name) && Object.keys(value).length === 0;
}

function lazyNamedImport(line: string, list: string, module: string): string {
  const names = list.split(",").map((item) => item.trim().split(" as "));
  if (!names.every(([name]) => isPlainFunction(module, name!))) return line;
  return names.map(([name, alias = name]) =>
    `var ${alias} = __lazyFunction("node:${module}", "${name}");`
  ).join("\n");
}

/** The bundle with its imports of `node:` namespaces and functions made lazy. Classes are imported as before. */
export function makeBuiltinsLazy(bundle: string): string {
  let text = bundle;
  // What CommonJS packages require() are builtins only: everything else is inside of the bundle.
  const requireName = REQUIRE_IMPORT.exec(text)?.[1];
  if (requireName !== undefined) {
    text = text.replace(REQUIRE_IMPORT, "")
      .replace(`${requireName}(import.meta.url)`, "(id) => process.getBuiltinModule(id)");
  }
  text = text.replace(
    NAMESPACE_IMPORT,
    (line, name: string, module: string) =>
      NAMESPACE_BUILTINS.has(module) ? `var ${name} = __lazyBuiltin("node:${module}");` : line,
  );
  text = text.replace(NAMED_IMPORT, lazyNamedImport);
  return text.includes("__lazy") ? PRELUDE + text : text;
}

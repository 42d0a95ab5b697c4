/**
 * Makes a bundle load `node:` modules when they are first used instead of when it starts.
 *
 * Deno loads its implementation of a `node:` module on import: `node:fs` alone takes 19 ms of
 * start-up. The command-line library imports several that most runs never touch. A bundler must
 * hoist such imports; this rewrite turns namespaces and tables of constants into objects, and
 * functions into functions, that load the module on first use. A class cannot be made so, since
 * whatever extends it wants it at once; the one that every run needs, because the command-line
 * library's commands are event emitters, is replaced by a small one with the methods that these
 * use.
 *
 * Works on the text of an unminified bundle, whose imports stand on lines of their own.
 *
 * @module
 */

import process from "node:process";

/**
 * Modules whose default export is a plain namespace, neither called nor constructed nor inherited
 * from.
 */
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

/**
 * What the rewritten imports call. A module may itself import a `process` that becomes lazy: only
 * the global one will do.
 */
const PRELUDE = `var __lazyObject = (find) => {
  let loaded;
  const load = () => loaded ??= find();
  return new Proxy({}, {
    get: (_, key) => Reflect.get(load(), key),
    set: (_, key, value) => Reflect.set(load(), key, value),
    has: (_, key) => Reflect.has(load(), key),
  });
};
var __lazyBuiltin = (id) => __lazyObject(() => globalThis.process.getBuiltinModule(id));
var __lazyTable = (id, name) => __lazyObject(() => globalThis.process.getBuiltinModule(id)[name]);
var __lazyFunction = (id, name) => {
  let loaded;
  return (...args) => (loaded ??= globalThis.process.getBuiltinModule(id)[name])(...args);
};
`;

/** The import of a class, and what stands for it: 5 ms less. */
const EMITTER_IMPORT = /^import \{ EventEmitter(?: as ([\w$]+))? \} from "node:events";$/m;
const EMITTER_CLASS = `class {
  #listeners = new Map();
  on(name, listener) {
    this.#listeners.set(name, [...this.#listeners.get(name) ?? [], listener]);
    return this;
  }
  emit(name, ...args) {
    const listeners = this.#listeners.get(name) ?? [];
    for (const listener of listeners) listener.apply(this, args);
    return listeners.length > 0;
  }
  listenerCount(name) {
    return this.#listeners.get(name)?.length ?? 0;
  }
}`;

/**
 * The function of the prelude that stands for an export; undefined where it has to be there from
 * the start.
 */
function lazyFormOf(module: string, name: string): string | undefined {
  const namespace = process.getBuiltinModule(`node:${module}`) as
    | Record<string, unknown>
    | undefined;
  const value = namespace?.[name];
  if (typeof value === "function") {
    // No class, nothing with properties that somebody may want.
    const isPlain = /^[a-z]/.test(name) && Object.keys(value).length === 0;
    return isPlain ? "__lazyFunction" : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const values = Object.values(value);
  const isTable = values.every((item) => typeof item === "number" || typeof item === "string");
  return isTable && values.length > 0 ? "__lazyTable" : undefined;
}

function lazyNamedImport(line: string, list: string, module: string): string {
  const names = list.split(",").map((item) => {
    const [name, alias = name] = item.trim().split(" as ");
    return { name: name!, alias: alias!, form: lazyFormOf(module, name!) };
  });
  if (names.some(({ form }) => form === undefined)) return line;
  return names.map(({ name, alias, form }) =>
    `var ${alias} = ${form}("node:${module}", "${name}");`
  )
    .join("\n");
}

/**
 * The bundle with its imports of `node:` namespaces, functions and tables made lazy. Classes other
 * than that of event emitters are imported as before.
 */
export function makeBuiltinsLazy(bundle: string): string {
  let text = bundle;
  // What CommonJS packages require() are builtins only: everything else is inside of the bundle.
  const requireName = REQUIRE_IMPORT.exec(text)?.[1];
  if (requireName !== undefined) {
    text = text.replace(REQUIRE_IMPORT, "")
      .replace(
        `${requireName}(import.meta.url)`,
        "(id) => globalThis.process.getBuiltinModule(id)",
      );
  }
  text = text.replace(
    NAMESPACE_IMPORT,
    (line, name: string, module: string) =>
      NAMESPACE_BUILTINS.has(module) ? `var ${name} = __lazyBuiltin("node:${module}");` : line,
  );
  text = text.replace(NAMED_IMPORT, lazyNamedImport);
  text = text.replace(
    EMITTER_IMPORT,
    (_, name = "EventEmitter") => `var ${name} = ${EMITTER_CLASS};`,
  );
  return text.includes("__lazy") ? PRELUDE + text : text;
}

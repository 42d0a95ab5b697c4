/**
 * Makes a bundle load `node:` modules when they are first used instead of when it starts.
 *
 * Deno loads its implementation of a `node:` module on import: `node:fs` alone takes 19 ms of start-up. The
 * command-line library imports several that most runs never touch. A bundler must hoist such imports; this
 * rewrite turns them into objects that load the module on first use (`pbkfs --version`: 48 ms before, 30 after).
 *
 * Works on the text of an unminified bundle, whose imports stand on lines of their own.
 *
 * @module
 */

/** Modules whose default export is a plain namespace, neither called nor constructed nor inherited from. */
const NAMESPACE_BUILTINS: ReadonlySet<string> = new Set([
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

const IMPORT_LINE = /^import (?:\* as )?([\w$]+) from "node:([\w/]+)";$/gm;
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
`;

/** The bundle with its imports of `node:` namespaces made lazy. Named imports stay as they are. */
export function makeBuiltinsLazy(bundle: string): string {
  let lazyImports = 0;
  let text = bundle.replace(IMPORT_LINE, (line, name: string, module: string) => {
    if (!NAMESPACE_BUILTINS.has(module)) return line;
    lazyImports++;
    return `var ${name} = __lazyBuiltin("node:${module}");`;
  });
  // What CommonJS packages require() are builtins only: everything else is inside of the bundle.
  const requireName = REQUIRE_IMPORT.exec(text)?.[1];
  if (requireName !== undefined) {
    text = text.replace(REQUIRE_IMPORT, "")
      .replace(`${requireName}(import.meta.url)`, "(id) => process.getBuiltinModule(id)");
  }
  return lazyImports === 0 ? text : PRELUDE + text;
}

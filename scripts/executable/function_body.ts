/**
 * A module of a split bundle as the body of a function, so that it can lie in another module as
 * text until it is needed.
 *
 * @module
 */

const NAMED_IMPORT = /import\{([^{}]*)\}from"((?:node:|\.\/)[\w./-]+)";/g;
const DEFAULT_IMPORT = /import(?:\*as)? ([\w$]+) from"(node:[\w/]+)";/g;
const BARE_IMPORT = /import"(\.\/[\w./-]+)";/g;
const DYNAMIC_IMPORT = /\bimport\("(\.\/[\w./-]+)"\)/g;
const LAST_EXPORT = /export\{([^{}]*)\};?\s*$/;

/** What {@link makeFunctionBody} made. */
export interface FunctionBody {
  /**
   * Statements over the parameters `builtins` and `link`, which gives the exports of a module of
   * the bundle that has run and whose `link.load` gives a promise of those of one that may not
   * have; returns the module's exports as an object.
   */
  readonly body: string;
  /** `node:` modules that must be in `builtins` under their names. */
  readonly builtins: readonly string[];
  /** Modules of the bundle that must have run before, in this order. */
  readonly imports: readonly string[];
  /** Modules of the bundle that are loaded when they are needed. */
  readonly dynamicImports: readonly string[];
}

function destructure(list: string, separator: RegExp, flip: boolean): string {
  return list.split(",").map((item) => {
    const [name, alias = name] = item.trim().split(separator);
    return flip ? `${alias}:${name}` : `${name}:${alias}`;
  }).join(",");
}

/**
 * Rewrites a minified module whose only imports are `node:` modules and modules of the same bundle.
 *
 * Names that it exports must not change after it has run.
 *
 * @throws {Error} when an import or export is left that this does not know
 */
export function makeFunctionBody(module: string): FunctionBody {
  const builtins = new Set<string>();
  const imports = new Set<string>();
  const dynamicImports = new Set<string>();
  const use = (name: string) => {
    const isBuiltin = name.startsWith("node:");
    (isBuiltin ? builtins : imports).add(name);
    return isBuiltin ? `builtins[${JSON.stringify(name)}]` : `link(${JSON.stringify(name)})`;
  };
  // The order of the statements is that of the imports, so these are found in one pass.
  const anyImport = new RegExp(
    [NAMED_IMPORT, DEFAULT_IMPORT, BARE_IMPORT].map(({ source }) => source).join("|"),
    "g",
  );
  const body = module
    .replace(anyImport, (line, list, named, name, builtin, bare) => {
      if (named !== undefined) return `const {${destructure(list, / as /, false)}}=${use(named)};`;
      if (bare !== undefined) return `${use(bare)};`;
      return `const ${name}=${use(builtin)}${line.startsWith("import*") ? "" : ".default"};`;
    })
    .replace(DYNAMIC_IMPORT, (_, name: string) => {
      dynamicImports.add(name);
      return `link.load(${JSON.stringify(name)})`;
    })
    // A text has no place of its own; only a program run from a checkout asks for it.
    .replace(/\bimport\.meta\b/g, "builtins.meta")
    .replace(LAST_EXPORT, (_, list: string) => `return {${destructure(list, / as /, true)}};`);
  // Compiles, and so proves that nothing of a module's syntax is left.
  new Function("builtins", "link", `"use strict";${body}`);
  return {
    body,
    builtins: [...builtins],
    imports: [...imports],
    dynamicImports: [...dynamicImports],
  };
}

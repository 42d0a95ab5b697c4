/**
 * A bundle as the body of a function, so that it can lie in a module as text until it is needed.
 *
 * Before it runs a module, Deno parses it with a parser of its own to learn its imports: 30 ms for 0.7 MB from a file, 90 ms
 * from a blob. A text is passed over, and V8 compiles a function from it in 15 ms.
 *
 * @module
 */

const NAMED_IMPORT = /import\{([^{}]*)\}from"(node:[\w/]+)";/g;
const DEFAULT_IMPORT = /import(?:\*as)? ([\w$]+) from"(node:[\w/]+)";/g;
const LAST_EXPORT = /export\{([^{}]*)\};?\s*$/;

/** What {@link makeFunctionBody} made. */
export interface FunctionBody {
  /** Statements over the one parameter `builtins`; returns the module's exports as an object. */
  readonly body: string;
  /** `node:` modules that must be in `builtins` under their names. */
  readonly modules: readonly string[];
}

function destructure(list: string, separator: RegExp, flip: boolean): string {
  return list.split(",").map((item) => {
    const [name, alias = name] = item.trim().split(separator);
    return flip ? `${alias}:${name}` : `${name}:${alias}`;
  }).join(",");
}

/**
 * Rewrites a minified bundle whose only imports are `node:` modules.
 *
 * @throws {Error} when an import or export is left that this does not know
 */
export function makeFunctionBody(bundle: string): FunctionBody {
  const modules = new Set<string>();
  const use = (module: string) => {
    modules.add(module);
    return `builtins[${JSON.stringify(module)}]`;
  };
  const body = bundle
    .replace(
      NAMED_IMPORT,
      (_, list: string, module: string) =>
        `const {${destructure(list, / as /, false)}}=${use(module)};`,
    )
    .replace(
      DEFAULT_IMPORT,
      (line, name: string, module: string) =>
        line.startsWith("import*")
          ? `const ${name}=${use(module)};`
          : `const ${name}=${use(module)}.default;`,
    )
    // A text has no place of its own; only a program run from a checkout asks for it.
    .replace(/\bimport\.meta\b/g, "builtins.meta")
    .replace(LAST_EXPORT, (_, list: string) => `return {${destructure(list, / as /, true)}};`);
  const complete = `"use strict";${body}`;
  // Compiles, and so proves that nothing of a module's syntax is left.
  new Function("builtins", complete);
  return { body: complete, modules: [...modules] };
}

/** The start of a module: declares `run()`, which gives the exports of the body that lies in `textModule`. */
export function runnerModule(modules: readonly string[], textModule: string): string {
  const imports = modules.map((module) => `${JSON.stringify(module)}: await import("${module}")`);
  return `import source from ${JSON.stringify(textModule)} with { type: "text" };
async function run() {
  const builtins = { ${["meta: {}", ...imports].join(", ")} };
  return new Function("builtins", source)(builtins);
}
`;
}

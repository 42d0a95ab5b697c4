/**
 * A split bundle as one module that compiles only what a run needs.
 *
 * Before it runs a module, Deno parses it with a parser of its own to learn its imports: 30 ms for
 * 0.7 MB from a file, 90 ms from a blob. Texts are passed over. V8 compiles functions from them, in
 * 23 ms for the whole program of 0.8 MB and in 5 to 10 ms for what one command needs.
 *
 * @module
 */

import { type FunctionBody, makeFunctionBody } from "./function_body.ts";

/** The modules of a bundle by their names, as imports of each other give them: `./chunk-X.js`. */
export type SplitBundle = ReadonlyMap<string, string>;

/** What {@link linkProgram} made. */
export interface LinkedProgram {
  /** Texts to lie beside the module, by file name. */
  readonly texts: ReadonlyMap<string, string>;
  /** Statements of a module: declare `run()`, which gives the exports of the entry module. */
  readonly runner: string;
}

/**
 * Modules that must run for `name`, itself last, each after what it imports. @throws {Error} when
 * they import each other
 */
function runOrder(bodies: ReadonlyMap<string, FunctionBody>, name: string): string[] {
  const order = new Set<string>();
  const visit = (current: string, path: readonly string[]) => {
    if (order.has(current)) return;
    if (path.includes(current)) {
      throw new Error(`Modules of the bundle import each other: ${path.join(", ")}`);
    }
    const body = bodies.get(current);
    if (body === undefined) throw new Error(`The bundle has no module ${current}`);
    for (const imported of body.imports) visit(imported, [...path, current]);
    order.add(current);
  };
  visit(name, []);
  return [...order];
}

/**
 * Makes one module of a bundle.
 *
 * @param entry name of the module whose exports are wanted
 */
export function linkProgram(bundle: SplitBundle, entry: string): LinkedProgram {
  const bodies = new Map([...bundle].map(([name, text]) => [name, makeFunctionBody(text)]));
  const all = [...bodies.values()];
  const wanted = new Set([entry, ...all.flatMap(({ dynamicImports }) => dynamicImports)]);
  const orders = [...wanted].map((name) => [name, runOrder(bodies, name)] as const);
  const used = [...new Set(orders.flatMap(([, order]) => order))];
  const builtins = new Set(all.flatMap((body) => body.builtins));
  const imports = [...builtins].map((name) => `${JSON.stringify(name)}: await import("${name}")`);
  const texts = new Map(used.map((name, index) => [`part-${index}.txt`, bodies.get(name)!.body]));
  const runner = `
${[...texts.keys()].map(textImport).join("\n")}
const texts = { ${used.map((name, index) => `${JSON.stringify(name)}: t${index}`).join(", ")} };
const orders = ${JSON.stringify(Object.fromEntries(orders))};
async function run() {
  const builtins = { ${["meta: {}", ...imports].join(", ")} };
  const loaded = {};
  const link = (name) => loaded[name];
  const loadNow = (name) => {
    const missing = orders[name].filter((part) => loaded[part] === undefined);
    // One text for all, in parentheses: V8 compiles each function at once and once.
    const functions = missing.map((part) => "(function(builtins,link){" + texts[part] + "\\n})");
    const parts = new Function('"use strict";return [' + functions.join(",") + "]")();
    missing.forEach((part, index) => loaded[part] = parts[index](builtins, link) ?? {});
    return loaded[name];
  };
  link.load = async (name) => loaded[name] ?? loadNow(name);
  return loadNow(${JSON.stringify(entry)});
}
`;
  return { texts, runner };
}

function textImport(file: string, index: number): string {
  return `import t${index} from "./${file}" with { type: "text" };`;
}

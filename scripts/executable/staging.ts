/**
 * A copy of the sources that is the same wherever it lies.
 *
 * The bundler writes paths into what it makes, relative to the directory in which it runs: as keys
 * of packages' modules, and into the names of parts, whose order decides how variables are called.
 * So it runs in a directory that has the sources and, in `node_modules`, the packages; else the
 * places of the checkout and of Deno's cache would decide the executable's bytes.
 *
 * @module
 */

/** What a bundle is made of; nothing else of the checkout can have an effect. */
const SOURCES = ["deno.json", "deno.lock", "main.ts", "src", "ffi"];

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.writeFile(to, await Deno.readFile(from));
  await Deno.mkdir(to);
  for (const { name } of Deno.readDirSync(from)) await copy(`${from}/${name}`, `${to}/${name}`);
}

/**
 * Copies the sources of the checkout, which is the working directory, into the empty `directory`.
 */
export async function stageSources(directory: string): Promise<void> {
  for (const name of SOURCES) await copy(name, `${directory}/${name}`);
}

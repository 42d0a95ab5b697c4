/**
 * Prints what is found in a directory.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";

const path = Deno.args[0]!;
const entries = hostFiles.entries(path)
  .map(({ name, kind }) => [name, kind] as const)
  .sort(([one], [other]) => one < other ? -1 : 1);
console.log(JSON.stringify({
  entries,
  followed: entries.map(([name]) => hostFiles.status(`${path}/${name}`)?.kind),
  direct: entries.map(([name]) => hostFiles.status(`${path}/${name}`, false)?.kind),
  missing: hostFiles.status(`${path}/missing`) ?? null,
  size: hostFiles.status(`${path}/file`)?.size,
  content: new TextDecoder().decode(hostFiles.read(`${path}/file`, 100)),
  empty: hostFiles.read(`${path}/empty`, 100).length,
  real: hostFiles.realPath(`${path}/link`),
}));

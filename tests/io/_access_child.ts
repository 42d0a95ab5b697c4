/**
 * Prints what is found in a directory.
 *
 * @module
 */

import { entriesOf, readFile, realDirectory, statusOf } from "#src/io/store_access.ts";

const path = Deno.args[0]!;
const entries = entriesOf(path)
  .map(({ name, kind }) => [name, kind] as const)
  .sort(([one], [other]) => one < other ? -1 : 1);
console.log(JSON.stringify({
  entries,
  followed: entries.map(([name]) => statusOf(`${path}/${name}`)?.kind),
  direct: entries.map(([name]) => statusOf(`${path}/${name}`, false)?.kind),
  missing: statusOf(`${path}/missing`) ?? null,
  size: statusOf(`${path}/file`)?.size,
  content: new TextDecoder().decode(readFile(`${path}/file`, 100)),
  empty: readFile(`${path}/empty`, 100).length,
  real: realDirectory(`${path}/link`),
}));

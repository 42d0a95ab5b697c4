/**
 * Locks a diff directory as a mount does and holds it until standard input ends or the process is
 * killed.
 *
 * Arguments: diff directory, store, mount point.
 *
 * @module
 */

import { openDiffDirectory } from "#src/overlay/diff_directory.ts";

const [diff, storePath, mountPath] = Deno.args;
openDiffDirectory(diff!, {
  sourcePlaces: [{ what: "store", path: storePath! }],
  mountPath: mountPath!,
  force: false,
});
console.log("locked");
for await (const _ of Deno.stdin.readable) { /* until the end */ }

/**
 * Prints which snapshots pruning keeps in this process's time zone.
 *
 * @module
 */

import { selectForPruning } from "#src/pbs/snapshots/prune.ts";

const [snapshots, keep] = JSON.parse(Deno.args[0]!);
console.log(JSON.stringify(selectForPruning(snapshots, keep)));

/**
 * Syncs two datastores once it is told to on standard input, so that loading it takes no time then.
 *
 *     SOURCE TARGET
 */

import { syncStores } from "#src/pbs/sync/sync_stores.ts";
import { openStore } from "#tests/support/pbs_activity.ts";

const [source, target] = Deno.args.map((path) => openStore(path));
console.log("ready");
Deno.stdin.readSync(new Uint8Array(1));
const { isComplete } = syncStores(source!, target!);
console.log(isComplete ? "complete" : "incomplete");

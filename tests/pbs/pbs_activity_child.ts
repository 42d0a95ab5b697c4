/**
 * One of several processes that work on a datastore at the same time, or that are killed while they
 * do.
 *
 *     deno run … pbs_activity_child.ts STORE SEED MILLISECONDS [wait]
 *
 * With `wait` it starts when it is told to on standard input, so that loading it takes no time
 * then.
 *
 * @module
 */

import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { Activity, openStore } from "#tests/support/pbs_activity.ts";
import { Random } from "#tests/support/property_random.ts";

const [path, seed, milliseconds, wait] = Deno.args as [string, string, string, string?];
const store = openStore(path, 20);
const random = new Random(Number(seed));
const activity = new Activity(store, random, { isConcurrent: true });
if (wait !== undefined) {
  console.log("ready");
  Deno.stdin.readSync(new Uint8Array(1));
}
const end = performance.now() + Number(milliseconds);
while (performance.now() < end) {
  for (let step = random.between(5, 40); step > 0; step--) activity.step();
  // A garbage collection needs all others not to write for a moment.
  if (random.oneIn(3)) activity.end();
  if (random.oneIn(3)) activity.collect({ keepMinutes: 0, checkAccessTimes: random.oneIn(3) });
  if (random.oneIn(4)) verify();
}
activity.end();
store.close();
console.log(
  JSON.stringify({ finished: activity.finishedCount, removed: activity.removedCount }),
);

function verify(): void {
  const report = verifyStore(store, { kind: "namespace" }, { ignoreVerified: random.oneIn(2) });
  if (report.isClean) return;
  for (const { faults } of report.snapshots) {
    for (const { message } of faults) console.error(message);
  }
  Deno.exit(1);
}

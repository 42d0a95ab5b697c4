/**
 * A server of sessions, until its standard input ends or it is killed.
 *
 *     deno run … _tls_server_child.ts STORE
 *
 * Prints where it listens; at its end, the most memory that it had.
 *
 * @module
 */

import { StoreThreads } from "#src/pbs/server/served_store.ts";
import { listenForSessions } from "./_tls_sessions.ts";

const threads = new StoreThreads();
const store = threads.serve({ name: "main", path: Deno.args[0]!, syncLevel: "none" });
const { listener, address } = await listenForSessions(store);
console.log(JSON.stringify(address));
let peakBytes = 0;
setInterval(() => peakBytes = Math.max(peakBytes, Deno.memoryUsage().rss), 20);
for await (const _ of Deno.stdin.readable);
await listener.close();
await threads.close();
console.log(JSON.stringify({ peakBytes }));
Deno.exit(0);

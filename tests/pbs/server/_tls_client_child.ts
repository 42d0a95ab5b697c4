/**
 * Clients of a server of sessions, each with a connection and a group, again and again.
 *
 *     deno run … _tls_client_child.ts ADDRESS COUNT SECONDS [CHUNK_BYTES]
 *
 * @module
 */

import { Random } from "#tests/support/property_random.ts";
import { backUpOnce, ChunkPool } from "./_session_activity.ts";
import { ask } from "./_session_client.ts";
import { openSession, type SessionAddress } from "./_tls_sessions.ts";
import { DynamicIndex } from "#src/pbs/format/dynamic_index.ts";

const [address, count, seconds, chunkBytes = "50000"] = Deno.args as [string, string, string];
const server = JSON.parse(address) as SessionAddress;
const pool = new ChunkPool({ poolSize: 40, chunkBytes: Number(chunkBytes), chunksMax: 12 });
const end = performance.now() + Number(seconds) * 1000;
let finishedCount = 0;
let readBytes = 0;

async function restore(id: string, time: number): Promise<void> {
  const session = await openSession(server, "reader", id, time);
  const file = await ask(session.handler, "GET", "/download?file-name=root.pxar.didx");
  const index = DynamicIndex.parse(file.bytes);
  for (let position = 0; position < index.count; position++) {
    const target = `/chunk?digest=${index.digestOf(position)}`;
    const { status, bytes } = await ask(session.handler, "GET", target);
    if (status !== 200) throw new Error(`${target}: ${status}`);
    readBytes += bytes.length;
  }
  await session.close();
}

async function work(id: string, seed: number): Promise<void> {
  const random = new Random(seed);
  let time = 1_700_000_000;
  do {
    const session = await openSession(server, "backup", id, ++time);
    if (!await backUpOnce(session, pool, random, id, time)) continue;
    finishedCount++;
    await restore(id, time);
  } while (performance.now() < end);
}

console.log("begun");
await Promise.all(Array.from({ length: Number(count) }, (_, i) => work(`client${i}`, i + 1)));
console.log(JSON.stringify({ finishedCount, readBytes }));

import assert from "node:assert/strict";
import { Failure, ProtocolError, StateError } from "#src/errors.ts";
import type { HttpClient } from "#src/net/http.ts";
import { BackupSession } from "#src/pbs/client/network_thread/backup_session.ts";
import { ReaderSession } from "#src/pbs/client/network_thread/reader_session.ts";
import { SessionClient } from "#src/pbs/client/network_thread/session_client.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import type { MailRequest } from "#src/threads/mailbox/answering.ts";
import { Random } from "#tests/support/property_random.ts";
import { FakeServer } from "./_fake_server.ts";

const NEVER = new AbortController().signal;
const SNAPSHOT = { "backup-type": "host", "backup-id": "a", "backup-time": 1000, store: "main" };
const NAME = "root.pxar.didx";

interface Content {
  readonly digests: readonly string[];
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
}

/** Chunks that only have to differ. */
function makeContent(count: number, size = 1000): Content {
  const random = new Random(count);
  const chunks = Array.from({ length: count }, () => random.bytes(size));
  return { chunks, digests: chunks.map((chunk) => sha256Of(chunk).toHex()) };
}

function checksumOf({ digests, chunks }: Content): string {
  const builder = new DynamicIndexBuilder();
  let end = 0;
  digests.forEach((digest, index) => builder.add(digest as never, end += chunks[index]!.length));
  return builder.finish({ uuid: new Uint8Array(16), ctime: 1 }, sha256Of).checksum;
}

async function start(server: FakeServer, time = 1000): Promise<BackupSession> {
  const client = await server.upgrade("backup", { ...SNAPSHOT, "backup-time": time });
  return new BackupSession(new SessionClient(client, server.name));
}

async function upload(session: BackupSession, wid: number, content: Content, from = 0) {
  for (const [index, digest] of content.digests.entries()) {
    if (index < from) continue;
    const chunk = content.chunks[index]!;
    const size = chunk.length;
    await session.upload({ wid, digest, size }, size, () => chunk.slice(), NEVER);
  }
}

function* entries({ digests, chunks }: Content): Generator<[string, number]> {
  let offset = 0;
  for (const [index, digest] of digests.entries()) {
    yield [digest, offset];
    offset += chunks[index]!.length;
  }
}

async function closeIndex(session: BackupSession, wid: number, content: Content): Promise<void> {
  const { digests: { length: count }, chunks } = content;
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  await session.closeIndex(wid, { count, size, checksum: checksumOf(content) }, NEVER);
}

/** A snapshot with an index of these chunks. */
async function store(server: FakeServer, content: Content): Promise<void> {
  const session = await start(server);
  const wid = await session.openIndex("dynamic", NAME, undefined, undefined, NEVER);
  await upload(session, wid, content);
  await session.append(wid, entries(content));
  await closeIndex(session, wid, content);
  await session.blob("index.json.blob", new Uint8Array(20), NEVER);
  await session.finish(NEVER);
}

function isTemporary(error: unknown): boolean {
  return error instanceof ProtocolError && error.isTemporary;
}

Deno.test("A backup session sends lists of a bounded size, in order, and no chunk twice", async () => {
  const server = new FakeServer();
  const content = makeContent(1300, 10);
  const bodies: number[] = [];
  const plain = server.upgrade.bind(server);
  server.upgrade = async (kind, parameters) => {
    const client = await plain(kind, parameters);
    const send = client.send.bind(client);
    client.send = (call) => {
      if (call.method === "PUT") bodies.push(call.body!.length);
      return send(call);
    };
    return client as never;
  };
  const session = await start(server);
  const wid = await session.openIndex("dynamic", NAME, undefined, undefined, NEVER);
  await upload(session, wid, content);
  assert.equal(session.knows(content.digests[7]!), true);
  await upload(session, wid, content, 1290);
  // One by one, as small files come: gathered; and all at once, as chunks that are reused.
  const all = [...entries(content)];
  for (const entry of all.slice(0, 200)) await session.append(wid, [entry]);
  await session.append(wid, all.slice(200));
  await closeIndex(session, wid, content);
  assert.equal(server.calls.filter((call) => call.startsWith("POST /dynamic_chunk")).length, 1300);
  assert.equal(bodies.every((size) => size < 65_536), true);
  assert.deepEqual(bodies.length, 3 + 3);
  session.close();
});

Deno.test("A backup session has a bounded number of uploads under way", async () => {
  const server = new FakeServer();
  let [underWay, most, mostBytes, bytes] = [0, 0, 0, 0];
  const plain = server.upgrade.bind(server);
  server.upgrade = async (kind, parameters) => {
    const client = await plain(kind, parameters);
    const send = client.send.bind(client);
    client.send = async (call) => {
      if (!call.target.includes("_chunk")) return await send(call);
      underWay++;
      bytes += call.body!.length;
      most = Math.max(most, underWay);
      mostBytes = Math.max(mostBytes, bytes);
      try {
        return await send(call);
      } finally {
        underWay--;
        bytes -= call.body!.length;
      }
    };
    return client as never;
  };
  const session = await start(server);
  const wid = await session.openIndex("dynamic", NAME, undefined, undefined, NEVER);
  const large = makeContent(30, 3 << 20);
  await upload(session, wid, large);
  assert.equal(most > 1 && most <= 64 && mostBytes <= 16 << 20, true, `${most} ${mostBytes}`);
  await upload(session, wid, makeContent(500, 10));
  await session.append(wid, entries(large));
  await closeIndex(session, wid, large);
  assert.equal(most > 4 && most <= 64 && mostBytes <= 16 << 20, true, `${most} ${mostBytes}`);
  session.close();
});

Deno.test("A backup session whose connection breaks anywhere fails for a while, and leaves nothing", async () => {
  const content = makeContent(100);
  const whole = new FakeServer();
  await store(whole, content);
  const count = whole.calls.length;
  assert.equal(count > 100, true);
  for (let at = 0; at < count; at += at < 10 || at > count - 10 ? 1 : 7) {
    const server = new FakeServer();
    server.faults = { breaksAt: (_, number) => number === at };
    await assert.rejects(() => store(server, content), isTemporary, `call ${at}`);
    const group = server.groups.get("")!.get("host/a")!;
    // The connection may also be lost with the answer to the last call of all.
    assert.equal(group.snapshots.size, 0, `call ${at}`);
    assert.equal(group.isLocked, false);
    server.faults = {};
    await store(server, content);
    assert.equal(server.groups.get("")!.get("host/a")!.snapshots.size, 1);
  }
});

Deno.test("A backup session notices that a peer closes the connection while nobody calls", async () => {
  const server = new FakeServer();
  let client: HttpClient | undefined;
  const plain = server.upgrade.bind(server);
  server.upgrade = async (kind, parameters) => client = await plain(kind, parameters);
  const session = await start(server);
  const wid = await session.openIndex("dynamic", NAME, undefined, undefined, NEVER);
  client!.close();
  await client!.closed;
  await assert.rejects(() => upload(session, wid, makeContent(1)), isTemporary);
  assert.throws(() => session.knows("00".repeat(32)), isTemporary);
});

Deno.test("A backup session fails when a server answers nonsense or refuses a chunk", async () => {
  for (const answer of ["null", '"00"', "refuse", "{"]) {
    const server = new FakeServer();
    const plain = server.upgrade.bind(server);
    server.upgrade = async (kind, parameters) => {
      const client = await plain(kind, parameters);
      const send = client.send.bind(client);
      client.send = async (call) => {
        const result = await send(call);
        if (!call.target.includes("_chunk")) return result;
        const text = answer === "refuse"
          ? "detected chunk with wrong digest."
          : `{"data":${answer}}`;
        const bytes = new TextEncoder().encode(text);
        const body = { ...result.body, bytes: () => Promise.resolve(bytes) };
        return { ...result, status: answer === "refuse" ? 400 : 200, body } as never;
      };
      return client as never;
    };
    await assert.rejects(() => store(server, makeContent(3)), ProtocolError, answer);
    assert.equal(server.calls.some((call) => call.startsWith("PUT")), false, answer);
  }
});

/** What the mailbox hands in, and what was handed over. */
function mail(signal: AbortSignal = NEVER): MailRequest & { readonly taken: Uint8Array } {
  const room = new Uint8Array(new SharedArrayBuffer(300_000));
  const parts: number[] = [];
  return {
    request: {},
    payload: room.subarray(0, 0),
    room,
    signal,
    part: (size) => {
      parts.push(...room.slice(0, size));
      return Promise.resolve();
    },
    get taken() {
      return Uint8Array.from(parts);
    },
  };
}

function reader(server: FakeServer, troubles: (string | undefined)[] = []): ReaderSession {
  return new ReaderSession({
    peer: server.name,
    connect: () => server.upgrade("reader", SNAPSHOT),
    onTrouble: (reason) => troubles.push(reason),
    pause: () => new Promise((resolve) => setTimeout(resolve, 1)),
  });
}

/** Breaks the next call. */
function once(): () => boolean {
  let isFirst = true;
  return () => {
    const breaks = isFirst;
    isFirst = false;
    return breaks;
  };
}

async function chunkOf(session: ReaderSession, digest: string): Promise<Uint8Array> {
  const room = new Uint8Array(20_000);
  return room.subarray(0, await session.chunk(digest, room, NEVER));
}

Deno.test("A reader session that loses its connection anywhere goes on with another one", async () => {
  const content = makeContent(3000);
  const server = new FakeServer();
  await store(server, content);
  const index = server.groups.get("")!.get("host/a")!.snapshots.get(1000)!.files.get(NAME)!;
  for (let at = 0; at < 6; at++) {
    server.calls.length = 0;
    let hasBroken = false;
    server.faults = {
      breaksAt: () => {
        if (hasBroken || server.calls.length < at) return false;
        return hasBroken = true;
      },
    };
    const troubles: (string | undefined)[] = [];
    const session = reader(server, troubles);
    await session.open(NEVER);
    const request = mail();
    assert.equal(await session.download(NAME, 1 << 20, request), index.length);
    assert.deepEqual(request.taken, index);
    for (const position of [0, 2999, 5]) {
      const chunk = await chunkOf(session, content.digests[position]!);
      assert.deepEqual(chunk, content.chunks[position]!);
    }
    if (at < 4) {
      assert.equal(troubles.length, 2, `call ${at}`);
      assert.match(troubles[0]!, /connection was lost/);
      assert.equal(troubles[1], undefined);
    }
    session.close();
  }
});

Deno.test("A reader session waits for a server that is away, as long as who asks does", async () => {
  const content = makeContent(3);
  const server = new FakeServer();
  await store(server, content);
  const session = reader(server);
  await session.open(NEVER);
  await session.download(NAME, 1 << 20, mail());
  let attempts = 0;
  server.faults = { isDown: () => ++attempts < 6, breaksAt: once() };
  assert.deepEqual(await chunkOf(session, content.digests[1]!), content.chunks[1]!);
  assert.equal(attempts, 6);
  // Somebody has enough of it; others go on waiting.
  server.faults = { isDown: () => isDown, breaksAt: once() };
  let isDown = true;
  const patience = new AbortController();
  const room = new Uint8Array(20_000);
  const impatient = session.chunk(content.digests[0]!, room, patience.signal);
  const patient = chunkOf(session, content.digests[2]!);
  setTimeout(() => patience.abort(), 20);
  await assert.rejects(impatient);
  isDown = false;
  assert.deepEqual(await patient, content.chunks[2]!);
  session.close();
});

Deno.test("A reader session does not ask again what a server has refused", async () => {
  const content = makeContent(2);
  const server = new FakeServer();
  const none = reader(server);
  await assert.rejects(
    () => none.open(NEVER),
    (error) => error instanceof StateError && error.code === "not-found",
  );
  server.faults = { isDown: () => true };
  await assert.rejects(() => reader(server).open(NEVER), isTemporary);
  server.faults = {};
  await store(server, content);
  const session = reader(server);
  await session.open(NEVER);
  await assert.rejects(
    () => chunkOf(session, content.digests[0]!),
    (error) => error instanceof ProtocolError && error.code === "status-401",
  );
  await session.download(NAME, 1 << 20, mail());
  server.chunks.delete(content.digests[0]!);
  await assert.rejects(() => chunkOf(session, content.digests[0]!), Failure);
  await assert.rejects(() => session.download(NAME, 100, mail()), /more than 100 bytes/);
  assert.equal(server.calls.filter((call) => call.startsWith("GET /chunk")).length, 2);
  session.close();
});

Deno.test("A reader session asks for chunks that are expected before they are wanted, once", async () => {
  const content = makeContent(12);
  const server = new FakeServer();
  await store(server, content);
  const session = reader(server);
  await session.open(NEVER);
  await session.download(NAME, 1 << 20, mail());
  const asked = () => server.calls.filter((call) => call.startsWith("GET /chunk")).length;
  for (const digest of content.digests.slice(0, 4)) session.expect(digest);
  for (let index = 0; index < 4; index++) {
    assert.deepEqual(await chunkOf(session, content.digests[index]!), content.chunks[index]!);
  }
  assert.equal(asked(), 4);
  // Two threads told of it, and the one that needs it was heard first.
  const wanted = chunkOf(session, content.digests[4]!);
  session.expect(content.digests[4]!);
  assert.deepEqual(await wanted, content.chunks[4]!);
  assert.equal(asked(), 5);
  // What was expected in vain is asked for by who needs it; what nobody came for is forgotten.
  server.faults = { breaksAt: once() };
  for (const digest of content.digests) session.expect(digest);
  for (let index = 0; index < 12; index++) {
    assert.deepEqual(await chunkOf(session, content.digests[index]!), content.chunks[index]!);
  }
  session.close();
});

import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import type { IncomingBody } from "#src/net/http.ts";
import type { HttpSession } from "#src/pbs/server/session.ts";
import { TransferMemory } from "#src/pbs/server/transfer_memory.ts";
import { ask, BytesBody, data, said } from "./_session_client.ts";
import { chunkOf, finish, noise, ServedScene, upload, writeDynamic } from "./_served_scene.ts";

const NAME = "root.pxar.didx";
const MIB = 1 << 20;
const chunk = chunkOf(noise(1, 1000));

/** A request whose body comes as the test wants it. */
function send(session: HttpSession, target: string, body: IncomingBody) {
  const signal = new AbortController().signal;
  return session.handler({ method: "POST", target, headers: {}, body, peer: "test:1", signal });
}

Deno.test("parameters that cannot be are refused, each with its name", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${NAME}`);
  const csum = chunk.digest;
  const rest = `&digest=${chunk.digest}&encoded-size=${chunk.encoded.length}`;
  const cases: [string, string, string, RegExp][] = [
    ["POST", `/dynamic_chunk?wid=0&size=1000${rest}`, "", /'wid': value must have a minimum/],
    ["POST", `/dynamic_chunk?wid=257&size=1000${rest}`, "", /'wid': value must have a maximum/],
    ["POST", `/dynamic_chunk?wid=1&size=16777217${rest}`, "", /'size': value must have a max/],
    ["POST", `/dynamic_chunk?wid=1&size=1e3${rest}`, "", /'size': Expected integer/],
    ["POST", `/dynamic_chunk?wid=1&size=-1${rest}`, "", /'size': value must have a minimum/],
    ["POST", `/dynamic_chunk?wid=1&size=99999999999999999999${rest}`, "", /'size': value must/],
    ["POST", `/dynamic_chunk?wid=1&size=1000&wid=1${rest}`, "", /'wid': parameter is given more/],
    ["POST", `/dynamic_chunk?wid=1&size=1000&x=1${rest}`, "", /'x': schema does not allow/],
    ["POST", `/dynamic_chunk?wid=1&size=1&__proto__=1${rest}`, "", /'__proto__': schema does not/],
    ["POST", `/dynamic_index?archive-name=..%2F..%2Fx.didx`, "", /'archive-name': value does not/],
    ["POST", `/dynamic_index?archive-name=.x.didx`, "", /'archive-name': value does not/],
    ["POST", `/dynamic_index?archive-name=x%00.didx`, "", /'archive-name': value does not/],
    ["POST", `/dynamic_index?archive-name=${"x".repeat(300)}.didx`, "", /256 characters/],
    ["POST", `/dynamic_index?archive-name=${"x".repeat(4096)}.didx`, "", /Query is too long/],
    ["GET", `/previous?archive-name=..`, "", /'archive-name': value does not/],
    ["POST", `/fixed_index?archive-name=x.fidx&size=9007199254740993`, "", /'size': value must/],
    ["POST", `/fixed_index?archive-name=x.fidx&size=9007199254740991`, "", /Cannot index an image/],
    ["POST", `/fixed_index?archive-name=x.fidx&size=${2 ** 46}`, "", /open indexes: more than/],
    ["POST", `/blob?file-name=x.blob&encoded-size=16777261`, "", /'encoded-size': value must/],
    ["POST", `/dynamic_close?wid=1&chunk-count=0&size=1&csum=${csum}`, "", /'chunk-count'/],
    ["PUT", `/dynamic_index`, `[1]`, /expected an object/],
    ["PUT", `/dynamic_index`, `{"wid":1`, /unable to parse json/],
    ["PUT", `/dynamic_index`, `{"wid":1.5,"digest-list":[],"offset-list":[]}`, /'wid': Expected/],
    ["PUT", `/dynamic_index`, `{"wid":1,"digest-list":"x","offset-list":[]}`, /Expected array/],
    ["PUT", `/dynamic_index`, `{"wid":1,"digest-list":["x"],"offset-list":[0]}`, /regex pattern/],
    ["PUT", `/dynamic_index`, `{"wid":1,"digest-list":[],"offset-list":[-1]}`, /minimum value/],
    ["PUT", `/dynamic_index`, `{"__proto__":{"wid":1}}`, /'__proto__': schema does not allow/],
    ["PUT", `/dynamic_index`, `[`.repeat(60_000), /unable to parse json/],
    ["PUT", `/dynamic_index`, `"${"x".repeat(65_536)}"`, /Request body too large/],
  ];
  for (const [method, target, body, expected] of cases) {
    const headers = { "content-type": "application/json" };
    const answer = await said(session, method, target, { body, headers });
    assert.match(answer, /^400 /, `${method} ${target}`);
    assert.match(answer, expected, `${method} ${target}`);
  }
  // None of that did any harm.
  await upload(session, "dynamic", wid as number, chunk);
});

Deno.test("bodies of parameters are read as far as they may go, announced or not", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const headers = { "content-type": "application/json" };
  const list = (size: number) => `{"wid":1,"digest-list":[],"offset-list":[]${" ".repeat(size)}}`;
  const sizes = [65_535 - 43, 65_536 - 43];
  for (const length of [undefined, 65_535, 65_536]) {
    const answers = sizes.map((size) =>
      said(session, "PUT", "/dynamic_index", { body: list(size), headers, length })
    );
    const [fits, tooLarge] = await Promise.all(answers);
    assert.equal(fits, length === 65_536 ? "400 Request body too large" : `200 {"data":null}`);
    assert.equal(tooLarge, "400 Request body too large");
  }
});

Deno.test("a session has 256 writers in all, and their memory has a limit", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  // Each of these would have an index of 64 MiB.
  const large = 2 ** 43;
  const opened = [1, 2, 3, 4, 5].map((number) =>
    said(session, "POST", `/fixed_index?archive-name=${number}.fidx&size=${large}`)
  );
  const answers = await Promise.all(opened);
  assert.deepEqual(answers.slice(0, 4), [1, 2, 3, 4].map((wid) => `200 {"data":${wid}}`));
  assert.match(answers[4]!, /^400 Cannot keep .* bytes of open indexes/);
  for (let wid = 5; wid <= 256; wid++) {
    assert.equal(await data(session, "POST", `/dynamic_index?archive-name=${wid}.didx`), wid);
  }
  const answer = await said(session, "POST", "/dynamic_index?archive-name=more.didx");
  assert.match(answer, /^400 too many index writers/);
  assert.match(
    await said(session, "POST", "/dynamic_index?archive-name=7.didx"),
    /^400 too many index writers/,
  );
});

Deno.test("a body is as long as it was announced, whether the protocol knows that or not", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${NAME}`);
  const { encoded, digest, size } = chunk;
  const target =
    `/dynamic_chunk?wid=${wid}&digest=${digest}&size=${size}&encoded-size=${encoded.length}`;
  const longer = new Uint8Array([...encoded, 0]);
  for (const length of [undefined, encoded.length + 1]) {
    assert.equal(
      await said(session, "POST", target, { body: longer, length }),
      "400 uploaded chunk is larger than announced.",
    );
  }
  const shorter = encoded.slice(0, -1);
  for (const length of [undefined, encoded.length - 1]) {
    assert.equal(
      await said(session, "POST", target, { body: shorter, length }),
      "400 uploaded chunk has unexpected size.",
    );
  }
  const blob = `/blob?file-name=x.blob&encoded-size=${encoded.length}`;
  assert.match(
    await said(session, "POST", blob, { body: longer, length: undefined }),
    /^400 got blob/,
  );
  assert.match(
    await said(session, "POST", blob, { body: shorter, length: undefined }),
    /^400 got blob/,
  );
});

Deno.test("a chunk that decompresses to more than a chunk may have is refused", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${NAME}`);
  const header = Uint8Array.fromHex("31b958426fb6a37f00000000");
  const upload = async (frame: Uint8Array, size: number) => {
    const body = new Uint8Array([...header, ...frame]);
    const query = `wid=${wid}&digest=${chunk.digest}&size=${size}&encoded-size=${body.length}`;
    return await said(session, "POST", `/dynamic_chunk?${query}`, { body });
  };
  const bomb = zstdCompressSync(new Uint8Array(64 * MIB));
  assert.match(await upload(bomb, 16 * MIB), /^400 detected chunk with more than 16777216 bytes/);
  assert.match(await upload(noise(1, 500), 1000), /^400 unable to decompress chunk/);
  assert.match(await upload(new Uint8Array(1), 1000), /^400 unable to decompress chunk/);
});

Deno.test("an index that is damaged, or not the one of the manifest, makes no chunk known", async () => {
  await using scene = new ServedScene();
  const first = await scene.backup();
  await finish(first, {}, [await writeDynamic(first, NAME, [chunk])]);
  await first.close();
  const path = `${scene.path}/host/a/2027-01-15T08:00:00Z/${NAME}`;
  const whole = Deno.readFileSync(path);
  const session = await scene.backup({ time: 1_800_000_001 });
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${NAME}`);
  const body = { wid, "digest-list": [chunk.digest], "offset-list": [0] };
  const damages: ((bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>)[] = [
    (bytes) => bytes.subarray(0, 100),
    (bytes) => bytes.subarray(0, bytes.length - 1),
    // The chunk ends far outside.
    (bytes) => bytes.with(4096 + 7, 0xff) as Uint8Array<ArrayBuffer>,
    // Another chunk, and a checksum that fits it.
    (bytes) => {
      const other = chunkOf(noise(2, 1000));
      bytes.set(Uint8Array.fromHex(other.digest), 4096 + 8);
      return bytes;
    },
  ];
  for (const damage of damages) {
    Deno.writeFileSync(path, damage(whole.slice()));
    const answer = await said(session, "GET", `/previous?archive-name=${NAME}`);
    assert.match(answer, /^400 /);
    assert.match(await said(session, "PUT", "/dynamic_index", { body }), /^400 no such chunk/);
  }
  Deno.writeFileSync(path, whole);
});

Deno.test("a client has only its part of the memory: what it sends on top is not read", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${NAME}`);
  const size = 16 * MIB;
  const target =
    `/dynamic_chunk?wid=${wid}&digest=${chunk.digest}&size=${size}&encoded-size=${size}`;
  let readCount = 0;
  const release = Promise.withResolvers<void>();
  const slow = () => {
    const body = new BytesBody(new Uint8Array(size), size);
    const { readInto } = body;
    body.readInto = async (bytes) => {
      readCount++;
      await release.promise;
      return await readInto.call(body, bytes);
    };
    return body;
  };
  const answers = Array.from({ length: 100 }, () => send(session, target, slow()));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(readCount, 1);
  // The others are not kept waiting.
  const other = await scene.backup({ id: "b" });
  const otherWid = await data(other, "POST", `/dynamic_index?archive-name=${NAME}`) as number;
  await upload(other, "dynamic", otherWid, chunk);
  // When the client goes, nobody waits any more.
  const closing = session.close();
  release.resolve();
  await closing;
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assert.deepEqual(new Set(statuses), new Set([400]));
  assert.ok(readCount <= 2);
});

Deno.test("memory is given in turn, past those who have their part, and comes back", async () => {
  const memory = new TransferMemory(100);
  const [a, b] = [memory.share(60), memory.share(60)];
  const order: string[] = [];
  const note = (name: string, taken: Promise<() => void>) =>
    taken.then((giveBack) => {
      order.push(name);
      return giveBack;
    });
  const first = await note("a1", a.take(60));
  const second = note("a2", a.take(10));
  const third = note("b1", b.take(40));
  const giveBackThird = await third;
  const fourth = note("b2", b.take(20));
  first();
  first();
  await Promise.all([second, fourth]);
  assert.deepEqual(order, ["a1", "b1", "a2", "b2"]);
  giveBackThird();
  const waiting = a.take(60);
  a.close();
  await assert.rejects(waiting, { code: "stopped" });
  await assert.rejects(a.take(1), { code: "stopped" });
  // All that was in use by the one is there for the other.
  const c = memory.share(80);
  (await c.take(80))();
  // Who is not waited for any more has nothing.
  const gone = new AbortController();
  await c.takeFor(gone.signal, 80);
  gone.abort();
  await c.takeFor(gone.signal, 80);
  await c.take(80);
});

Deno.test("a body that does not come is given up", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${NAME}`);
  const never: IncomingBody = {
    length: undefined,
    read: () => new Promise(() => {}),
    bytes: () => new Promise(() => {}),
    readInto: () => new Promise(() => {}),
    discard: () => {},
  };
  const { setTimeout: realSetTimeout } = globalThis;
  const waits: number[] = [];
  globalThis.setTimeout = ((run: () => void, timeMs: number) => {
    waits.push(timeMs);
    return realSetTimeout(run, 0);
  }) as typeof setTimeout;
  try {
    const size = 4 * MIB;
    const target =
      `/dynamic_chunk?wid=${wid}&digest=${chunk.digest}&size=${size}&encoded-size=${size}`;
    const answer = await send(session, target, never);
    assert.equal(answer.status, 503);
    assert.match(new TextDecoder().decode(answer.body as Uint8Array<ArrayBuffer>), /too slowly/);
    assert.ok(waits.some((timeMs) => timeMs >= 60_000 && timeMs <= 300_000), `${waits}`);
  } finally {
    globalThis.setTimeout = realSetTimeout;
  }
});

Deno.test("what is not a call is not found, and a reader cannot leave its snapshot", async () => {
  await using scene = new ServedScene();
  const first = await scene.backup();
  await finish(first, {}, [await writeDynamic(first, NAME, [chunk])]);
  await first.close();
  const session = await scene.reader();
  assert.equal(await said(session, "GET", "//download//x"), "404 Path '/download/x' not found.");
  assert.equal(await said(session, "get", "/download"), "404 Path '/download' not found.");
  assert.equal(await said(session, "GET", "/__proto__"), "404 Path '/__proto__' not found.");
  for (const name of ["../owner", "..%2Fowner", "%2Fetc%2Fpasswd.blob", ".x.blob", "a/../b.blob"]) {
    const answer = await said(session, "GET", `/download?file-name=${name}`);
    assert.match(answer, /^400 parameter verification failed - 'file-name': value does not match/);
  }
  const link = `${scene.path}/host/a/2027-01-15T08:00:00Z`;
  Deno.symlinkSync("/etc/passwd", `${link}/link.blob`);
  Deno.mkdirSync(`${link}/folder.blob`);
  for (const name of ["link.blob", "folder.blob"]) {
    const { status, text } = await ask(session.handler, "GET", `/download?file-name=${name}`);
    assert.equal(status, 400, text);
    assert.doesNotMatch(text, /root:/);
  }
});

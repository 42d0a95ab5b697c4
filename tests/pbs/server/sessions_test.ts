import assert from "node:assert/strict";
import { hostCodecs } from "#src/codecs/codecs.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { ProtocolError } from "#src/errors.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { type Manifest, uploadStatisticsOf, withVerifyState } from "#src/pbs/format/manifest.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { FixedIndex } from "#src/pbs/format/fixed_index.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { ask, data, said } from "./_session_client.ts";
import {
  chunkOf,
  finish,
  noise,
  type Sent,
  ServedScene,
  upload,
  writeDynamic,
} from "./_served_scene.ts";

const TIME = 1_800_000_000;
const GROUP = { ns: ROOT_NAMESPACE, type: "host", id: "a" } as const;
const CHUNKS = [1, 2, 3].map((seed) => chunkOf(noise(seed, 100_000 * seed)));
const NAME = "root.pxar.didx";

/** Makes one snapshot. */
async function backUp(scene: ServedScene, time = TIME, chunks: readonly Sent[] = CHUNKS) {
  const session = await scene.backup({ time });
  await finish(session, { time }, [await writeDynamic(session, NAME, chunks)]);
  await session.close();
}

function entries(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

function folder(scene: ServedScene, time = "2027-01-15T08:00:00Z"): string {
  return `${scene.path}/host/a/${time}`;
}

Deno.test("a backup by a session is a snapshot that verifies, with the counts of its uploads", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  assert.equal(session.isFinished, false);
  const file = await writeDynamic(session, NAME, [...CHUNKS, CHUNKS[0]!]);
  await finish(session, {}, [file]);
  assert.equal(session.isFinished, true);
  // Nobody has to wait for the connection to end.
  const next = await scene.backup({ time: TIME + 1 });
  await next.close();
  await session.close();

  assert.deepEqual(entries(folder(scene)), ["index.json.blob", NAME]);
  assert.equal(Deno.readTextFileSync(`${scene.path}/host/a/owner`), "tester@pbs\n");
  const store = scene.open();
  const manifest = store.manifest({ group: GROUP, time: TIME });
  const counted = uploadStatisticsOf(manifest)!;
  assert.deepEqual([counted.count, counted.duplicates], [4, 1]);
  assert.equal(verifyStore(store).isClean, true);
  const reader = store.openSnapshot({ group: GROUP, time: TIME });
  assert.equal(reader.openArchive(NAME).size, 700_000);
  reader.close();
  store.close();
});

Deno.test("chunks of the base may be used when its index was asked for, and are not sent again", async () => {
  await using scene = new ServedScene();
  await backUp(scene);
  const session = await scene.backup({ time: TIME + 10 });
  assert.equal(await data(session, "GET", "/previous_backup_time"), TIME);
  const known = new Set(CHUNKS.map(({ digest }) => digest));
  const index = await ask(session.handler, "GET", `/previous?archive-name=${NAME}`);
  assert.deepEqual(index.bytes, Deno.readFileSync(`${folder(scene)}/${NAME}`));
  assert.equal(index.headers["content-type"], "application/octet-stream");
  const fresh = chunkOf(noise(9, 50_000));
  const file = await writeDynamic(session, NAME, [CHUNKS[1]!, fresh, CHUNKS[0]!], known);
  await finish(session, { time: TIME + 10 }, [file]);
  await session.close();
  const store = scene.open();
  const manifest = store.manifest({ group: GROUP, time: TIME + 10 });
  assert.equal(uploadStatisticsOf(manifest)!.count, 1);
  assert.equal(verifyStore(store).isClean, true);
  store.close();
});

Deno.test("a fixed index begins with that of the base, when it is the one that the client means", async () => {
  await using scene = new ServedScene();
  const size = 2 * 4194304 + 1000;
  const chunks = [4194304, 4194304, 1000].map((length, seed) => chunkOf(noise(seed, length)));
  const checksum = (parts: readonly Sent[]) =>
    sha256Of(Uint8Array.fromHex(parts.map(({ digest }) => digest).join(""))).toHex();
  const store = async (time: number, query: string, parts: Sent[], all: Sent[], at: number[]) => {
    const session = await scene.backup({ time });
    await ask(session.handler, "GET", "/previous?archive-name=d.img.fidx");
    const wid = await data(
      session,
      "POST",
      `/fixed_index?archive-name=d.img.fidx&size=${size}${query}`,
    );
    for (const part of parts) await upload(session, "fixed", wid as number, part);
    const body = { wid, "digest-list": parts.map(({ digest }) => digest), "offset-list": at };
    await data(session, "PUT", "/fixed_index", { body });
    const csum = checksum(all);
    const close = `wid=${wid}&chunk-count=${parts.length}&size=${size}&csum=${csum}`;
    await data(session, "POST", `/fixed_close?${close}`);
    await finish(session, { time }, [{ filename: "d.img.fidx", size, csum, cryptMode: "none" }]);
    await session.close();
  };
  // In any order.
  await store(TIME, "", [2, 0, 1].map((i) => chunks[i]!), chunks, [8388608, 0, 4194304]);
  const changed = chunkOf(noise(7, 4194304));
  const all = [chunks[0]!, changed, chunks[2]!];
  await store(TIME + 1, `&reuse-csum=${checksum(chunks)}`, [changed], all, [4194304]);
  const path = `${folder(scene, "2027-01-15T08:00:01Z")}/d.img.fidx`;
  const index = FixedIndex.parse(Deno.readFileSync(path));
  assert.deepEqual([0, 1, 2].map((i) => index.digestOf(i)), all.map(({ digest }) => digest));
  const verified = scene.open();
  assert.equal(verifyStore(verified).isClean, true);
  verified.close();

  const session = await scene.backup({ time: TIME + 2 });
  const target = `/fixed_index?archive-name=d.img.fidx&size=${size}&reuse-csum=${checksum(chunks)}`;
  assert.match(
    await said(session, "POST", target),
    /^400 cannot reuse index - got unexpected checksum/,
  );
  const other = `/fixed_index?archive-name=d.img.fidx&size=${size + 1}&reuse-csum=${checksum(all)}`;
  assert.match(await said(session, "POST", other), /^400 cannot reuse index - sizes differ/);
});

Deno.test("a fixed index with a hole is not closed, whatever the numbers say", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const chunk = chunkOf(noise(1, 4194304));
  const wid = await data(session, "POST", "/fixed_index?archive-name=d.img.fidx&size=8388608");
  await upload(session, "fixed", wid as number, chunk);
  const body = { wid, "digest-list": [chunk.digest, chunk.digest], "offset-list": [0, 0] };
  await data(session, "PUT", "/fixed_index", { body });
  const csum = sha256Of(
    new Uint8Array([...Uint8Array.fromHex(chunk.digest), ...new Uint8Array(32)]),
  );
  const close = `wid=${wid}&chunk-count=2&size=8388608&csum=${csum.toHex()}`;
  assert.match(await said(session, "POST", `/fixed_close?${close}`), /1 chunks are missing/);
});

Deno.test("an encrypted chunk is stored as it is, and only an index may say that it is right", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const key = new Uint8Array(32).fill(3);
  const plain = noise(1, 5000);
  const encoded = new BlobCodec(hostCodecs()).encodeBytes(plain, {
    compress: true,
    crypt: new CryptConfig(key),
  });
  const sent = { digest: sha256Of(encoded).toHex(), size: 5000, encoded };
  const file = await writeDynamic(session, NAME, [sent]);
  await finish(session, {}, [{ ...file, cryptMode: "encrypt" }]);
  await session.close();
  const reader = await scene.reader();
  await ask(reader.handler, "GET", `/download?file-name=${NAME}`);
  const chunk = await ask(reader.handler, "GET", `/chunk?digest=${sent.digest}`);
  assert.deepEqual(chunk.bytes, encoded);
  // A plain one of the same name must not take its place, nor the other way round.
  const plainChunk = chunkOf(plain);
  const next = await scene.backup({ time: TIME + 1 });
  const wid = await data(next, "POST", `/dynamic_index?archive-name=${NAME}`) as number;
  await upload(next, "dynamic", wid, plainChunk);
  const query = `wid=${wid}&digest=${plainChunk.digest}&size=5000&encoded-size=${encoded.length}`;
  const answer = await said(next, "POST", `/dynamic_chunk?${query}`, { body: encoded });
  assert.match(answer, /^400 Cannot store encrypted chunk: there is one that is not encrypted/);
});

Deno.test("a connection that is lost leaves no snapshot, and the group is free at once", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const wid = await data(session, "POST", `/dynamic_index?archive-name=${NAME}`) as number;
  await writeDynamic(session, "other.pxar.didx", CHUNKS);
  assert.deepEqual(entries(folder(scene)), ["index.json.pending", "other.pxar.didx"]);
  const pending = Promise.allSettled(CHUNKS.map((chunk) => upload(session, "dynamic", wid, chunk)));
  await session.close();
  await pending;
  assert.deepEqual(entries(`${scene.path}/host/a`), ["owner"]);
  assert.match(await said(session, "POST", "/finish"), /^400 .*closed/);
  await backUp(scene);
  const store = scene.open();
  assert.equal(verifyStore(store).isClean, true);
  store.close();
});

Deno.test("what a killed server has left of a backup goes with the next one, and nothing else", async () => {
  await using scene = new ServedScene();
  await backUp(scene);
  const left = folder(scene, "2027-01-15T08:00:05Z");
  const foreign = folder(scene, "2027-01-15T08:00:06Z");
  const locked = folder(scene, "2027-01-15T08:00:07Z");
  for (const path of [left, foreign, locked]) {
    Deno.mkdirSync(path);
    Deno.writeTextFileSync(`${path}/root.pxar.tmp_didx`, "half");
  }
  Deno.mkdirSync(folder(scene, "2027-01-15T08:00:08Z"));
  for (const path of [left, locked, folder(scene)]) {
    Deno.writeTextFileSync(`${path}/index.json.pending`, "");
  }
  const store = scene.open();
  const lock = store.locks!.lockSnapshot({ group: GROUP, time: TIME + 7 }, "shared");
  await backUp(scene, TIME + 5);
  assert.deepEqual(entries(`${scene.path}/host/a`), [
    "2027-01-15T08:00:00Z",
    "2027-01-15T08:00:05Z",
    "2027-01-15T08:00:06Z",
    "2027-01-15T08:00:07Z",
    "owner",
  ]);
  assert.deepEqual(entries(left), ["index.json.blob", NAME]);
  lock.release();
  store.close();
});

Deno.test("a group is its owner's: a token may not use its user's, a user may use his token's", async () => {
  await using scene = new ServedScene();
  await backUp(scene);
  const start = async (authId: string, id = "a") => {
    try {
      await (await scene.backup({ time: TIME + 1, authId, id })).close();
      return "started";
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
      return error.message;
    }
  };
  const refused = "backup owner check failed (tester@pbs!tok1 != tester@pbs)";
  assert.equal(await start("tester@pbs!tok1"), refused);
  assert.equal(
    await start("tester2@pbs"),
    "backup owner check failed (tester2@pbs != tester@pbs)",
  );
  assert.equal(await start("tester@pbs"), "started");
  assert.equal(await start("tester@pbs!tok1", "b"), "started");
  assert.equal(await start("tester@pbs", "b"), "started");
  assert.equal(
    await start("tester@pbs!tok2", "b"),
    "backup owner check failed (tester@pbs!tok2 != tester@pbs!tok1)",
  );
});

Deno.test("a snapshot that failed its verification is no base, but its time counts", async () => {
  await using scene = new ServedScene();
  await backUp(scene);
  const store = scene.open();
  store.changeManifest(
    { group: GROUP, time: TIME },
    (manifest: Manifest) => withVerifyState(manifest, { state: "failed", upid: "UPID:x" }),
  );
  store.close();
  const session = await scene.backup({ time: TIME + 1 });
  assert.equal(await data(session, "GET", "/previous_backup_time"), null);
  assert.equal(
    await said(session, "GET", "/previous?archive-name=index.json.blob"),
    "400 no valid previous backup",
  );
  await session.close();
  await assert.rejects(scene.backup({ time: TIME }), /older than last backup/);
});

Deno.test("the base of a backup is not removed while that runs, nor is a snapshot that is read", async () => {
  await using scene = new ServedScene();
  await backUp(scene);
  const store = scene.open();
  const forget = () => store.forget({ group: GROUP, time: TIME });
  const session = await scene.backup({ time: TIME + 1 });
  assert.throws(forget, { code: "locked" });
  await session.close();
  const reader = await scene.reader();
  assert.throws(forget, { code: "locked" });
  await reader.close();
  forget();
  store.close();
});

Deno.test("a benchmark leaves nothing", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup({ id: "benchmark", isBenchmark: true });
  assert.equal(await data(session, "POST", "/speedtest", { body: noise(1, 1 << 20) }), null);
  await finish(session, { id: "benchmark" }, [await writeDynamic(session, NAME, CHUNKS)]);
  await session.close();
  assert.deepEqual(entries(`${scene.path}/host/benchmark`), ["owner"]);
  await assert.rejects(scene.backup({ isBenchmark: true }), /host\/benchmark/);
});

Deno.test("the manifest of a backup must be that of its snapshot", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const file = await writeDynamic(session, NAME, CHUNKS);
  await assert.rejects(finish(session, { id: "b" }, [file]), /it is that of another snapshot/);
  const { encoded } = chunkOf(new TextEncoder().encode("{"));
  const query = `file-name=index.json.blob&encoded-size=${encoded.length}`;
  await data(session, "POST", `/blob?${query}`, { body: encoded });
  assert.match(await said(session, "POST", "/finish"), /^400 unable to update manifest blob - /);
  assert.equal(entries(folder(scene)).includes("index.json.blob"), false);
  await finish(session, {}, [file]);
});

Deno.test("large files are sent in parts, whole", async () => {
  await using scene = new ServedScene();
  const session = await scene.backup();
  const blob = chunkOf(noise(5, 3_500_000), false).encoded;
  const query = `file-name=big.blob&encoded-size=${blob.length}`;
  await data(session, "POST", `/blob?${query}`, { body: blob });
  await finish(session, {}, [await writeDynamic(session, NAME, CHUNKS)]);
  await session.close();
  const reader = await scene.reader();
  const answer = await ask(reader.handler, "GET", "/download?file-name=big.blob");
  assert.equal(answer.bytes.length, blob.length);
  assert.equal(sha256Of(answer.bytes).toHex(), sha256Of(blob).toHex());
});

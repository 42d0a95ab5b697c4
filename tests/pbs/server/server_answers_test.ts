import assert from "node:assert/strict";
import { Failure } from "#src/errors.ts";
import { answerFailure } from "#src/pbs/server/refusal.ts";
import type { HttpSession } from "#src/pbs/server/session.ts";
import { ask, said, type TestCall } from "./_session_client.ts";
import { chunkOf, dynamicChecksum, type SceneSession, ServedScene } from "./_served_scene.ts";

/** An answer of the reference's server: the text may have been cut in the record. */
interface Recorded {
  readonly name: string;
  readonly status: number;
  readonly text: string | undefined;
  readonly isCut: boolean;
}

/** Longer answers were cut. */
const RECORDED_SIZE_MAX = 130;

function parseRecord(line: string): Recorded {
  const [, name = "", status, literal] = /^(.*?) +\(?'?(\d{3})'?(?:, b(.*))?$/.exec(line) ?? [];
  const whole = literal === undefined ? undefined : /^(['"])(.*)\1\)$/.exec(literal)?.[2];
  const text = literal === undefined ? undefined : whole ?? literal.slice(1);
  return {
    name: name.trim(),
    status: Number(status),
    text: text?.replaceAll("\\'", "'"),
    isCut: whole === undefined || whole.length >= RECORDED_SIZE_MAX,
  };
}

const RECORD_PATH = new URL("../../golden/protocol/server-answers.txt", import.meta.url);
const records = Deno.readTextFileSync(RECORD_PATH).trimEnd().split("\n").map(parseRecord);

/** Compares what is said in the order of the record. */
class Comparison {
  readonly #store: string;
  #next: number;

  constructor(store: string, first: number) {
    this.#store = store;
    this.#next = first;
  }

  async expect(name: string, saying: Promise<string>): Promise<void> {
    const record = records[this.#next++]!;
    assert.equal(record.name, name);
    const said = (await saying).replaceAll(this.#store, "<datastore>");
    // What is no text is compared elsewhere.
    const isBinary = record.text === undefined || record.text.includes("\\x");
    if (isBinary) assert.equal(said.split(" ")[0], `${record.status}`, name);
    else if (record.isCut) assert.ok(said.startsWith(`${record.status} ${record.text}`), said);
    else assert.equal(said, `${record.status} ${record.text}`, name);
  }
}

const TIME = 1_800_000_000;
const chunk = chunkOf(new TextEncoder().encode("hello world".repeat(100)));
const other = chunkOf(new TextEncoder().encode("other world".repeat(100)));

function chunkTarget(kind: string, wid: number, change: Record<string, string | number> = {}) {
  const parameters: Record<string, string | number | undefined> = {
    wid,
    digest: chunk.digest,
    size: chunk.size,
    "encoded-size": chunk.encoded.length,
    ...change,
  };
  const given = Object.entries(parameters).filter(([, value]) => value !== "");
  return `/${kind}_chunk?${given.map(([name, value]) => `${name}=${value}`).join("&")}`;
}

/** The answer to an upgrade. */
async function started(start: Promise<HttpSession>): Promise<string> {
  try {
    await start;
    return "101";
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { status, body } = answerFailure(error);
    return `${status} ${new TextDecoder().decode(body as Uint8Array<ArrayBuffer>)}`;
  }
}

Deno.test("backup and reader sessions answer as the reference's server did", async () => {
  await using scene = new ServedScene();
  const start = records.findIndex(({ name }) => name === "missing ns");
  const compare = new Comparison(scene.path, start);
  const probe = (options: SceneSession = {}) =>
    scene.backup({ id: "probe", time: TIME, ...options });
  await compare.expect("missing ns", started(probe({ ns: "nope" })));
  await compare.expect("benchmark", started(probe({ id: "benchmark" })));
  let session = await probe();
  await compare.expect("ok", Promise.resolve("101"));
  await compare.expect("second in same group", started(probe({ time: TIME + 1 })));

  const say = (name: string, method: string, target: string, call: TestCall = {}) =>
    compare.expect(name, said(session, method, target, call));
  const post = (name: string, target: string, body?: TestCall["body"]) =>
    say(name, "POST", target, body === undefined ? {} : { body });
  const append = (name: string, kind: string, wid: number, offsets: number[]) =>
    say(name, "PUT", `/${kind}_index`, {
      body: { wid, "digest-list": [chunk.digest], "offset-list": offsets },
    });
  const upload = (name: string, kind: string, wid: number, change = {}, body = chunk.encoded) =>
    post(name, chunkTarget(kind, wid, change), body);
  const size = chunk.encoded.length;

  await say("root GET", "GET", "/");
  await say("unknown path", "GET", "/nope");
  await say("wrong method", "GET", "/finish");
  await say("previous_backup_time", "GET", "/previous_backup_time");
  await say("previous w/o base", "GET", "/previous?archive-name=index.json.blob");
  await post("dyn index bad ext", "/dynamic_index?archive-name=root.pxar");
  await post("dyn index", "/dynamic_index?archive-name=root.pxar.didx");
  await append("append unknown", "dynamic", 1, [0]);
  await upload("chunk bad digest", "dynamic", 1, { digest: other.digest });
  await upload("chunk bad size", "dynamic", 1, { size: 1101 });
  await upload("chunk bad encoded-size small", "dynamic", 1, { "encoded-size": size - 1 });
  await upload("chunk bad encoded-size big", "dynamic", 1, { "encoded-size": size + 1 });
  await upload("chunk bad magic", "dynamic", 1, {}, new Uint8Array(size));
  const wrongCrc = chunk.encoded.slice();
  wrongCrc[8]! ^= 1;
  await upload("chunk bad crc (server fixes)", "dynamic", 1, {}, wrongCrc);
  await upload("chunk again (duplicate)", "dynamic", 1);
  await upload("chunk bad wid", "dynamic", 99);
  await upload("chunk missing digest", "dynamic", 1, { digest: "" });
  await append("append wrong offset", "dynamic", 1, [7]);
  await append("append len mismatch", "dynamic", 1, []);
  await say("append ok x2", "PUT", "/dynamic_index", {
    body: { wid: 1, "digest-list": [chunk.digest, chunk.digest], "offset-list": [0, 1100] },
  });
  await say("append w/o content-type", "PUT", "/dynamic_index", {
    body: `{"wid": 1, "digest-list": ["${chunk.digest}"], "offset-list": [2200]}`,
  });
  await post("finish with open writer", "/finish");
  const csum = dynamicChecksum([chunk]);
  const close = (wid: number, count: number) =>
    `/dynamic_close?wid=${wid}&chunk-count=${count}&size=1100&csum=${csum}`;
  await post("close bad count", close(1, 1));
  await post("close after failed close", close(1, 1));
  await post("dyn index 2nd", "/dynamic_index?archive-name=root.pxar.didx");
  await append("append w3", "dynamic", 2, [0]);
  await post("close w3", close(2, 1));
  await post("fixed idx bad ext", "/fixed_index?archive-name=b.img&size=2200");
  await post("fixed idx", "/fixed_index?archive-name=b.img.fidx&size=2200");
  const reuse = `reuse-csum=${chunk.digest}`;
  await post("fixed idx reuse no base", `/fixed_index?archive-name=b.img.fidx&size=2200&${reuse}`);
  await upload("fixed chunk small 1", "fixed", 3);
  await upload("fixed chunk small 2", "fixed", 3);
  await append("fixed append small, not last", "fixed", 3, [0]);
  await append("fixed append beyond", "fixed", 3, [4194304]);
  await post("fixed close", `/fixed_close?wid=3&chunk-count=1&size=2200&csum=${csum}`);
  const blob = chunkOf(new Uint8Array(1100).fill(7), false).encoded;
  const blobTarget = (name: string, length = blob.length) =>
    `/blob?file-name=${name}&encoded-size=${length}`;
  await post("blob bad ext", blobTarget("x.txt"), blob);
  const damaged = blob.slice();
  damaged[20]! ^= 1;
  await post("blob bad crc", blobTarget("x.blob"), damaged);
  await post("blob bad len", blobTarget("x.blob", 1113), blob);
  await post("blob ok", blobTarget("x.blob"), blob);
  await post("blob again (overwrite)", blobTarget("x.blob"), blob);
  await post("blob with / in name", blobTarget("..%2Fx.blob"), blob);
  await post("finish w/o manifest", "/finish");
  await post("speedtest", "/speedtest", new Uint8Array(5000));
  const manifest = chunkOf(
    new TextEncoder().encode(JSON.stringify({
      "backup-type": "host",
      "backup-id": "probe",
      "backup-time": TIME,
      files: [{ filename: "root.pxar.didx", size: 1100, csum, "crypt-mode": "none" }],
    })),
  ).encoded;
  await post("manifest", blobTarget("index.json.blob", manifest.length), manifest);
  await post("finish", "/finish");
  await post("after finish: blob", blobTarget("y.blob"), blob);
  await post("after finish: finish", "/finish");
  await session.close();

  await compare.expect("same time again", started(probe()));
  await compare.expect("older", started(probe({ time: TIME - 1 })));
  session = await probe({ time: TIME + 10 });
  await compare.expect("ok", Promise.resolve("101"));
  await post(
    "append chunk known only from base, not registered",
    "/dynamic_index?archive-name=root.pxar.didx",
  );
  await append("..", "dynamic", 1, [0]);
  await say("previous manifest", "GET", "/previous?archive-name=index.json.blob");
  await say("previous missing", "GET", "/previous?archive-name=zz.pxar.didx");
  await say("previous idx", "GET", "/previous?archive-name=root.pxar.didx");
  await append("..", "dynamic", 1, [0]);
  await session.close();

  const missing = scene.reader({ id: "probe", time: TIME + 10 });
  await compare.expect("reader missing snap", started(missing));
  session = await scene.reader({ id: "probe", time: TIME });
  await compare.expect("reader", Promise.resolve("101"));
  await say("chunk before index", "GET", `/chunk?digest=${chunk.digest}`);
  await say("download manifest", "GET", "/download?file-name=index.json.blob");
  await say("download missing", "GET", "/download?file-name=nope.blob");
  await say("download bad ext", "GET", "/download?file-name=owner");
  await say("download idx", "GET", "/download?file-name=root.pxar.didx");
  const sent = await ask(session.handler, "GET", `/chunk?digest=${chunk.digest}`);
  assert.deepEqual(sent.bytes, chunk.encoded);
  await say("chunk", "GET", `/chunk?digest=${chunk.digest}`);
  const speedtest = await ask(session.handler, "GET", "/speedtest");
  const text = `${speedtest.status} ${speedtest.bytes.length}${speedtest.text.slice(0, 4)}`;
  await compare.expect("speedtest", Promise.resolve(text));
  await post("POST on chunk", `/chunk?digest=${chunk.digest}`);
});

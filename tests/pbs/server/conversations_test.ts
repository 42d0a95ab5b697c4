import assert from "node:assert/strict";
import type { HttpSession } from "#src/pbs/server/session.ts";
import { ask } from "./_session_client.ts";
import { chunkOf, dynamicChecksum, noise, type Sent, ServedScene } from "./_served_scene.ts";
import { sha256Of } from "#src/codecs/hashing.ts";

/** A request of the reference's client, and what its server answered. */
interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly requestType: string;
  /** JSON, or the number of bytes. */
  readonly requestBody: string | number;
  readonly status: number;
  readonly answerType: string;
  readonly contentLength: string | undefined;
  readonly answerBody: string | number;
}

interface Message {
  headers: Record<string, string>;
  text: string;
  size: number;
}

/** Reads a record: a line for each frame, `>` from the client, `<` from the server. */
function readConversation(name: string): Exchange[] {
  const url = new URL(`../../golden/protocol/${name}.txt`, import.meta.url);
  const requests = new Map<string, Message>();
  const answers = new Map<string, Message>();
  for (const line of Deno.readTextFileSync(url).trimEnd().split("\n")) {
    const [, side, frame, stream, rest] = /^([<>]) (HEADERS|DATA) (s\d+) (.*)$/.exec(line)!;
    const messages = side === ">" ? requests : answers;
    const message = messages.get(stream!) ?? { headers: {}, text: "", size: 0 };
    messages.set(stream!, message);
    if (frame === "DATA") {
      const [, size, text] = /^len=(\d+) fl=\d+ b'(.*)'$/.exec(rest!)!;
      message.size += Number(size);
      message.text += text;
      continue;
    }
    const fields = rest!.matchAll(/(:?[a-z-]+)=(.*?)(?= :?[a-z-]+=|$)/g);
    for (const [, field, value] of fields) message.headers[field!] = value!;
  }
  return [...requests].map(([stream, { headers, text, size }]) => {
    const answer = answers.get(stream)!;
    return {
      method: headers[":method"]!,
      target: headers[":path"]!,
      requestType: headers["content-type"]!,
      requestBody: text.startsWith("{") ? text : size,
      status: Number(answer.headers[":status"]),
      answerType: answer.headers["content-type"]!,
      contentLength: answer.headers["content-length"],
      answerBody: answer.text.startsWith("{") ? answer.text : answer.size,
    };
  });
}

/**
 * Asks what the reference's client asked, with other contents of the same sizes: digests, checksums
 * and encoded sizes are theirs.
 */
class Replay {
  readonly #chunks = new Map<string, Sent>();
  readonly #blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  #writers = new Map<number, { id: number; name: string; chunks: Sent[] }>();
  #files: { filename: string; size: number; csum: string }[] = [];

  async run(name: string, session: HttpSession, id: string, type: string, time: number) {
    this.#writers = new Map();
    this.#files = [];
    const exchanges = readConversation(name);
    assert.ok(exchanges.length >= 2, name);
    for (const exchange of exchanges) {
      await this.#compare(session, exchange, { "backup-type": type, "backup-id": id, time });
    }
  }

  async #compare(
    session: HttpSession,
    exchange: Exchange,
    snapshot: { "backup-type": string; "backup-id": string; time: number },
  ): Promise<void> {
    const { method, requestType, status, answerType, answerBody } = exchange;
    const [path, query = ""] = exchange.target.split("?");
    const given = new URLSearchParams(query);
    let body: Uint8Array<ArrayBuffer> | string = "";
    let expected: string | Uint8Array | number = answerBody;
    if (path!.endsWith("_chunk")) {
      const chunk = this.#chunkFor(given.get("digest")!, Number(given.get("size")));
      given.set("digest", chunk.digest);
      given.set("encoded-size", `${chunk.encoded.length}`);
      body = chunk.encoded;
      expected = `{"data":"${chunk.digest}"}`;
    } else if (path === "/chunk") {
      const chunk = this.#chunks.get(given.get("digest")!)!;
      given.set("digest", chunk.digest);
      expected = chunk.encoded;
    } else if (path === "/blob") {
      body = this.#blobFor(given.get("file-name")!, snapshot);
      given.set("encoded-size", `${body.length}`);
    } else if (method === "POST" && path!.endsWith("_index")) {
      // Requests that were under way together got their ids in any order.
      const wid = JSON.parse(answerBody as string).data;
      const id = this.#writers.size + 1;
      this.#writers.set(wid, { id, name: given.get("archive-name")!, chunks: [] });
      expected = `{"data":${id}}`;
    } else if (path!.endsWith("_close")) {
      given.set("csum", this.#checksum(Number(given.get("wid")), Number(given.get("size"))));
    } else if (typeof exchange.requestBody === "string") {
      const list = JSON.parse(exchange.requestBody);
      const chunks = list["digest-list"].map((digest: string) => this.#chunks.get(digest)!);
      const writer = this.#writers.get(list.wid)!;
      writer.chunks.push(...chunks);
      const digests = chunks.map((chunk: Sent) => chunk.digest);
      body = JSON.stringify({ ...list, wid: writer.id, "digest-list": digests });
    } else if (path === "/previous" || path === "/download") {
      const name = given.get("archive-name") ?? given.get("file-name")!;
      expected = this.#blobs.get(name) ?? answerBody;
    }
    const writer = this.#writers.get(Number(given.get("wid")));
    if (writer !== undefined) given.set("wid", `${writer.id}`);
    const target = [...given].length === 0 ? path! : `${path}?${given}`;
    const headers = { "content-type": requestType };
    const answer = await ask(session.handler, method, target, { headers, body });
    const what = `${method} ${target}: ${answer.text.slice(0, 200)}`;
    assert.equal(answer.status, status, what);
    assert.equal(answer.headers["content-type"], answerType, what);
    if (expected instanceof Uint8Array) {
      // The server adds counts to the manifest.
      if (!target.includes("index.json.blob")) assert.deepEqual(answer.bytes, expected, what);
    } else if (typeof expected === "number") assert.equal(answer.bytes.length, expected, what);
    else assert.equal(answer.text, expected, what);
    // What is streamed has no length, and what has one has the right one.
    if (answerType === "application/octet-stream" && exchange.contentLength !== undefined) {
      assert.equal(answer.headers["content-length"], `${answer.bytes.length}`, what);
    }
  }

  #chunkFor(digest: string, size: number): Sent {
    const known = this.#chunks.get(digest);
    if (known !== undefined) return known;
    const chunk = chunkOf(noise(this.#chunks.size + 1, size));
    this.#chunks.set(digest, chunk);
    return chunk;
  }

  #checksum(wid: number, size: number): string {
    const { name, chunks } = this.#writers.get(wid)!;
    const csum = name.endsWith(".didx")
      ? dynamicChecksum(chunks)
      : sha256Of(Uint8Array.fromHex(chunks.map(({ digest }) => digest).join(""))).toHex();
    this.#files.push({ filename: name, size, csum });
    return csum;
  }

  #blobFor(
    name: string,
    { time, ...group }: { "backup-type": string; "backup-id": string; time: number },
  ): Uint8Array<ArrayBuffer> {
    const content = name === "index.json.blob"
      ? JSON.stringify({ ...group, "backup-time": time, files: this.#files })
      : "configuration";
    const { encoded } = chunkOf(new TextEncoder().encode(content));
    this.#blobs.set(name, encoded);
    return encoded;
  }
}

Deno.test("what the reference's client asked is answered as its server did", async () => {
  await using scene = new ServedScene();
  const replay = new Replay();
  const back = async (name: string, id: string, time: number, type: "host" | "vm" = "host") => {
    const session = await scene.backup({ id, type, time });
    await replay.run(name, session, id, type, time);
    await session.close();
  };
  const read = async (name: string, id: string, time: number) => {
    const session = await scene.reader({ id, time });
    await replay.run(name, session, id, "host", time);
    await session.close();
  };
  await back("backup-first", "tr", 1_704_880_800);
  await read("restore", "tr", 1_704_880_800);
  await back("backup-incremental", "tr", 1_704_880_900);
  await back("backup-image", "9", 1_704_880_900, "vm");
  await back("backup-split-first", "tr34", 1_704_880_800);
  await read("reader-for-split-metadata", "tr34", 1_704_880_800);
  await back("backup-split-metadata", "tr34", 1_704_880_900);
});

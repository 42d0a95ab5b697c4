/** Sessions over TLS and HTTP/2, with clients of this program and of others. */

import assert from "node:assert/strict";
import http2 from "node:http2";
import tls from "node:tls";
import type { HttpHandler } from "#src/net/http.ts";
import { waitUntil } from "#tests/support/process.ts";
import { assertSound } from "#tests/support/pbs_activity.ts";
import { ask } from "./_session_client.ts";
import { chunkOf, finish, noise, ServedScene, writeDynamic } from "./_served_scene.ts";
import {
  type ClientSession,
  listenForSessions,
  openSession,
  type SessionAddress,
  TEST_PROTOCOL,
} from "./_tls_sessions.ts";

const TIME = 1_800_000_000;
const NAME = "root.pxar.didx";
/** As many as the reference's client has under way, of the usual size. */
const CHUNKS = Array.from({ length: 64 }, (_, seed) => chunkOf(noise(seed + 1, 2 << 20)));

/** A session of the runtime's own HTTP/2, as another program would have it. */
async function openForeign({ port }: SessionAddress, path: string): Promise<ClientSession> {
  const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ${TEST_PROTOCOL}\r\n\r\n`,
  );
  const head = await new Promise<Uint8Array>((resolve) => socket.once("data", resolve));
  const text = new TextDecoder("latin1").decode(head);
  assert.match(text, /^HTTP\/1.1 101 /);
  const rest = head.slice(text.indexOf("\r\n\r\n") + 4);
  if (rest.length > 0) socket.unshift(rest);
  const client = http2.connect("https://x", {
    createConnection: () => socket,
    settings: { initialWindowSize: 4 << 20 },
  });
  const handler: HttpHandler = async ({ method, target, headers, body }) => {
    const bytes = await body.bytes(32 << 20);
    const stream = client.request({ ":method": method, ":path": target, ...headers }, {
      endStream: bytes.length === 0,
    });
    const answered = new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
      stream.once("response", resolve);
      stream.once("error", reject);
    });
    if (bytes.length > 0) stream.end(bytes);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    stream.on("data", (part: Uint8Array<ArrayBuffer>) => parts.push(new Uint8Array(part)));
    const ended = new Promise((resolve) => stream.once("end", resolve));
    const answer = await answered;
    await ended;
    const all = new Uint8Array(await new Blob(parts).arrayBuffer());
    return { status: Number(answer[":status"]), body: all };
  };
  return {
    handler,
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
}

const CLIENTS = {
  own: (address: SessionAddress, kind: "backup" | "reader") =>
    openSession(address, kind, "a", TIME),
  foreign: (address: SessionAddress, kind: "backup" | "reader") =>
    openForeign(address, `/${kind}?backup-id=a&backup-time=${TIME}`),
};

for (const [name, open] of Object.entries(CLIENTS)) {
  Deno.test(`64 chunks sent at once by the ${name} client all arrive, and are read again`, async () => {
    await using scene = new ServedScene();
    const { listener, address } = await listenForSessions(scene.store);
    const session = await open(address, "backup");
    await finish(session, {}, [await writeDynamic(session, NAME, CHUNKS)]);
    await session.close();
    const store = scene.open();
    assert.equal(assertSound(store), 1);
    const reader = await open(address, "reader");
    await ask(reader.handler, "GET", `/download?file-name=${NAME}`);
    await Promise.all(CHUNKS.map(async ({ digest, encoded }) => {
      const { status, bytes } = await ask(reader.handler, "GET", `/chunk?digest=${digest}`);
      assert.equal(status, 200);
      assert.deepEqual(bytes, encoded);
    }));
    const { status, text } = await ask(reader.handler, "GET", "/nope");
    assert.equal(`${status} ${text}`, "404 Path '/nope' not found.");
    await reader.close();
    // The lock goes with the connection.
    await waitUntil(
      () => {
        try {
          store.forget({ group: { ns: "" as never, type: "host", id: "a" }, time: TIME });
          return true;
        } catch {
          return false;
        }
      },
      20_000,
      () => "the snapshot stays locked",
    );
    store.close();
    await listener.close();
  });

  Deno.test(`a backup whose ${name} client goes is gone, too`, async () => {
    await using scene = new ServedScene();
    const { listener, address } = await listenForSessions(scene.store);
    const session = await open(address, "backup");
    const writing = writeDynamic(session, NAME, CHUNKS.slice(0, 20)).catch(() => {});
    const folder = `${scene.path}/host/a`;
    const entries = () => [...Deno.readDirSync(folder)].map((entry) => entry.name);
    assert.equal(entries().length, 2);
    await session.close();
    await writing;
    await waitUntil(() => entries().length === 1, 20_000, () => `${entries()}`);
    assert.deepEqual(entries(), ["owner"]);
    await listener.close();
  });
}

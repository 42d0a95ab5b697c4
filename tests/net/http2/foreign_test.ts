/** Against other implementations: nghttp2's tools, and the runtime's own in another process. */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import net, { type Socket } from "node:net";
import type { HttpHandler } from "#src/net/http.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { serveHttp2 } from "#src/net/http2/server.ts";
import { SocketConnection } from "#src/net/tls/socket_connection.ts";
import { runCommand, RunningCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;
const BODY = new Random(7).bytes(5_000_003);

function isThere(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

const isMissing = !isThere("nghttp") || !isThere("nghttpd") || !isThere("h2load");
const missing = isMissing ? " (skipped: the tools of nghttp2 are not installed)" : "";

const handler: HttpHandler = async ({ method, target, body }) => {
  const received = await body.bytes(BODY.length);
  if (target === "/big") return { status: 200, body: BODY };
  return { status: 200, headers: { "x-method": method }, body: received };
};

/** Serves on a port of this machine while `use` runs. */
async function withPort(use: (port: number) => Promise<void>): Promise<void> {
  const served: Promise<unknown>[] = [];
  const server = net.createServer((socket) => {
    served.push(serveHttp2(new SocketConnection(socket, socket, "foreign"), handler));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use((server.address() as { port: number }).port);
  } finally {
    await Promise.all(served);
    await new Promise((resolve) => server.close(resolve));
  }
}

function connect(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket: Socket = net.connect(port, "127.0.0.1", () => resolve(socket));
    socket.once("error", reject);
  });
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Connects to a server that is about to start. */
async function connectWhenThere(port: number, server: RunningCommand): Promise<Socket> {
  let hasEnded = false;
  void server.ended.then(() => hasEnded = true);
  for (;;) {
    try {
      return await connect(port);
    } catch (error) {
      if (hasEnded) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

Deno.test({
  name: `nghttp gets from our server and posts to it${missing}`,
  ignore: isMissing,
  fn: async () => {
    using place = new TempDirectory("http2");
    await Deno.writeFile(place.join("body"), BODY);
    await withPort(async (port) => {
      const url = `http://127.0.0.1:${port}`;
      for (
        const extra of [[], ["--padding=100", "--header-table-size=0"], ["-d", place.join("body")]]
      ) {
        const target = extra[0] === "-d" ? "/echo" : "/big";
        const command = [
          "sh",
          "-c",
          'exec nghttp "$@" | sha256sum',
          "nghttp",
          ...extra,
          url + target,
        ];
        const { stdout } = await runCommand(command, { timeoutMs: TIMEOUT_MS });
        equal(stdout.split(" ")[0], await sha256(BODY), extra.join(" "));
      }
    });
  },
});

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test({
  name: `h2load finds no failure in our server${missing}`,
  ignore: isMissing,
  fn: async () => {
    await withPort(async (port) => {
      const url = `http://127.0.0.1:${port}`;
      for (
        const args of [["-n2000", "-c4", "-m30", `${url}/x`], ["-n20", "-c2", "-m4", `${url}/big`]]
      ) {
        const { stdout } = await runCommand(["h2load", ...args], { timeoutMs: TIMEOUT_MS });
        const count = args[0]!.slice(2);
        match(stdout, new RegExp(`${count} succeeded, 0 failed, 0 errored, 0 timeout`));
      }
    });
  },
});

Deno.test({
  name: `our client gets from nghttpd and posts to it${missing}`,
  ignore: isMissing,
  fn: async () => {
    using place = new TempDirectory("http2");
    await Deno.writeFile(place.join("body"), BODY);
    const port = await freePort();
    const server = new RunningCommand([
      "nghttpd",
      "--no-tls",
      "--echo-upload",
      "--address=127.0.0.1",
      "-d",
      place.path,
      `${port}`,
    ]);
    try {
      const socket = await connectWhenThere(port, server);
      const client = new Http2Client(new SocketConnection(socket, socket, "nghttpd"));
      const gotten = await client.send({ method: "GET", target: "/body", timeoutMs: TIMEOUT_MS });
      equal(gotten.status, 200);
      deepEqual(await gotten.body.bytes(BODY.length), BODY);
      const answers = await Promise.all(Array.from({ length: 20 }, async (_, index) => {
        const body = BODY.slice(0, index * 100_000 + 1);
        const call = { method: "POST", target: "/echo", body, timeoutMs: TIMEOUT_MS };
        const echoed = await (await client.send(call)).body.bytes(BODY.length);
        return echoed.length === body.length && echoed.at(-1) === body.at(-1);
      }));
      ok(answers.every((isRight) => isRight));
      equal(
        (await client.send({ method: "GET", target: "/no", timeoutMs: TIMEOUT_MS })).status,
        404,
      );
      client.close();
      await client.closed;
    } finally {
      server.signalGroup("SIGKILL");
      await server.ended;
    }
  },
});

/** A client made of `node:http2`: gets and posts, many at once, and says what came. */
const NODE_CLIENT = `
import http2 from "node:http2";
const session = http2.connect("http://127.0.0.1:" + Deno.args[0]);
const ask = (method, path, size) => new Promise((resolve, reject) => {
  const stream = session.request({ ":method": method, ":path": path });
  let count = 0;
  stream.on("data", (part) => count += part.length);
  stream.on("end", () => resolve(count));
  stream.on("error", reject);
  stream.end(size === 0 ? undefined : new Uint8Array(size));
});
const sizes = Array.from({ length: 20 }, (_, index) => index * 50_000);
const posted = await Promise.all(sizes.map((size) => ask("POST", "/echo", size)));
console.log(JSON.stringify([await ask("GET", "/big", 0), posted]));
session.close();
`;

Deno.test("the runtime's own client, in a process of its own, is served", async () => {
  using place = new TempDirectory("http2");
  await Deno.writeTextFile(place.join("client.mjs"), NODE_CLIENT);
  await withPort(async (port) => {
    const command = [Deno.execPath(), "run", "--allow-net", place.join("client.mjs"), `${port}`];
    const { stdout } = await runCommand(command, { timeoutMs: TIMEOUT_MS });
    const sizes = Array.from({ length: 20 }, (_, index) => index * 50_000);
    deepEqual(JSON.parse(stdout), [BODY.length, sizes]);
  });
});

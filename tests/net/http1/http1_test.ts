/** HTTP/1.1 of both ends: between themselves, with malformed peers, and with foreign programs. */

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import { Failure, LimitError, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import type { HttpAnswer, HttpHandler, HttpRequest } from "#src/net/http.ts";
import { Http1Client } from "#src/net/http1/client.ts";
import { type Http1ServerOptions, serveHttp1 } from "#src/net/http1/server.ts";
import { fingerprintOfPem, makeCertificate } from "#src/net/tls/certificate.ts";
import { connectTls } from "#src/net/tls/connect.ts";
import { listenTls } from "#src/net/tls/listen.ts";
import { connectionPair } from "#tests/support/connection_pair.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const bytesOf = (value: string) => Uint8Array.from(value, (c) => c.charCodeAt(0));
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const TIMEOUT_MS = 20_000;

/** Answers with what it was asked. */
const ECHO: HttpHandler = async ({ method, target, headers, body }) => ({
  status: 200,
  headers: { "x-request": `${method} ${target}`, "x-host": headers["host"] ?? "" },
  body: await body.bytes(1 << 24),
});

async function everything(connection: Connection): Promise<string> {
  let all = "";
  try {
    for (let part = await connection.read(); part; part = await connection.read()) {
      all += textOf(part);
    }
  } catch {
    // Closed.
  }
  return all;
}

/** What a server answers to these bytes. */
async function answersTo(
  text: string,
  handler: HttpHandler = ECHO,
  options: Http1ServerOptions = {},
): Promise<string> {
  const [client, server] = connectionPair();
  const serving = serveHttp1(server, handler, options);
  await client.write([bytesOf(text)]);
  client.end();
  const all = await everything(client);
  await serving;
  return all;
}

async function withClient(
  handler: HttpHandler,
  use: (client: Http1Client) => Promise<void>,
  partSizes?: readonly number[],
): Promise<void> {
  const [near, far] = connectionPair(partSizes === undefined ? {} : { partSizes });
  const serving = serveHttp1(far, handler);
  const client = new Http1Client(near, "pbs.example:8007");
  await use(client);
  client.close();
  await serving;
}

/** What a client makes of this answer. */
async function readingOf(answer: string, method = "GET"): Promise<string> {
  const [near, far] = connectionPair({ partSizes: [1, 7, 2] });
  const client = new Http1Client(near, "x");
  const sent = client.send({ method, target: "/", timeoutMs: TIMEOUT_MS });
  sent.catch(() => {});
  await far.read();
  await far.write([bytesOf(answer)]);
  far.end();
  const { status, body } = await sent;
  return `${status} ${textOf(await body.bytes(1000))}`;
}

Deno.test("Requests one after the other on one connection, in parts of any size", async () => {
  for (const partSizes of [undefined, [1], [3, 1, 500, 2]]) {
    await withClient(ECHO, async (client) => {
      for (const size of [0, 1, 5_000]) {
        const body = new Uint8Array(size).fill(97);
        const answer = await client.send({
          method: "POST",
          target: "/a?b=c%20d",
          headers: { "content-type": "text/plain" },
          body,
          timeoutMs: TIMEOUT_MS,
        });
        equal(answer.status, 200);
        equal(answer.headers["x-request"], "POST /a?b=c%20d");
        equal(answer.headers["x-host"], "pbs.example:8007");
        equal(answer.body.length, size);
        deepEqual(await answer.body.bytes(10_000), body);
      }
      equal(client.isUsable, true);
    }, partSizes);
  }
});

Deno.test("Bodies of unknown length are chunked; one that fails in the middle is no short success", async () => {
  async function* parts(fails: boolean) {
    yield bytesOf("one,");
    yield new Uint8Array();
    await Promise.resolve();
    if (fails) throw new Error("disk");
    yield bytesOf("two");
  }
  await withClient(
    ({ target }) => Promise.resolve({ status: 200, body: parts(target === "/fails") }),
    async (client) => {
      const good = await client.send({ method: "GET", target: "/", timeoutMs: TIMEOUT_MS });
      equal(good.body.length, undefined);
      equal(textOf(await good.body.bytes(100)), "one,two");
      const bad = await client.send({ method: "GET", target: "/fails", timeoutMs: TIMEOUT_MS });
      await rejects(bad.body.bytes(100), ProtocolError);
      equal(client.isUsable, false);
    },
  );
});

Deno.test("A caller may begin the next request before it has read the answer, which waits its turn", async () => {
  await withClient(ECHO, async (client) => {
    const call = (target: string) =>
      client.send({ method: "PUT", target, body: bytesOf(target), timeoutMs: TIMEOUT_MS });
    const answers = await Promise.all(["/1", "/2", "/3"].map(async (target) => {
      const { body } = await call(target);
      return textOf(await body.bytes(10));
    }));
    deepEqual(answers, ["/1", "/2", "/3"]);
    // What nobody wants is read over, or the connection is given up.
    (await call("/4")).body.discard();
    equal(textOf(await (await call("/5")).body.bytes(10)), "/5");
  });
});

Deno.test("Pipelined requests are answered in their order", async () => {
  const request = (n: number) => `GET /${n} HTTP/1.1\r\nHost: h\r\n\r\n`;
  const all = await answersTo(request(1) + request(2) + "\r\n" + request(3));
  deepEqual([...all.matchAll(/x-request: GET \/(\d)/gu)].map(([, n]) => n), ["1", "2", "3"]);
});

Deno.test("What could be understood in two ways is refused, and ends the connection", async () => {
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  const post = (fields: string) => `POST / HTTP/1.1\r\nHost: h\r\n${fields}\r\n${smuggled}`;
  const cases: [string, number][] = [
    [post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400],
    [post("Content-Length: 5\r\nContent-Length: 5\r\n"), 400],
    [post("Content-Length: 5, 5\r\n"), 400],
    [post("Content-Length: +5\r\n"), 400],
    [post("Content-Length: 0x5\r\n"), 400],
    [post("Content-Length: 9999999999999999\r\n"), 400],
    [post("Transfer-Encoding: gzip, chunked\r\n"), 400],
    [post("Transfer-Encoding: xchunked\r\n"), 400],
    [post("Transfer-Encoding : chunked\r\n"), 400],
    [post("X: a\r\n Transfer-Encoding: chunked\r\n"), 400],
    [post("X: a\nTransfer-Encoding: chunked\r\n"), 400],
    [post("X: a\rTransfer-Encoding: chunked\r\n"), 400],
    [post("X: a\0b\r\n"), 400],
    [post("Host: other\r\n"), 400],
    ["GET / HTTP/1.1\r\n\r\n" + smuggled, 400],
    ["GET  / HTTP/1.1\r\nHost: h\r\n\r\n" + smuggled, 400],
    ["GET http:// HTTP/1.1\r\nHost: h\r\n\r\n" + smuggled, 400],
    ["get / HTTP/1.1\r\nHost: h\r\n\r\n" + smuggled, 400],
    ["GET /\r\n\r\n" + smuggled, 400],
    ["GET / HTTP/1.7\r\nHost: h\r\n\r\n" + smuggled, 505],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    [post("Expect: the-unexpected\r\n"), 417],
    ["GET / HTTP/1.1\r\nHost: h\r\n" + "X: y\r\n".repeat(101) + "\r\n", 431],
    [`GET / HTTP/1.1\r\nHost: h\r\nX: ${"y".repeat(40_000)}\r\n\r\n`, 431],
    [`GET /${"y".repeat(40_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, 431],
  ];
  for (const [text, status] of cases) {
    const malformed: number[] = [];
    const all = await answersTo(text, ECHO, { onMalformed: (_, status) => malformed.push(status) });
    match(all, new RegExp(`^HTTP/1\\.1 ${status} `, "u"), text.slice(0, 100));
    match(all, /\r\nconnection: close\r\n/u);
    equal(all.includes("smuggled"), false, text.slice(0, 100));
    deepEqual(malformed, [status]);
  }
});

Deno.test("Chunks that lie about their size end the connection", async () => {
  const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const good = await answersTo(head + "3;name=x\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
  match(good, /^HTTP\/1\.1 200 .*abcde$/su);
  for (
    const bad of [
      "3\r\nabcd\r\n0\r\n\r\n",
      "-1\r\nabc\r\n0\r\n\r\n",
      "fffffffff\r\nabc\r\n0\r\n\r\n",
      "3\nabc\r\n0\r\n\r\n",
      "3" + ";x".repeat(1000) + "\r\nabc\r\n0\r\n\r\n",
      "3\r\nab",
      "0\r\n" + "T: x\r\n".repeat(40) + "\r\n",
    ]
  ) {
    const failures: unknown[] = [];
    const all = await answersTo(head + bad, ECHO, { onFailure: (error) => failures.push(error) });
    equal(all.includes("200 OK"), false, bad.slice(0, 40));
    ok(failures[0] instanceof ProtocolError, bad.slice(0, 40));
  }
});

Deno.test("A body is taken up to the handler's limit; what is left of it is read over or ends the connection", async () => {
  const small: HttpHandler = async ({ body }) => {
    try {
      return { status: 200, body: await body.bytes(10) };
    } catch (error) {
      if (error instanceof LimitError) return { status: 413 };
      throw error;
    }
  };
  const post = (size: number) =>
    `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`;
  const twice = await answersTo(post(11) + post(3), small);
  deepEqual([...twice.matchAll(/HTTP\/1\.1 (\d+)/gu)].map(([, status]) => status), ["413", "200"]);
  const large = await answersTo(post(300_000) + post(3), small);
  deepEqual([...large.matchAll(/HTTP\/1\.1 (\d+)/gu)].map(([, status]) => status), ["413"]);
});

Deno.test("Expect: 100-continue gets its word when the body is read, and an early answer without it", async () => {
  const head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  match(await answersTo(head + "ab"), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 .*ab$/su);
  const refused = await answersTo(head, () => Promise.resolve({ status: 401 }));
  match(refused, /^HTTP\/1\.1 401 .*connection: close\r\n/su);
});

Deno.test("HEAD, 204, HTTP/1.0 and absolute targets", async () => {
  const handler: HttpHandler = ({ target }) =>
    Promise.resolve({ status: target === "/none" ? 204 : 200, body: bytesOf("body") });
  match(
    await answersTo("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", handler),
    /content-length: 4\r\n.*\r\n\r\n$/su,
  );
  const none = await answersTo("GET /none HTTP/1.1\r\nHost: h\r\n\r\n", handler);
  equal(/content-length|body/u.test(none), false);
  match(
    await answersTo("GET / HTTP/1.0\r\n\r\n", handler),
    /connection: close\r\n\r\nbody$/u,
  );
  match(
    await answersTo("GET https://h/abs?x HTTP/1.1\r\nHost: h\r\n\r\n"),
    /x-request: GET \/abs\?x\r\n/u,
  );
});

Deno.test("What a handler throws is status 500 without its words, and goes to the log", async () => {
  const failures: unknown[] = [];
  const all = await answersTo(
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    () => Promise.reject(new Error("secret")),
    { onFailure: (error) => failures.push(error) },
  );
  match(all, /^HTTP\/1\.1 500 .*internal error$/su);
  equal((failures[0] as Error).message, "secret");
});

Deno.test("A peer that says nothing, or drips, is given up", async () => {
  const cases: [string, Http1ServerOptions][] = [
    ["", { idleTimeoutMs: 50 }],
    ["GET / HT", { headTimeoutMs: 50 }],
    ["POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na", { bodyTimeoutMs: 50 }],
    ["POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na", { bodyTotalTimeoutMs: 50 }],
  ];
  for (const [text, options] of cases) {
    const [client, server] = connectionPair();
    const serving = serveHttp1(server, ECHO, options);
    await client.write([bytesOf(text)]);
    await serving;
    equal(/200/u.test(await everything(client)), false);
  }
  const [near] = connectionPair();
  const client = new Http1Client(near, "x");
  await rejects(
    client.send({ method: "GET", target: "/", timeoutMs: 50 }),
    (error: unknown) =>
      error instanceof ProtocolError && error.code === "timeout" && error.isTemporary,
  );
});

Deno.test("A server that stops answers what is under way, and closes what is idle", async () => {
  const stopping = new AbortController();
  const [idle, idleFar] = connectionPair();
  const idleServing = serveHttp1(idleFar, ECHO, { stopping: stopping.signal });
  const [busy, busyFar] = connectionPair();
  let answer!: (answer: HttpAnswer) => void;
  let asked!: () => void;
  const wasAsked = new Promise<void>((resolve) => asked = resolve);
  const busyServing = serveHttp1(busyFar, () => {
    asked();
    return new Promise((resolve) => answer = resolve);
  }, { stopping: stopping.signal });
  await busy.write([bytesOf("GET / HTTP/1.1\r\nHost: h\r\n\r\n")]);
  await wasAsked;
  stopping.abort();
  await idleServing;
  equal(await everything(idle), "");
  answer({ status: 200, body: bytesOf("done") });
  const reading = everything(busy);
  busy.end();
  match(await reading, /connection: close\r\n\r\ndone$/u);
  await busyServing;
});

Deno.test("An upgrade hands over the connection with what was sent too early", async () => {
  let request!: HttpRequest;
  const [near, far] = connectionPair();
  const handed = new Promise<Connection>((resolve) => {
    void serveHttp1(far, (asked) => {
      request = asked;
      return Promise.resolve({ status: 101, headers: { upgrade: "proto-v1" }, upgrade: resolve });
    });
  });
  const early =
    "GET /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: proto-v1\r\n\r\nearly";
  await near.write([bytesOf(early)]);
  const connection = await handed;
  equal(request.headers["upgrade"], "proto-v1");
  equal(textOf((await connection.read())!), "early");
  connection.destroy();

  await withClient(({ target }) =>
    Promise.resolve(
      target === "/no" ? { status: 400, body: bytesOf("missing Upgrade header") } : {
        status: 101,
        headers: { upgrade: target === "/other" ? "other" : "proto-v1" },
        upgrade: (connection) => void connection.write([bytesOf("hello")]),
      },
    ), async (client) => {
    const upgrade = (target: string) =>
      client.upgrade({ method: "GET", target, timeoutMs: TIMEOUT_MS }, "proto-v1");
    const refused = await upgrade("/no");
    ok("answer" in refused);
    equal(textOf(await refused.answer.body.bytes(100)), "missing Upgrade header");
    const result = await upgrade("/");
    ok("connection" in result);
    equal(textOf((await result.connection.read())!), "hello");
    equal(client.isUsable, false);
    await rejects(client.send({ method: "GET", target: "/", timeoutMs: 100 }), ProtocolError);
  });
  await withClient(
    () => Promise.resolve({ status: 101, headers: { upgrade: "other" }, upgrade: () => {} }),
    async (client) => {
      await rejects(
        client.upgrade({ method: "GET", target: "/", timeoutMs: TIMEOUT_MS }, "proto-v1"),
        ProtocolError,
      );
    },
  );
});

Deno.test("A client takes whole answers only", async () => {
  equal(await readingOf("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), "200 abc");
  equal(await readingOf("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "200 ");
  equal(await readingOf("HTTP/1.1 204 No Content\r\n\r\n"), "204 ");
  equal(
    await readingOf(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ),
    "200 a",
  );
  for (
    const bad of [
      "",
      "HTTP/1.1 200 OK\r\nContent-Le",
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      "HTTP/1.1 200 OK\r\n\r\nuntil the end",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "HTTP/2 200\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n".repeat(20),
      `HTTP/1.1 200 OK\r\nX: ${"y".repeat(40_000)}\r\n\r\n`,
    ]
  ) {
    await rejects(readingOf(bad), ProtocolError, bad.slice(0, 60));
  }
});

Deno.test("Fields that would break the head are refused before anything is sent", async () => {
  await withClient(ECHO, async (client) => {
    const headers = { cookie: "a\r\nx: y" };
    await rejects(
      client.send({ method: "GET", target: "/", headers, timeoutMs: TIMEOUT_MS }),
      { code: "usage" },
    );
  });
});

Deno.test("A request is ended by its signal", async () => {
  const abort = new AbortController();
  await withClient(() => new Promise(() => {}), async (client) => {
    const sent = client.send({
      method: "GET",
      target: "/",
      timeoutMs: TIMEOUT_MS,
      signal: abort.signal,
    });
    abort.abort();
    await rejects(sent, { code: "interrupted" });
  });
});

Deno.test("Whatever bytes come, both ends end with a typed error or an answer", async () => {
  const fragments = fc.constantFrom(
    "GET / HTTP/1.1\r\n",
    "POST /x HTTP/1.1\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n",
    "Host: h\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "\r\n",
    "3\r\nabc\r\n",
    "0\r\n",
    "abc",
    ":",
    "\0",
  );
  const noise = fc.uint8Array({ maxLength: 20 }).map((bytes) => textOf(bytes));
  const text = fc.array(fc.oneof({ weight: 9, arbitrary: fragments }, noise), { maxLength: 14 })
    .map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, async (text) => {
      const all = await answersTo(text, ECHO, {
        onFailure: (error) => ok(error instanceof Failure),
      });
      ok(all === "" || all.startsWith("HTTP/1.1 "), all);
      try {
        match(await readingOf(text), /^\d{3} /u);
      } catch (error) {
        ok(error instanceof Failure, String(error));
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("curl over TLS: keep-alive, bodies in both directions, and a redirect from plain HTTP", async () => {
  using directory = new TempDirectory("http1");
  const certificate = await makeCertificate({ hosts: ["localhost"], from: new Date(), days: 1 });
  let connections = 0;
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    certificate,
    onConnection: (connection) => {
      connections++;
      void serveHttp1(connection, ECHO);
    },
  });
  try {
    const url = `127.0.0.1:${listener.port}`;
    const upload = directory.join("upload");
    await Deno.writeFile(upload, new Uint8Array(3_000_000).fill(98));
    const run = async (...args: string[]) => {
      const { stdout, code } = await new Deno.Command("curl", {
        args: ["--silent", "--show-error", "--insecure", "--http1.1", ...args],
        stderr: "inherit",
      }).output().catch(() => ({ stdout: new Uint8Array(), code: -1 }));
      return { stdout, code };
    };
    const first = await run("--data-binary", `@${upload}`, `https://${url}/1`, `https://${url}/2`);
    if (first.code === -1) return; // There is no curl.
    equal(first.code, 0);
    equal(first.stdout.length, 6_000_000);
    equal(connections, 1);
    const chunked = ["-H", "Transfer-Encoding: chunked", "-T", upload];
    equal((await run(...chunked, `https://${url}/3`)).stdout.length, 3_000_000);
    const redirected = await run(
      "--location",
      "--write-out",
      "%{url_effective}",
      `http://${url}/r`,
    );
    equal(textOf(redirected.stdout), `https://${url}/r`);
  } finally {
    await listener.close();
  }
});

Deno.test("A client over TLS talks to Deno's server", async () => {
  const pair = await makeCertificate({ hosts: ["localhost"], from: new Date(), days: 1 });
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: pair.certificate,
    key: pair.key,
    onListen: () => {},
  }, async (request) => {
    const bytes = await request.bytes();
    const stream = new URL(request.url).pathname === "/stream";
    return new Response(stream ? new Blob([bytes, bytes]).stream() : bytes);
  });
  const fingerprint = await fingerprintOfPem(pair.certificate);
  const connection = await connectTls({
    host: "127.0.0.1",
    port: server.addr.port,
    trust: { fingerprint, authorities: [] },
  });
  const client = new Http1Client(connection, `127.0.0.1:${server.addr.port}`);
  const body = crypto.getRandomValues(new Uint8Array(60_000));
  for (const target of ["/stream", "/", "/stream"]) {
    const answer = await client.send({ method: "POST", target, body, timeoutMs: TIMEOUT_MS });
    const got = await answer.body.bytes(1 << 20);
    deepEqual(got.subarray(0, body.length), body);
    equal(got.length, target === "/" ? body.length : 2 * body.length);
  }
  client.close();
  await server.shutdown();
});

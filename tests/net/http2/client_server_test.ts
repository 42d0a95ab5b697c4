import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { LimitError, ProtocolError } from "#src/errors.ts";
import type { HttpAnswer, HttpHandler, HttpRequest, HttpResult } from "#src/net/http.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { type Http2ServerOptions, serveHttp2 } from "#src/net/http2/server.ts";
import { connectionPair } from "#tests/support/connection_pair.ts";
import { Random } from "#tests/support/property_random.ts";

const TIMEOUT_MS = 20_000;
const MIB = 1 << 20;
const PART_SIZES = [1, 3, 9, 70, 4096, 16_384, 65_537];

function text(body: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(body);
}

/** Gives a client of a server with that handler, and sees to it that both end. */
async function withServer(
  handler: HttpHandler,
  use: (client: Http2Client, served: Promise<ProtocolError | undefined>) => Promise<void>,
  options: Http2ServerOptions & { readonly partSizes?: readonly number[] } = {},
): Promise<void> {
  const [a, b] = connectionPair({ partSizes: options.partSizes ?? [] });
  const served = serveHttp2(b, handler, options);
  const client = new Http2Client(a);
  try {
    await use(client, served);
  } finally {
    client.close();
    await client.closed;
    await served;
  }
}

function get(client: Http2Client, target: string, signal?: AbortSignal): Promise<HttpResult> {
  const call = { method: "GET", target, timeoutMs: TIMEOUT_MS };
  return client.send(signal === undefined ? call : { ...call, signal });
}

async function echo(request: HttpRequest): Promise<HttpAnswer> {
  const { method, target, headers } = request;
  const body = await request.body.bytes(64 * MIB);
  return { status: 200, headers: { "x-said": `${method} ${target} ${headers["x-mine"]}` }, body };
}

Deno.test("a request and its answer carry method, path, fields and bodies both ways", async () => {
  await withServer(echo, async (client) => {
    const body = new Random(1).bytes(3 * MIB + 5);
    const result = await client.send({
      method: "POST",
      target: "/a?b=c%20d",
      headers: { "x-mine": "ü" },
      body,
      timeoutMs: TIMEOUT_MS,
    });
    equal(result.status, 200);
    equal(result.headers["x-said"], "POST /a?b=c%20d ü");
    ok(Math.abs(Date.parse(result.headers["date"]!) - Date.now()) < TIMEOUT_MS);
    equal(result.body.length, body.length);
    deepEqual(await result.body.bytes(4 * MIB), body);
  }, { partSizes: PART_SIZES });
});

Deno.test("more requests at once than the server allows wait for their turn", async () => {
  let running = 0;
  let runningMax = 0;
  await withServer(async (request) => {
    runningMax = Math.max(runningMax, ++running);
    await request.body.bytes(MIB);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return { status: 200, body: text(request.target) };
  }, async (client) => {
    // The limit is known from the first answer on.
    await (await get(client, "/first")).body.bytes(100);
    const targets = Array.from({ length: 50 }, (_, index) => `/${index}`);
    const bodies = await Promise.all(targets.map(async (target) => {
      const { body } = await get(client, target);
      return new TextDecoder().decode(await body.bytes(100));
    }));
    deepEqual(bodies, targets);
  }, { limits: { maxConcurrentStreams: 4 } });
  ok(runningMax <= 4, `${runningMax}`);
});

Deno.test("a body larger than all windows flows only as it is read", async () => {
  const size = 40 * MIB;
  let sent = 0;
  async function* parts() {
    for (; sent < size; sent += MIB) yield new Uint8Array(MIB).fill(sent / MIB);
  }
  await withServer(() => Promise.resolve({ status: 200, body: parts() }), async (client) => {
    const { body } = await get(client, "/");
    // Whatever is going to be sent without being read is sent by then.
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setTimeout(resolve));
    ok(sent <= 18 * MIB, `${sent} bytes were sent that nobody has read`);
    let at = 0;
    for (let part = await body.read(); part !== undefined; part = await body.read()) {
      for (let i = 0; i < part.length; i += 4096) equal(part[i], Math.floor((at + i) / MIB));
      at += part.length;
    }
    equal(at, size);
  });
});

Deno.test("the memory of what was copied into its reader's is free at once", async () => {
  const [a, b] = connectionPair();
  const read = b.read.bind(b);
  const received: Uint8Array[] = [];
  b.read = async () => {
    // As a socket does: each time memory of its own.
    const bytes = (await read())?.slice();
    if (bytes !== undefined) received.push(bytes);
    return bytes;
  };
  const parts = 64;
  const content = new Random(3).bytes(parts * 65_536);
  let freed = 0;
  let taken: Uint8Array | undefined;
  const served = serveHttp2(b, async ({ body }) => {
    const target = new Uint8Array(content.length);
    taken = target.subarray(0, await body.readInto(target));
    freed = received.filter(({ length }) => length === 0).length;
    return { status: 200 };
  });
  const client = new Http2Client(a);
  const call = { method: "POST", target: "/", body: content, timeoutMs: TIMEOUT_MS };
  await (await client.send(call)).body.bytes(100);
  deepEqual(taken, content);
  ok(freed * 2 > received.length, `${freed} of ${received.length} are free`);
  client.close();
  await client.closed;
  await served;
});

Deno.test("a body of unknown length that does not fit its reader's memory is given up", async () => {
  async function* parts() {
    for (let part = 0; part < 40; part++) yield await Promise.resolve(bytesOf(part));
  }
  const bytesOf = (part: number) => new Uint8Array(1000).fill(part);
  await withServer(() => Promise.resolve({ status: 200, body: parts() }), async (client) => {
    const { body } = await get(client, "/");
    await rejects(body.readInto(new Uint8Array(20_500)), LimitError);
    const fitting = new Uint8Array(40_001);
    equal(await (await get(client, "/")).body.readInto(fitting), 40_000);
    deepEqual([fitting[0], fitting[20_500], fitting[39_999]], [0, 20, 39]);
  });
});

Deno.test("an interrupted request ends at the server, too", async () => {
  const heard = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  await withServer(async ({ signal }) => {
    began.resolve();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    heard.resolve();
    return { status: 200 };
  }, async (client) => {
    const stop = new AbortController();
    const answer = get(client, "/", stop.signal);
    await began.promise;
    stop.abort();
    await rejects(answer, (error) => error instanceof ProtocolError && error.code === "CANCEL");
    await heard.promise;
  });
});

Deno.test("an answer that does not come in time is a temporary failure; others go on", async () => {
  const stuck = Promise.withResolvers<HttpAnswer>();
  await withServer(
    ({ target }) => target === "/stuck" ? stuck.promise : Promise.resolve({ status: 204 }),
    async (client) => {
      await rejects(
        client.send({ method: "GET", target: "/stuck", timeoutMs: 30 }),
        (error) => error instanceof ProtocolError && error.code === "timeout" && error.isTemporary,
      );
      equal((await get(client, "/")).status, 204);
      stuck.resolve({ status: 200 });
    },
  );
});

Deno.test("a body that breaks off at the server is an error for who reads it", async () => {
  const errors: unknown[] = [];
  async function* broken() {
    yield text("half");
    await Promise.resolve();
    throw new Error("disk");
  }
  const handler: HttpHandler = ({ target }) =>
    Promise.resolve({
      status: 200,
      ...target === "/short" ? { headers: { "content-length": "9" }, body: text("half") } : {
        body: broken(),
      },
    });
  await withServer(handler, async (client) => {
    for (const target of ["/broken", "/short"]) {
      await rejects(async () => await (await get(client, target)).body.bytes(100), ProtocolError);
    }
    equal(errors.length, 2);
  }, { onError: (error) => errors.push(error) });
});

Deno.test("a handler that throws is answered with 500, and told of", async () => {
  const errors: unknown[] = [];
  const failing = () => Promise.reject(new Error("secret"));
  await withServer(failing, async (client) => {
    const { status, body } = await get(client, "/");
    equal(status, 500);
    equal(new TextDecoder().decode(await body.bytes(100)), "internal error");
    deepEqual(errors.map(String), ["Error: secret"]);
  }, { onError: (error) => errors.push(error) });
});

Deno.test("an answer may come before the request was read, and be larger than wanted", async () => {
  await withServer(
    () => Promise.resolve({ status: 400, body: text("no thanks") }),
    async (client) => {
      for (let round = 0; round < 5; round++) {
        const result = await client.send({
          method: "POST",
          target: "/",
          body: new Uint8Array(20 * MIB),
          timeoutMs: TIMEOUT_MS,
        });
        equal(result.status, 400);
        if (round % 2 === 0) await rejects(result.body.bytes(3), LimitError);
        else equal((await result.body.bytes(100)).length, 9);
      }
    },
  );
});

Deno.test("HEAD and 204 have no body, whatever length is told", async () => {
  const handler: HttpHandler = () => Promise.resolve({ status: 200, body: text("12345") });
  await withServer(handler, async (client) => {
    const { headers, body } = await client.send({ method: "HEAD", target: "/", timeoutMs: 9_999 });
    equal(headers["content-length"], "5");
    equal(await body.read(), undefined);
  });
});

Deno.test("a server that leaves answers what is under way", async () => {
  const leaving = new AbortController();
  const gate = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  await withServer(async () => {
    began.resolve();
    await gate.promise;
    return { status: 200, body: text("done") };
  }, async (client, served) => {
    const answer = get(client, "/");
    await began.promise;
    leaving.abort();
    // The answer to this one tells that the client knows.
    await rejects(
      async () => {
        for (;;) await client.send({ method: "GET", target: "/late", timeoutMs: 50 });
      },
      (error) => error instanceof ProtocolError && error.isTemporary,
    );
    gate.resolve();
    equal(new TextDecoder().decode(await (await answer).body.bytes(9)), "done");
    equal(await served, undefined);
    await rejects(get(client, "/"), ProtocolError);
  }, { signal: leaving.signal });
});

Deno.test("a connection that is lost fails every request, and aborts what handlers do", async () => {
  const [a, b] = connectionPair();
  const signals: AbortSignal[] = [];
  const began = Promise.withResolvers<void>();
  const served = serveHttp2(b, async ({ signal }) => {
    signals.push(signal);
    if (signals.length === 5) began.resolve();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    return { status: 200 };
  });
  const client = new Http2Client(a);
  const answers = Array.from({ length: 5 }, (_, index) => get(client, `/${index}`));
  await began.promise;
  b.destroy();
  for (const answer of await Promise.allSettled(answers)) {
    ok(answer.status === "rejected" && (answer.reason as ProtocolError).isTemporary);
  }
  await client.closed;
  ok(await served instanceof ProtocolError);
  ok(signals.every(({ aborted }) => aborted));
});

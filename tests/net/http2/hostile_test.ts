/** Peers that break the rules, or keep them and mean harm: frames are written by hand. */

import { equal, ok, rejects } from "node:assert/strict";
import { ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import type { HttpHandler } from "#src/net/http.ts";
import { Http2Client } from "#src/net/http2/client.ts";
import { errorName } from "#src/net/http2/error_code.ts";
import {
  CLIENT_PREFACE,
  frameOf,
  getUint32,
  goAwayFrame,
  headersFrames,
  pingFrame,
  resetFrame,
  settingsFrame,
  windowUpdateFrame,
} from "#src/net/http2/frame.ts";
import { encodeHeaderBlock } from "#src/net/http2/hpack_encoder.ts";
import type { HeaderField } from "#src/net/http2/hpack_table.ts";
import { type Http2ServerOptions, serveHttp2 } from "#src/net/http2/server.ts";
import { DEFAULT_SETTINGS } from "#src/net/http2/settings.ts";
import { connectionPair } from "#tests/support/connection_pair.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const GET: HeaderField[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/"],
  [":authority", "a"],
];
const POST: HeaderField[] = [[":method", "POST"], ...GET.slice(1)];
const NOTHING = new Uint8Array();

function request(id: number, fields: readonly HeaderField[] = GET, ends = true): Bytes[] {
  return headersFrames(id, encodeHeaderBlock(fields), ends, 16_384);
}

function repeated(count: number, make: (index: number) => Bytes[]): Bytes[] {
  return Array.from({ length: count }, (_, index) => make(index)).flat();
}

/** Reads to the end. @returns the frames as `TYPE STREAM CODE`, where they have a code */
async function framesOf(connection: Connection): Promise<string[]> {
  const parts: number[] = [];
  try {
    for (let part = await connection.read(); part !== undefined; part = await connection.read()) {
      for (const byte of part) parts.push(byte);
    }
  } catch {
    // Cut: what came until then is looked at.
  }
  const bytes = Uint8Array.from(parts);
  const frames: string[] = [];
  for (let at = bytes[0] === CLIENT_PREFACE[0] ? 24 : 0; at + 9 <= bytes.length;) {
    const size = getUint32(bytes, at) >>> 8;
    const type = bytes[at + 3]!;
    const id = getUint32(bytes, at + 5);
    const name = { 3: "RST_STREAM", 7: "GOAWAY" }[type];
    const code = getUint32(bytes, at + 9 + (type === 7 ? 4 : 0));
    frames.push(name === undefined ? `${type} ${id}` : `${name} ${id} ${errorName(code)}`);
    at += 9 + size;
  }
  return frames;
}

interface Outcome {
  readonly failure: ProtocolError | undefined;
  readonly frames: readonly string[];
  readonly handled: number;
}

const reading: HttpHandler = async ({ body }) => {
  await body.bytes(1 << 20);
  return { status: 200 };
};

/** Takes no body, and answers when nobody waits any more. */
const waiting: HttpHandler = async ({ signal }) => {
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  return { status: 200 };
};

/** What a server does with a client that sends this and then ends. */
async function attack(
  frames: readonly Bytes[],
  options: Http2ServerOptions & { readonly staysOpen?: boolean } = {},
  handler = reading,
): Promise<Outcome> {
  const [a, b] = connectionPair();
  let handled = 0;
  const served = serveHttp2(b, (request) => {
    handled++;
    return handler(request);
  }, options);
  const heard = framesOf(a);
  const settings = settingsFrame(DEFAULT_SETTINGS);
  await a.write([CLIENT_PREFACE, settings, ...frames]).catch(() => {});
  if (options.staysOpen !== true) a.end();
  void heard.then(() => a.end());
  const failure = await served;
  return { failure, frames: await heard, handled };
}

const BOMB = [
  Uint8Array.of(0x40, 1, 97, 0x7f, 0xa1, 0x1e),
  new Uint8Array(4000).fill(98),
  new Uint8Array(12_000).fill(0xbe),
];

/** Each with the error of the connection. */
const CONNECTION_ATTACKS: readonly [string, string, Bytes[]][] = [
  ["DATA on a stream that nobody opened", "PROTOCOL_ERROR", [frameOf(0, 0, 1, NOTHING)]],
  ["WINDOW_UPDATE on such a stream", "PROTOCOL_ERROR", [windowUpdateFrame(3, 9)]],
  ["RST_STREAM on such a stream", "PROTOCOL_ERROR", [resetFrame(5, 8)]],
  ["a request on an even stream", "PROTOCOL_ERROR", request(2)],
  ["a stream below an earlier one", "STREAM_CLOSED", [...request(5), ...request(3)]],
  ["a window opened by nothing", "PROTOCOL_ERROR", [windowUpdateFrame(0, 0)]],
  ["a window beyond 2^31 - 1", "FLOW_CONTROL_ERROR", [windowUpdateFrame(0, 0x7fff_ffff)]],
  ["an initial window beyond it", "FLOW_CONTROL_ERROR", [
    frameOf(4, 0, 0, Uint8Array.of(0, 4, 0x80, 0, 0, 0)),
  ]],
  ["a frame size below the least", "PROTOCOL_ERROR", [
    frameOf(4, 0, 0, Uint8Array.of(0, 5, 0, 0, 0x3f, 0xff)),
  ]],
  ["a pushed answer", "PROTOCOL_ERROR", [...request(1), frameOf(5, 4, 1, new Uint8Array(8))]],
  ["header compression that refers to nothing", "COMPRESSION_ERROR", [
    frameOf(1, 5, 1, Uint8Array.of(0xbe)),
  ]],
  ["more DATA than the connection's window", "FLOW_CONTROL_ERROR", [
    ...request(1, POST, false),
    ...request(3, POST, false),
    ...repeated(3, (index) => [frameOf(0, 0, index === 1 ? 3 : 1, new Uint8Array(60_000))]),
  ]],
  [
    "PING without end",
    "ENHANCE_YOUR_CALM",
    repeated(9000, () => [
      pingFrame(new Uint8Array(8), false),
    ]),
  ],
  [
    "SETTINGS without end",
    "ENHANCE_YOUR_CALM",
    repeated(9000, () => [
      settingsFrame(DEFAULT_SETTINGS),
    ]),
  ],
  [
    "unknown frames without end",
    "ENHANCE_YOUR_CALM",
    repeated(9000, () => [
      frameOf(77, 0, 0, NOTHING),
    ]),
  ],
  ["empty DATA without end", "ENHANCE_YOUR_CALM", [
    ...request(1, POST, false),
    ...repeated(9000, () => [frameOf(0, 0, 1, NOTHING)]),
  ]],
  [
    "windows opened byte by byte",
    "ENHANCE_YOUR_CALM",
    repeated(9000, () => [
      windowUpdateFrame(0, 1),
    ]),
  ],
  [
    "streams opened and reset",
    "ENHANCE_YOUR_CALM",
    repeated(5000, (index) => [
      ...request(2 * index + 1),
      resetFrame(2 * index + 1, 8),
    ]),
  ],
  [
    "more streams than are allowed",
    "ENHANCE_YOUR_CALM",
    repeated(5000, (index) => request(2 * index + 1, POST, false)),
  ],
  [
    "malformed requests without end",
    "ENHANCE_YOUR_CALM",
    repeated(5000, (index) => request(2 * index + 1, GET.slice(1))),
  ],
];

for (const [what, code, frames] of CONNECTION_ATTACKS) {
  Deno.test(`${what}: the connection ends with ${code}`, async () => {
    const { failure, frames: answer, handled } = await attack(frames, {
      limits: { connectionWindowSize: 100_000, streamWindowSize: 100_000 },
    }, waiting);
    equal(failure?.code, code, failure?.message);
    ok(answer.at(-1)?.endsWith(code), `the last frame was ${answer.at(-1)}`);
    ok(handled < 1000, `${handled} requests were handled`);
  });
}

const STREAM_ATTACKS: readonly [string, string, Bytes[]][] = [
  ["capitals in names", "PROTOCOL_ERROR", request(1, [...GET, ["Ab", "c"]])],
  ["a line end in a value", "PROTOCOL_ERROR", request(1, [...GET, ["a", "b\r\nc: d"]])],
  ["fields of the connection", "PROTOCOL_ERROR", request(1, [...GET, ["connection", "close"]])],
  ["no method", "PROTOCOL_ERROR", request(1, GET.slice(1))],
  ["two paths", "PROTOCOL_ERROR", request(1, [...GET, [":path", "/b"]])],
  ["a path that is none", "PROTOCOL_ERROR", request(1, [...GET.slice(0, 2), [":path", "a b"]])],
  ["a pseudo-field behind others", "PROTOCOL_ERROR", request(1, [["a", "b"], ...GET])],
  ["an unknown pseudo-field", "PROTOCOL_ERROR", request(1, [...GET, [":status", "200"]])],
  ["a length that is no number", "PROTOCOL_ERROR", request(1, [...GET, ["content-length", "-1"]])],
  ["a length without a body", "PROTOCOL_ERROR", request(1, [...GET, ["content-length", "1"]])],
  ["a body shorter than announced", "PROTOCOL_ERROR", [
    ...request(1, [...POST, ["content-length", "5"]], false),
    frameOf(0, 1, 1, new Uint8Array(4)),
  ]],
  ["a body longer than announced", "PROTOCOL_ERROR", [
    ...request(1, [...POST, ["content-length", "5"]], false),
    frameOf(0, 0, 1, new Uint8Array(6)),
  ]],
  ["DATA behind the end", "STREAM_CLOSED", [...request(1), frameOf(0, 0, 1, new Uint8Array(1))]],
  ["more DATA than the stream's window", "FLOW_CONTROL_ERROR", [
    ...request(1, POST, false),
    frameOf(0, 0, 1, new Uint8Array(70_001)),
  ]],
  ["the stream's window opened by nothing", "PROTOCOL_ERROR", [
    ...request(1, POST, false),
    windowUpdateFrame(1, 0),
  ]],
  ["the stream's window beyond 2^31 - 1", "FLOW_CONTROL_ERROR", [
    ...request(1, POST, false),
    windowUpdateFrame(1, 0x7fff_ffff),
  ]],
  ["fields in the middle of a body", "PROTOCOL_ERROR", [
    ...request(1, POST, false),
    ...request(1, [["a", "b"]], false),
  ]],
  ["pseudo-fields behind a body", "PROTOCOL_ERROR", [
    ...request(1, POST, false),
    ...request(1, [[":path", "/"]], true),
  ]],
  ["few bytes that are expanded to many fields", "ENHANCE_YOUR_CALM", [
    frameOf(1, 5, 1, Uint8Array.from(BOMB.flatMap((part) => [...part]))),
  ]],
];

for (const [what, code, frames] of STREAM_ATTACKS) {
  Deno.test(`${what}: the request fails with ${code}, others go on`, async () => {
    const { frames: answer } = await attack([
      ...frames,
      ...request(7),
      goAwayFrame(0, "NO_ERROR", ""),
    ], {
      staysOpen: true,
      limits: { streamWindowSize: 70_000, connectionWindowSize: 100_000 },
    });
    ok(answer.includes(`RST_STREAM 1 ${code}`), answer.join(", "));
    ok(answer.includes("1 7"), answer.join(", "));
  });
}

Deno.test("handlers of requests that were reset have a bound of their own", async () => {
  let running = 0;
  let runningMax = 0;
  const gate = Promise.withResolvers<void>();
  const frames = repeated(100, (index) => [
    ...request(2 * index + 1),
    resetFrame(2 * index + 1, 8),
  ]);
  setTimeout(gate.resolve, 50);
  await attack(frames, { limits: { maxConcurrentStreams: 10 } }, async () => {
    runningMax = Math.max(runningMax, ++running);
    await gate.promise;
    running--;
    return { status: 200 };
  });
  ok(runningMax <= 20, `${runningMax} ran at once`);
});

Deno.test("a body that is cut with the connection is never whole", async () => {
  let result: unknown;
  await attack([...request(1, POST, false), frameOf(0, 0, 1, new Uint8Array(9))], {}, async (r) => {
    result = await r.body.bytes(100).catch((error) => error);
    return { status: 200 };
  });
  ok(result instanceof ProtocolError && result.isTemporary, String(result));
});

const SLOW = { headTimeoutMs: 40, bodyTimeoutMs: 40, keepAliveMs: 40, keepAliveTimeoutMs: 40 };

Deno.test("a client that stops in the middle of anything is not waited for", async () => {
  const block = encodeHeaderBlock(GET);
  const stops: Bytes[][] = [
    [],
    [Uint8Array.of(0, 0)],
    [frameOf(1, 1, 1, block)],
    [frameOf(1, 5, 1, block).subarray(0, 12)],
  ];
  for (const frames of stops) {
    const { failure } = await attack(frames, { limits: SLOW, staysOpen: true });
    equal(failure?.code, "timeout");
  }
});

Deno.test("a body that stops, or drips, ends its request", async () => {
  const errors: unknown[] = [];
  const [a, b] = connectionPair();
  const served = serveHttp2(b, async ({ body }) => {
    await body.bytes(100).catch((error) => errors.push(error));
    return { status: 200 };
  }, { limits: { bodyTimeoutMs: 60 } });
  const heard = framesOf(a);
  await a.write([CLIENT_PREFACE, settingsFrame(DEFAULT_SETTINGS), ...request(1, POST, false)]);
  // A byte every few milliseconds is progress, and far too little.
  while (errors.length === 0) {
    await a.write([frameOf(0, 0, 1, new Uint8Array(1))]);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  a.end();
  await served;
  ok((await heard).includes("RST_STREAM 1 CANCEL"));
  equal((errors[0] as ProtocolError).code, "timeout");
});

/** What a client makes of a server that answers its first request with this. */
async function answered(frames: readonly Bytes[], ends = true): Promise<unknown> {
  const [a, b] = connectionPair();
  const client = new Http2Client(a);
  const heard = framesOf(b).finally(() => b.end());
  const result = client.send({ method: "GET", target: "/", timeoutMs: 2000 })
    .then((answer) => answer.body.bytes(1 << 20));
  const outcome = result.then((body) => body, (error) => error);
  await b.write([settingsFrame(DEFAULT_SETTINGS), ...frames]);
  if (ends) b.end();
  const end = await outcome;
  client.close();
  await heard;
  await client.closed;
  return end;
}

function answer(fields: readonly HeaderField[], ends: boolean, id = 1): Bytes[] {
  return headersFrames(id, encodeHeaderBlock(fields), ends, 16_384);
}

Deno.test("a client believes no answer that breaks the rules", async () => {
  const OK: HeaderField = [":status", "200"];
  const cases: [string, Bytes[]][] = [
    ["PROTOCOL_ERROR", answer([["a", "b"]], true)],
    ["PROTOCOL_ERROR", answer([[":status", "101"]], false)],
    ["PROTOCOL_ERROR", answer([OK, [":path", "/"]], true)],
    ["PROTOCOL_ERROR", answer([OK], true, 2)],
    ["PROTOCOL_ERROR", answer([OK], true, 3)],
    ["PROTOCOL_ERROR", [frameOf(0, 1, 1, new Uint8Array(3))]],
    ["PROTOCOL_ERROR", answer([OK, ["content-length", "3"]], true)],
    ["PROTOCOL_ERROR", [
      ...answer([OK, ["content-length", "3"]], false),
      frameOf(0, 1, 1, NOTHING),
    ]],
    ["PROTOCOL_ERROR", [frameOf(5, 4, 1, new Uint8Array(8))]],
    ["PROTOCOL_ERROR", repeated(20, () => answer([[":status", "103"]], false))],
    ["connection", [...answer([OK], false), frameOf(0, 0, 1, new Uint8Array(9))]],
    ["connection", []],
    ["REFUSED_STREAM", [resetFrame(1, 7)]],
    ["CANCEL", [...answer([OK], false), resetFrame(1, 8)]],
    ["NO_ERROR", [...answer([OK], false), resetFrame(1, 0)]],
    ["ENHANCE_YOUR_CALM", repeated(9000, () => [pingFrame(new Uint8Array(8), false)])],
  ];
  for (const [code, frames] of cases) {
    const outcome = await answered(frames);
    ok(outcome instanceof ProtocolError, `${code}: ${outcome}`);
    equal(outcome.code, code, outcome.message);
  }
});

Deno.test("a client takes informational answers, padding, trailers and unknown frames", async () => {
  const outcome = await answered([
    ...answer([[":status", "103"], ["link", "x"]], false),
    ...answer([[":status", "200"], ["content-length", "2"]], false),
    frameOf(0, 8, 1, Uint8Array.of(3, 7, 0, 0, 0)),
    frameOf(99, 255, 1, new Uint8Array(50)),
    frameOf(0, 0, 1, Uint8Array.of(8)),
    ...answer([["digest", "x"]], true),
  ]);
  equal(String(outcome), "7,8");
});

Deno.test("a server that does not answer PING is not waited for", async () => {
  const [a, b] = connectionPair();
  const client = new Http2Client(a, { keepAliveMs: 40, keepAliveTimeoutMs: 40 });
  const heard = framesOf(b);
  await b.write([settingsFrame(DEFAULT_SETTINGS)]);
  await rejects(
    client.send({ method: "GET", target: "/", timeoutMs: 20_000 }),
    (error) => error instanceof ProtocolError && error.code === "timeout" && error.isTemporary,
  );
  await client.closed;
  ok((await heard).includes("6 0"));
});

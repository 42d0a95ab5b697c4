import { deepEqual, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "#src/errors.ts";
import {
  CLIENT_PREFACE,
  frameOf,
  goAwayFrame,
  headersFrames,
  pingFrame,
  resetFrame,
  settingsFrame,
  windowUpdateFrame,
} from "#src/net/http2/frame.ts";
import { FrameDecoder, type FrameSink } from "#src/net/http2/frame_decoder.ts";
import { DEFAULT_SETTINGS, updatedSettings } from "#src/net/http2/settings.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const LIMITS = { frameSizeMax: 40_000, headerBlockSizeMax: 50_000 };

/** Writes down what it hears; the pieces of DATA are joined. */
class Recorder implements FrameSink {
  readonly heard: unknown[][] = [];
  #data: number[] = [];
  onDataStart(streamId: number, flowSize: number) {
    this.heard.push(["data", streamId, flowSize]);
    this.#data = [];
  }
  onData(_streamId: number, piece: Uint8Array) {
    ok(piece.length > 0);
    for (const byte of piece) this.#data.push(byte);
  }
  onDataEnd(streamId: number, endsStream: boolean) {
    this.heard.push(["data end", streamId, endsStream, this.#data]);
  }
  onHeaderBlock(streamId: number, block: Uint8Array, endsStream: boolean) {
    this.heard.push(["headers", streamId, [...block], endsStream]);
  }
  onReset(streamId: number, code: number) {
    this.heard.push(["reset", streamId, code]);
  }
  onSettings(payload: Uint8Array | undefined) {
    this.heard.push(["settings", payload && [...payload]]);
  }
  onPing(opaque: Uint8Array, isAnswer: boolean) {
    this.heard.push(["ping", [...opaque], isAnswer]);
  }
  onGoAway(lastStreamId: number, code: number, debug: Uint8Array) {
    this.heard.push(["go away", lastStreamId, code, new TextDecoder().decode(debug)]);
  }
  onWindowUpdate(streamId: number, incrementBytes: number) {
    this.heard.push(["window", streamId, incrementBytes]);
  }
  onIgnored(streamId: number) {
    this.heard.push(["ignored", streamId]);
  }
}

function joined(parts: readonly Uint8Array[]): Bytes {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** What is heard when bytes arrive in parts of these sizes, in turn, behind empty SETTINGS. */
function decode(bytes: Bytes, sizes: readonly number[] = [bytes.length + 1]): unknown[][] {
  const recorder = new Recorder();
  const decoder = new FrameDecoder(recorder, LIMITS, true);
  decoder.push(joined([CLIENT_PREFACE, settingsFrame(DEFAULT_SETTINGS)]));
  recorder.heard.length = 0;
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    decoder.push(bytes.slice(at, at + size));
    at += size;
  }
  return recorder.heard;
}

const streamId = fc.integer({ min: 1, max: 0x7fff_ffff });
const payload = fc.uint8Array({ maxLength: 300 }) as fc.Arbitrary<Bytes>;
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** A frame, and what shall be heard of it. */
const frame: fc.Arbitrary<[Bytes[], unknown[][]]> = fc.oneof(
  fc.tuple(streamId, payload, fc.boolean(), fc.option(fc.integer({ min: 0, max: 255 })))
    .map(([id, data, ends, padding]): [Bytes[], unknown[][]] => {
      const flow = padding === null ? data : joined([[padding], data, new Uint8Array(padding)]
        .map((part) => Uint8Array.from(part)));
      const flags = (ends ? 1 : 0) | (padding === null ? 0 : 8);
      return [[frameOf(0, flags, id, flow)], [["data", id, flow.length], [
        "data end",
        id,
        ends,
        [...data],
      ]]];
    }),
  fc.tuple(streamId, payload, fc.boolean(), fc.integer({ min: 10, max: 400 })).map((
    [id, block, ends, size],
  ): [Bytes[], unknown[][]] => [
    headersFrames(id, block, ends, size),
    [["headers", id, [...block], ends]],
  ]),
  fc.tuple(streamId, uint32).map(([id, code]): [Bytes[], unknown[][]] => [
    [resetFrame(id, code)],
    [["reset", id, code]],
  ]),
  fc.tuple(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.boolean()).map((
    [opaque, isAnswer],
  ): [Bytes[], unknown[][]] => [[pingFrame(opaque, isAnswer)], [["ping", [...opaque], isAnswer]]]),
  fc.tuple(streamId, streamId).map(([id, size]): [Bytes[], unknown[][]] => [
    [windowUpdateFrame(id, size)],
    [["window", id, size]],
  ]),
  streamId.map((id): [Bytes[], unknown[][]] => [
    [goAwayFrame(id, "ENHANCE_YOUR_CALM", "käse")],
    [["go away", id, 11, "käse"]],
  ]),
  fc.tuple(streamId, payload, fc.integer({ min: 10, max: 255 })).map((
    [id, data, type],
  ): [Bytes[], unknown[][]] => [[frameOf(type, 255, id, data)], [["ignored", id]]]),
);

Deno.test("frames are decoded as they were encoded, however the bytes arrive", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(fc.array(frame, { maxLength: 10 }), sizes, (frames, sizes) => {
    const bytes = joined(frames.flatMap(([parts]) => parts));
    deepEqual(decode(bytes, sizes), frames.flatMap(([, heard]) => heard));
  }));
});

Deno.test("settings are those that were encoded", () => {
  const settings = {
    headerTableSize: 1,
    enablePush: false,
    maxConcurrentStreams: 2,
    initialWindowSize: 0x7fff_ffff,
    maxFrameSize: 0xff_ffff,
    maxHeaderListSize: 0xffff_ffff,
  };
  deepEqual(updatedSettings(DEFAULT_SETTINGS, settingsFrame(settings).subarray(9)), settings);
});

Deno.test("what breaks the rules of frames is refused with the code of the rule", () => {
  const empty = new Uint8Array();
  const headers = (flags: number, id = 1) => frameOf(1, flags, id, Uint8Array.of(0x82));
  const cases: [string, string, Bytes[]][] = [
    ["DATA on stream 0", "PROTOCOL_ERROR", [frameOf(0, 0, 0, empty)]],
    ["HEADERS on stream 0", "PROTOCOL_ERROR", [headers(4, 0)]],
    ["SETTINGS on a stream", "PROTOCOL_ERROR", [frameOf(4, 0, 1, empty)]],
    ["PING on a stream", "PROTOCOL_ERROR", [frameOf(6, 0, 1, new Uint8Array(8))]],
    ["PUSH_PROMISE", "PROTOCOL_ERROR", [frameOf(5, 4, 1, new Uint8Array(8))]],
    ["a frame above the limit", "FRAME_SIZE_ERROR", [frameOf(0, 0, 1, new Uint8Array(40_001))]],
    ["PING of 7 bytes", "FRAME_SIZE_ERROR", [frameOf(6, 0, 0, new Uint8Array(7))]],
    ["RST_STREAM of 5 bytes", "FRAME_SIZE_ERROR", [frameOf(3, 0, 1, new Uint8Array(5))]],
    ["WINDOW_UPDATE of 3 bytes", "FRAME_SIZE_ERROR", [frameOf(8, 0, 1, new Uint8Array(3))]],
    ["SETTINGS of 7 bytes", "FRAME_SIZE_ERROR", [frameOf(4, 0, 0, new Uint8Array(7))]],
    ["an acknowledgement with settings", "FRAME_SIZE_ERROR", [
      frameOf(4, 1, 0, new Uint8Array(6)),
    ]],
    ["SETTINGS of 18,000 bytes", "ENHANCE_YOUR_CALM", [frameOf(4, 0, 0, new Uint8Array(18_000))]],
    ["padding beyond DATA", "PROTOCOL_ERROR", [frameOf(0, 8, 1, Uint8Array.of(3, 0, 0))]],
    ["padded DATA without a length", "PROTOCOL_ERROR", [frameOf(0, 8, 1, empty)]],
    ["padding beyond HEADERS", "PROTOCOL_ERROR", [frameOf(1, 12, 1, Uint8Array.of(2, 0))]],
    ["CONTINUATION of nothing", "PROTOCOL_ERROR", [frameOf(9, 4, 1, empty)]],
    ["another frame within a header block", "PROTOCOL_ERROR", [
      headers(0),
      pingFrame(
        new Uint8Array(8),
        false,
      ),
    ]],
    ["CONTINUATION of another stream", "PROTOCOL_ERROR", [headers(0), frameOf(9, 4, 3, empty)]],
    ["a header block without end", "ENHANCE_YOUR_CALM", [
      headers(0),
      ...Array.from({ length: 9 }, () => frameOf(9, 0, 1, new Uint8Array(16_000))),
    ]],
    ["empty CONTINUATION frames without end", "ENHANCE_YOUR_CALM", [
      headers(0),
      ...Array.from({ length: 200 }, () => frameOf(9, 0, 1, empty)),
    ]],
  ];
  for (const [what, code, frames] of cases) {
    for (const sizes of [[1], [100_000_000]]) {
      throws(
        () => decode(joined(frames), sizes),
        (error) => error instanceof ProtocolError && error.code === code,
        what,
      );
    }
  }
});

Deno.test("a peer that does not begin as HTTP/2 does is refused at once", () => {
  const starts = ["GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\0\0\0\0\0\0"];
  for (const start of starts) {
    const decoder = new FrameDecoder(new Recorder(), LIMITS, true);
    throws(() => decoder.push(new TextEncoder().encode(start)), ProtocolError);
  }
});

Deno.test("any bytes are decoded or refused", () => {
  const head = fc.tuple(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 10 }),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 3 }),
    fc.uint8Array({ maxLength: 40 }),
  ).map(([size, type, flags, id, payload]) =>
    joined([Uint8Array.of(0, 0, size, type, flags, 0, 0, 0, id), payload])
  );
  fc.assert(
    fc.property(fc.array(head, { maxLength: 20 }), (frames) => {
      try {
        decode(joined(frames), [7]);
      } catch (error) {
        ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

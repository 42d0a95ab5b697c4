/**
 * Frames of HTTP/2 as bytes (RFC 9113, sections 4 and 6): what goes out. What comes in is taken
 * apart by `frame_decoder.ts`.
 *
 * @module
 */

import { ErrorCode, type ErrorName } from "./error_code.ts";
import { encodeSettings, type Settings } from "./settings.ts";

/** What a client sends first, before its SETTINGS. */
export const CLIENT_PREFACE: Uint8Array<ArrayBuffer> = new TextEncoder().encode(
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
);

/** Length, type, flags and stream in front of each payload. */
export const FRAME_HEAD_SIZE = 9;

/** Largest number of a stream. */
export const STREAM_ID_MAX = 0x7fff_ffff;

/** Types of frames. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames; ACK is that of SETTINGS and PING. */
export const FrameFlag = {
  END_STREAM: 0x01,
  ACK: 0x01,
  END_HEADERS: 0x04,
  PADDED: 0x08,
  PRIORITY: 0x20,
} as const;

type Frame = Uint8Array<ArrayBuffer>;

/** The head of a frame, at the start of room for `roomSize` bytes more. */
export function frameHead(
  type: number,
  flags: number,
  streamId: number,
  payloadSize: number,
  roomSize = 0,
): Frame {
  const frame = new Uint8Array(FRAME_HEAD_SIZE + roomSize);
  frame[0] = payloadSize >>> 16;
  frame[1] = payloadSize >>> 8;
  frame[2] = payloadSize;
  frame[3] = type;
  frame[4] = flags;
  putUint32(frame, 5, streamId);
  return frame;
}

/** A whole frame; the payload is copied. */
export function frameOf(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array,
): Frame {
  const frame = frameHead(type, flags, streamId, payload.length, payload.length);
  frame.set(payload, FRAME_HEAD_SIZE);
  return frame;
}

/**
 * A header block in one HEADERS and as many CONTINUATION frames as it takes.
 *
 * @param frameSizeMax what the peer takes, in bytes
 */
export function headersFrames(
  streamId: number,
  block: Uint8Array,
  endsStream: boolean,
  frameSizeMax: number,
): Frame[] {
  const frames: Frame[] = [];
  let start = 0;
  do {
    const part = block.subarray(start, start + frameSizeMax);
    start += part.length;
    const isLast = start === block.length;
    const type = frames.length === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const ending = endsStream && type === FrameType.HEADERS ? FrameFlag.END_STREAM : 0;
    frames.push(frameOf(type, ending | (isLast ? FrameFlag.END_HEADERS : 0), streamId, part));
  } while (start < block.length);
  return frames;
}

/** RST_STREAM. */
export function resetFrame(streamId: number, code: number): Frame {
  const frame = frameHead(FrameType.RST_STREAM, 0, streamId, 4, 4);
  putUint32(frame, FRAME_HEAD_SIZE, code);
  return frame;
}

/** SETTINGS with what differs from the defaults, or the answer to that of the peer. */
export function settingsFrame(settings: Settings | "ack"): Frame {
  return settings === "ack"
    ? frameHead(FrameType.SETTINGS, FrameFlag.ACK, 0, 0)
    : frameOf(FrameType.SETTINGS, 0, 0, encodeSettings(settings));
}

/** PING with 8 bytes, or the answer to one. */
export function pingFrame(opaque: Uint8Array, isAnswer: boolean): Frame {
  return frameOf(FrameType.PING, isAnswer ? FrameFlag.ACK : 0, 0, opaque);
}

/** GOAWAY: streams of the peer beyond the last one were not looked at. */
export function goAwayFrame(lastStreamId: number, name: ErrorName, debugText: string): Frame {
  const text = new TextEncoder().encode(debugText);
  const frame = frameHead(FrameType.GOAWAY, 0, 0, 8 + text.length, 8 + text.length);
  putUint32(frame, FRAME_HEAD_SIZE, lastStreamId);
  putUint32(frame, FRAME_HEAD_SIZE + 4, ErrorCode[name]);
  frame.set(text, FRAME_HEAD_SIZE + 8);
  return frame;
}

/** WINDOW_UPDATE; stream 0 is the connection. */
export function windowUpdateFrame(streamId: number, incrementBytes: number): Frame {
  const frame = frameHead(FrameType.WINDOW_UPDATE, 0, streamId, 4, 4);
  putUint32(frame, FRAME_HEAD_SIZE, incrementBytes);
  return frame;
}

function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** A number of four bytes, the highest first. */
export function getUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

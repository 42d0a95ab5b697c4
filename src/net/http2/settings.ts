/**
 * SETTINGS of HTTP/2 (RFC 9113, section 6.5).
 *
 * @module
 */

import { violation } from "./error_code.ts";

/** What one end tells the other of itself. */
export interface Settings {
  /** Largest dynamic table that it decodes header blocks with, in bytes. */
  readonly headerTableSize: number;
  /** Whether it takes pushed answers. */
  readonly enablePush: boolean;
  /** Streams of the other end at a time. */
  readonly maxConcurrentStreams: number;
  /** Flow-control window of a new stream, in bytes. */
  readonly initialWindowSize: number;
  /** Largest payload of a frame, in bytes. */
  readonly maxFrameSize: number;
  /** Largest list of header fields, in bytes as section 6.5.2 counts them. */
  readonly maxHeaderListSize: number;
}

/** Every peer takes frames of this size, and none may forbid it. */
export const FRAME_SIZE_MIN = 16_384;

/** Largest size that can be announced. */
export const FRAME_SIZE_LIMIT = 0xff_ffff;

/** Largest flow-control window. */
export const WINDOW_LIMIT = 0x7fff_ffff;

/** What holds for a peer that has said nothing. */
export const DEFAULT_SETTINGS: Settings = {
  headerTableSize: 4096,
  enablePush: true,
  maxConcurrentStreams: Infinity,
  initialWindowSize: 65_535,
  maxFrameSize: FRAME_SIZE_MIN,
  maxHeaderListSize: Infinity,
};

/** Names in the order of their numbers, which begin with 1. */
const NAMES = [
  "headerTableSize",
  "enablePush",
  "maxConcurrentStreams",
  "initialWindowSize",
  "maxFrameSize",
  "maxHeaderListSize",
] as const;

/** Bytes of a setting: two of its number, four of its value. */
export const SETTING_SIZE = 6;

/** The payload of a SETTINGS frame: what differs from the defaults. */
export function encodeSettings(settings: Settings): Uint8Array<ArrayBuffer> {
  const changed = NAMES.flatMap((name, index) =>
    settings[name] === DEFAULT_SETTINGS[name]
      ? []
      : [{ number: index + 1, value: Number(settings[name]) }]
  );
  const payload = new Uint8Array(changed.length * SETTING_SIZE);
  const view = new DataView(payload.buffer);
  changed.forEach(({ number, value }, index) => {
    view.setUint16(index * SETTING_SIZE, number);
    view.setUint32(index * SETTING_SIZE + 2, value);
  });
  return payload;
}

/**
 * Settings of the peer after one more SETTINGS frame. Unknown ones are skipped.
 *
 * @throws {ProtocolError} for a value that is not allowed
 */
export function updatedSettings(before: Settings, payload: Uint8Array): Settings {
  const settings: { -readonly [Name in keyof Settings]: Settings[Name] } = { ...before };
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  for (let at = 0; at + SETTING_SIZE <= payload.length; at += SETTING_SIZE) {
    const name = NAMES[view.getUint16(at) - 1];
    const value = view.getUint32(at + 2);
    if (name === undefined) continue;
    if (name === "enablePush") settings.enablePush = checkedPush(value) === 1;
    else {settings[name] = name === "initialWindowSize"
        ? checkedWindow(value)
        : name === "maxFrameSize"
        ? checkedFrameSize(value)
        : value;}
  }
  return settings;
}

function checkedPush(value: number): number {
  if (value > 1) throw violation("PROTOCOL_ERROR", `ENABLE_PUSH ${value} is neither 0 nor 1`);
  return value;
}

function checkedWindow(value: number): number {
  if (value > WINDOW_LIMIT) {
    throw violation("FLOW_CONTROL_ERROR", `INITIAL_WINDOW_SIZE ${value} is beyond 2^31 - 1`);
  }
  return value;
}

function checkedFrameSize(value: number): number {
  if (value < FRAME_SIZE_MIN || value > FRAME_SIZE_LIMIT) {
    const range = `from ${FRAME_SIZE_MIN} to ${FRAME_SIZE_LIMIT}`;
    throw violation("PROTOCOL_ERROR", `MAX_FRAME_SIZE ${value} is not ${range}`);
  }
  return value;
}

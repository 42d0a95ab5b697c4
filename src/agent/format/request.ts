/**
 * Requests, and the answers that say how one has ended.
 *
 * Pure: bytes in, values out.
 *
 * @module
 */

import { ERRNO_MAX, FormatError } from "#src/errors.ts";
import { FieldReader, FieldWriter } from "#src/bytes/fields.ts";
import { type Frame, FrameKind, unexpectedFrame } from "./frame.ts";

/** What is asked; `credit` is what the answer may cost before more is given. */
export type AgentRequest =
  | { readonly kind: "stat"; readonly path: string }
  | { readonly kind: "list"; readonly path: string; readonly credit: number }
  | {
    readonly kind: "read";
    readonly path: string;
    readonly credit: number;
    readonly offsetBytes: number;
    readonly lengthBytes: number | "all";
  }
  | { readonly kind: "run"; readonly command: string };

/** Bytes of a path: more than an archive takes. */
export const PATH_SIZE_MAX = 64 << 10;
/** Bytes of a command. */
export const COMMAND_SIZE_MAX = 64 << 10;

const TO_THE_END = 0xffff_ffff_ffff_ffffn;

/** Type and payload of a request. */
export function encodeRequest(request: AgentRequest): [number, Uint8Array<ArrayBuffer>] {
  const fields = new FieldWriter();
  switch (request.kind) {
    case "stat":
      fields.name(request.path);
      return [FrameKind.STAT, fields.bytes];
    case "list":
      fields.u32(request.credit);
      fields.name(request.path);
      return [FrameKind.LIST, fields.bytes];
    case "read": {
      const { credit, offsetBytes, lengthBytes } = request;
      fields.u32(credit);
      fields.u64(offsetBytes);
      fields.bits64(lengthBytes === "all" ? TO_THE_END : BigInt(lengthBytes));
      fields.name(request.path);
      return [FrameKind.READ, fields.bytes];
    }
    case "run":
      fields.name(request.command);
      return [FrameKind.RUN, fields.bytes];
  }
}

/** Reads a request. @throws {FormatError} when it is none */
export function decodeRequest(frame: Frame): AgentRequest {
  const fields = new FieldReader(frame.payload);
  const request = requestOf(frame, fields);
  fields.end();
  return request;
}

function requestOf(frame: Frame, fields: FieldReader): AgentRequest {
  switch (frame.type) {
    case FrameKind.STAT:
      return { kind: "stat", path: fields.name(PATH_SIZE_MAX) };
    case FrameKind.LIST:
      return { kind: "list", credit: fields.u32(), path: fields.name(PATH_SIZE_MAX) };
    case FrameKind.READ: {
      const credit = fields.u32();
      const offsetBytes = fields.u64();
      const length = fields.bits64();
      if (length !== TO_THE_END && length > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw new FormatError(`A length of ${length} bytes is too large`);
      }
      const lengthBytes = length === TO_THE_END ? "all" : Number(length);
      return { kind: "read", credit, offsetBytes, lengthBytes, path: fields.name(PATH_SIZE_MAX) };
    }
    case FrameKind.RUN:
      return { kind: "run", command: fields.name(COMMAND_SIZE_MAX) };
    default:
      throw unexpectedFrame(frame);
  }
}

/** Why a request failed. */
export interface RequestFailure {
  /** What the system says; 0 when it is not about the system. */
  readonly errno: number;
  /** A word that says what is wrong. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

const CODE_SIZE_MAX = 64;
const MESSAGE_SIZE_MAX = 4096;

/** Payload of {@link FrameKind.ERROR}. */
export function encodeFailure({ errno, code, message }: RequestFailure): Uint8Array<ArrayBuffer> {
  const fields = new FieldWriter();
  fields.u32(errno);
  fields.name(code);
  fields.name(message.slice(0, MESSAGE_SIZE_MAX / 4));
  return fields.bytes;
}

/** Reads it. @throws {FormatError} */
export function decodeFailure(payload: Uint8Array<ArrayBuffer>): RequestFailure {
  const fields = new FieldReader(payload);
  const errno = fields.u32();
  if (errno > ERRNO_MAX) throw new FormatError(`${errno} is not an error number`);
  const code = fields.name(CODE_SIZE_MAX);
  const message = fields.name(MESSAGE_SIZE_MAX);
  fields.end();
  return { errno, code, message };
}

/** A payload of one u32: of {@link FrameKind.CREDIT} and {@link FrameKind.EXIT}. */
export function encodeU32(value: number): Uint8Array<ArrayBuffer> {
  const fields = new FieldWriter(4);
  fields.u32(value);
  return fields.bytes;
}

/** Reads it. @throws {FormatError} */
export function decodeU32(payload: Uint8Array<ArrayBuffer>): number {
  const fields = new FieldReader(payload);
  const value = fields.u32();
  fields.end();
  return value;
}

/** Payload of {@link FrameKind.HOLE}. */
export function encodeHole(holeBytes: number): Uint8Array<ArrayBuffer> {
  const fields = new FieldWriter(8);
  fields.u64(holeBytes);
  return fields.bytes;
}

/** Reads it. @throws {FormatError} also for one that is empty */
export function decodeHole(payload: Uint8Array<ArrayBuffer>): number {
  const fields = new FieldReader(payload);
  const holeBytes = fields.u64();
  fields.end();
  if (holeBytes === 0) throw new FormatError("A hole without bytes");
  return holeBytes;
}

/**
 * Messages between a server of PostgreSQL and its clients, protocol 3.0: as much as plain queries
 * need.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** What a client may be sent; a notice or a parameter's value is none of these. */
export type ServerMessage =
  | { readonly type: "authentication"; readonly method: number }
  | { readonly type: "ready" }
  | { readonly type: "columns"; readonly names: readonly string[] }
  | { readonly type: "row"; readonly values: readonly (string | null)[] }
  | { readonly type: "complete" }
  | { readonly type: "error"; readonly fields: ErrorFields }
  | { readonly type: "other" };

/** What a server says of an error, by the letters of its fields. */
export type ErrorFields = Readonly<Record<string, string>>;

/** The longest message that is taken: a row of a query of ours is far shorter. */
export const MESSAGE_SIZE_MAX = 64 << 20;

const PROTOCOL_VERSION = 3 << 16;
const HEADER_SIZE = 5;
const encoder = new TextEncoder();
// A server may hold text that is no UTF-8, in messages about it.
const decoder = new TextDecoder();

/** The first message: who wants to use which database. */
export function startupMessage(parameters: Readonly<Record<string, string>>): Uint8Array {
  const text = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`).join("");
  const body = encoder.encode(`${text}\0`);
  const bytes = new Uint8Array(8 + body.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, bytes.length);
  view.setInt32(4, PROTOCOL_VERSION);
  bytes.set(body, 8);
  return bytes;
}

/** A query, of one statement or several. */
export function queryMessage(sql: string): Uint8Array {
  return message("Q", encoder.encode(`${sql}\0`));
}

/** The last message. */
export function terminateMessage(): Uint8Array {
  return message("X", new Uint8Array(0));
}

function message(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + body.length);
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setInt32(1, bytes.length - 1);
  bytes.set(body, HEADER_SIZE);
  return bytes;
}

/**
 * Takes the first message off `bytes`.
 *
 * @returns the message and its size; undefined while it is not complete
 * @throws {FormatError}
 */
export function takeMessage(
  bytes: Uint8Array,
): { readonly message: ServerMessage; readonly size: number } | undefined {
  if (bytes.length < HEADER_SIZE) return undefined;
  const size = 1 + new DataView(bytes.buffer, bytes.byteOffset).getInt32(1);
  if (size < HEADER_SIZE || size > MESSAGE_SIZE_MAX) {
    throw new FormatError(`The server sent a message of ${size} bytes`);
  }
  if (bytes.length < size) return undefined;
  const body = new Body(bytes.subarray(HEADER_SIZE, size));
  return { message: parseBody(String.fromCharCode(bytes[0]!), body), size };
}

function parseBody(type: string, body: Body): ServerMessage {
  switch (type) {
    case "R":
      return { type: "authentication", method: body.int32() };
    case "Z":
      return { type: "ready" };
    case "T":
      return { type: "columns", names: parseColumns(body) };
    case "D":
      return { type: "row", values: Array.from({ length: body.int16() }, () => body.value()) };
    case "C":
    case "I":
      return { type: "complete" };
    case "E":
      return { type: "error", fields: parseFields(body) };
    default:
      return { type: "other" };
  }
}

/** Behind each name: table, column, type, its length and modifier, format. */
const COLUMN_DETAILS_SIZE = 18;

function parseColumns(body: Body): string[] {
  return Array.from({ length: body.int16() }, () => {
    const name = body.text();
    body.skip(COLUMN_DETAILS_SIZE);
    return name;
  });
}

function parseFields(body: Body): ErrorFields {
  const fields: Record<string, string> = {};
  for (let letter = body.byte(); letter !== 0; letter = body.byte()) {
    fields[String.fromCharCode(letter)] = body.text();
  }
  return fields;
}

/** The bytes of a message, read in order. */
class Body {
  #offset = 0;

  constructor(readonly bytes: Uint8Array) {}

  byte(): number {
    return this.#take(1)[0]!;
  }

  int16(): number {
    const [high, low] = this.#take(2);
    return high! << 8 | low!;
  }

  int32(): number {
    const [a, b, c, d] = this.#take(4);
    return a! << 24 | b! << 16 | c! << 8 | d!;
  }

  /** Text up to a NUL. */
  text(): string {
    const end = this.bytes.indexOf(0, this.#offset);
    if (end < 0) throw new FormatError("A text in a message of the server has no end");
    const text = decoder.decode(this.bytes.subarray(this.#offset, end));
    this.#offset = end + 1;
    return text;
  }

  /** A value with its length before it; -1 stands for NULL. */
  value(): string | null {
    const size = this.int32();
    return size === -1 ? null : decoder.decode(this.#take(size));
  }

  skip(size: number): void {
    this.#take(size);
  }

  #take(size: number): Uint8Array {
    const start = this.#offset;
    if (size < 0 || start + size > this.bytes.length) {
      throw new FormatError("A message of the server ends too early");
    }
    this.#offset += size;
    return this.bytes.subarray(start, start + size);
  }
}

/**
 * Heads of HTTP/1.1 messages (RFC 9112): read strictly, since whatever two parties understand
 * differently can be used to slip a second request past one of them.
 *
 * @module
 */

import { FormatError, LimitError, UsageError } from "#src/errors.ts";
import type { HttpHeaders } from "#src/net/http.ts";

/** Bytes of a head, its first line included. */
export const HEAD_SIZE_MAX = 32_768;
const FIELDS_MAX = 100;

/** A head: its first line, and its fields. */
export interface MessageHead {
  readonly startLine: string;
  readonly headers: HttpHeaders;
}

/** First line of a request. */
export interface RequestLine {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Minor version of HTTP/1. */
  readonly minorVersion: number;
}

/** How the end of a body is known. */
export type BodyFraming =
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" };

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/u;
/** Fields that decide where a message ends, or for whom it is: twice, they contradict. */
const SINGLE_FIELDS: ReadonlySet<string> = new Set(["content-length", "transfer-encoding", "host"]);
const LENGTH = /^\d{1,15}$/u;

/**
 * Reads a head without the empty line at its end, one character a byte.
 *
 * @throws {FormatError} when it is malformed
 * @throws {LimitError} when it has too many fields
 */
export function parseHead(text: string): MessageHead {
  const [startLine, ...lines] = text.split("\r\n");
  if (/[\r\n\0]/u.test(text.replaceAll("\r\n", ""))) {
    throw new FormatError("The head of the message has a line that does not end as it must");
  }
  if (lines.length > FIELDS_MAX) {
    throw new LimitError(`The head of the message has more than ${FIELDS_MAX} fields`);
  }
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/gu, "");
    if (!NAME.test(name) || !VALUE.test(value)) {
      throw new FormatError("The head of the message has a malformed field");
    }
    const earlier = headers[name];
    if (earlier !== undefined && SINGLE_FIELDS.has(name)) {
      throw new FormatError(`The head of the message has the field ${name} twice`);
    }
    headers[name] = earlier === undefined ? value : `${earlier}, ${value}`;
  }
  return { startLine: startLine!, headers };
}

/** Reads the first line of a request. @throws {FormatError} */
export function parseRequestLine(line: string): RequestLine {
  const match = /^([A-Z]{1,20}) (\S+) HTTP\/1\.(\d)$/u.exec(line);
  const target = match?.[2]?.replace(/^https?:\/\/[^/?#]+(?=\/)/iu, "");
  if (match === null || target === undefined || !/^\/[\x21-\x7e]*$/u.test(target)) {
    throw new FormatError("The first line of the request is malformed");
  }
  return { method: match[1]!, target, minorVersion: Number(match[3]) };
}

/** Reads the first line of an answer: its status. @throws {FormatError} */
export function parseStatusLine(line: string): number {
  const match = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\0\r\n]*)?$/u.exec(line);
  if (match === null) throw new FormatError("The first line of the answer is not that of HTTP/1.1");
  return Number(match[1]);
}

/**
 * Where the body of a message ends, as its fields say; undefined when they say nothing.
 *
 * @throws {FormatError} when they contradict each other, or name an encoding that nobody agreed on
 */
export function bodyFraming(headers: HttpHeaders): BodyFraming | undefined {
  const encoding = headers["transfer-encoding"];
  const length = headers["content-length"];
  if (encoding !== undefined) {
    if (length !== undefined) {
      throw new FormatError("The message has both a length and a transfer encoding");
    }
    if (encoding.toLowerCase() !== "chunked") {
      throw new FormatError("The message has a transfer encoding other than chunked");
    }
    return { kind: "chunked" };
  }
  if (length === undefined) return undefined;
  if (!LENGTH.test(length)) throw new FormatError("The length of the message is not a number");
  return { kind: "length", length: Number(length) };
}

/** Whether a list such as that of `Connection` has an item. */
export function hasToken(value: string | undefined, token: string): boolean {
  return value?.split(",").some((item) => item.trim().toLowerCase() === token) === true;
}

/** A head as bytes, its end included. @throws {UsageError} when a field would break it */
export function formatHead(startLine: string, headers: HttpHeaders): Uint8Array<ArrayBuffer> {
  let text = `${startLine}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (!NAME.test(name) || !VALUE.test(value)) {
      throw new UsageError(`The field ${JSON.stringify(name)} has a value that HTTP cannot carry`);
    }
    text += `${name}: ${value}\r\n`;
  }
  text += "\r\n";
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * Header fields of requests and answers in HTTP/2 (RFC 9113, section 8), checked in both
 * directions.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { HttpHeaders } from "../http.ts";
import { violation } from "./error_code.ts";
import type { HeaderField } from "./hpack_table.ts";

/** What a request's header block says. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly headers: HttpHeaders;
  readonly contentLength: number | undefined;
}

/** What an answer's header block says. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly contentLength: number | undefined;
}

/** Tokens of RFC 9110 without capitals. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No control characters but tabs, no space at the ends. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TARGET = /^(?:\/[\x21-\x7e\x80-\xff]*|\*)$/;

/** What speaks of the connection: HTTP/2 has frames for it. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** The head of a request. @throws {ProtocolError} when it is malformed, which ends its stream */
export function parseRequestHead(fields: readonly HeaderField[]): RequestHead {
  const { pseudo, headers } = separate(fields, [":method", ":scheme", ":authority", ":path"]);
  const method = pseudo[":method"];
  const authority = pseudo[":authority"];
  if (method === undefined || !METHOD.test(method)) throw malformed("there is no method");
  if (method === "CONNECT") {
    if (authority === undefined || pseudo[":path"] !== undefined) throw malformed("CONNECT");
  } else if (!TARGET.test(pseudo[":path"] ?? "") || !pseudo[":scheme"]) {
    throw malformed("there is no path or scheme");
  }
  if (authority !== undefined) headers["host"] ??= authority;
  const target = pseudo[":path"] ?? authority!;
  return { method, target, headers, contentLength: contentLengthOf(headers) };
}

/** The head of an answer. @throws {ProtocolError} when it is malformed, which ends its stream */
export function parseAnswerHead(fields: readonly HeaderField[]): AnswerHead {
  const { pseudo, headers } = separate(fields, [":status"]);
  const status = pseudo[":status"] ?? "";
  // Switching protocols does not exist here (section 8.6).
  if (!/^[1-9]\d\d$/.test(status) || status === "101") throw malformed(`the status "${status}"`);
  return { status: Number(status), headers, contentLength: contentLengthOf(headers) };
}

/** Fields behind a body, which nobody uses. @throws {ProtocolError} when they are malformed */
export function checkTrailers(fields: readonly HeaderField[]): void {
  separate(fields, []);
}

function separate(fields: readonly HeaderField[], allowed: readonly string[]) {
  const pseudo: Record<string, string> = {};
  // Names are the peer's: "__proto__" is one like any other.
  const headers: Record<string, string> = Object.create(null);
  let isBehind = false;
  for (const [name, value] of fields) {
    if (!VALUE.test(value)) throw malformed(`the value of "${name}"`);
    if (name.startsWith(":")) {
      if (isBehind || !allowed.includes(name) || pseudo[name] !== undefined) {
        throw malformed(`"${name}" is unknown, there twice, or behind others`);
      }
      pseudo[name] = value;
      continue;
    }
    isBehind = true;
    if (!NAME.test(name)) throw malformed(`the name of a field`);
    if (OF_CONNECTION.has(name) || name === "te" && value !== "trailers") {
      throw malformed(`"${name}" does not exist in HTTP/2`);
    }
    const before = headers[name];
    const separator = name === "cookie" ? "; " : ", ";
    headers[name] = before === undefined ? value : `${before}${separator}${value}`;
  }
  return { pseudo, headers };
}

function contentLengthOf(headers: HttpHeaders): number | undefined {
  const text = headers["content-length"];
  if (text === undefined) return undefined;
  // Fifteen digits are less than 2^53.
  if (!/^\d{1,15}$/.test(text)) throw malformed("content-length");
  return Number(text);
}

function malformed(what: string): Error {
  return violation("PROTOCOL_ERROR", `malformed header fields: ${what}`);
}

/** Fields of a request. @throws {UsageError} for one that cannot be sent */
export function requestFields(
  method: string,
  target: string,
  headers: HttpHeaders,
  authority: string,
): HeaderField[] {
  if (!METHOD.test(method) || !TARGET.test(target)) {
    throw new UsageError(`"${method} ${target}" is not a request that HTTP/2 can send`);
  }
  return [
    [":method", method],
    [":scheme", "https"],
    [":authority", headers["host"] ?? authority],
    [":path", target],
    ...plainFields(headers, "host"),
  ];
}

/** Fields of an answer. @throws {UsageError} for one that cannot be sent */
export function answerFields(status: number, headers: HttpHeaders): HeaderField[] {
  if (!Number.isInteger(status) || status < 100 || status > 999 || status === 101) {
    throw new UsageError(`${status} is not a status that HTTP/2 can send`);
  }
  return [[":status", `${status}`], ...plainFields(headers)];
}

function plainFields(headers: HttpHeaders, omitted?: string): HeaderField[] {
  const fields: HeaderField[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name === omitted || OF_CONNECTION.has(name)) continue;
    if (!NAME.test(name) || !VALUE.test(value)) {
      throw new UsageError(`The header field "${name}" has characters that cannot be sent`);
    }
    fields.push([name, value]);
  }
  return fields;
}

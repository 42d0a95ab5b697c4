/**
 * Parameters of the server's calls: what is given is checked before it is used, and refused in the
 * reference's words.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { LimitError } from "#src/errors.ts";
import type { HttpRequest } from "#src/net/http.ts";
import { Refusal } from "./refusal.ts";

/** Bytes of a query; longer ones belong into a body. */
const QUERY_SIZE_MAX = 4096;
/** The first size of a body with parameters that is refused. */
const BODY_SIZE_LIMIT = 65_536;

/** What one parameter may be. */
export type ParameterRule =
  & { readonly isOptional?: boolean }
  & (
    | { readonly kind: "text"; readonly pattern?: RegExp; readonly lengthMax?: number }
    | { readonly kind: "integer"; readonly min: number; readonly max: number }
    | { readonly kind: "boolean" }
    | { readonly kind: "digest" }
    | { readonly kind: "digests" }
    | { readonly kind: "integers"; readonly min: number; readonly max: number }
  );

/** The parameters of a call by their names; others are refused. */
export type ParameterRules = Readonly<Record<string, ParameterRule>>;

interface Kinds {
  readonly text: string;
  readonly integer: number;
  readonly boolean: boolean;
  readonly digest: ChunkDigest;
  readonly digests: readonly ChunkDigest[];
  readonly integers: readonly number[];
}

type OptionalNames<Rules> = {
  [Name in keyof Rules]: Rules[Name] extends { readonly isOptional: true } ? Name : never;
}[keyof Rules];

type ValueOf<Rule> = Rule extends { readonly kind: infer Kind extends keyof Kinds } ? Kinds[Kind]
  : never;

/** The values of parameters that were checked. */
export type Parameters<Rules> =
  & { readonly [Name in Exclude<keyof Rules, OptionalNames<Rules>>]: ValueOf<Rules[Name]> }
  & { readonly [Name in OptionalNames<Rules>]?: ValueOf<Rules[Name]> };

/** What may be the name of a file in a snapshot. */
export const FILE_NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

const DIGEST_PATTERN = /^[0-9a-f]{64}$/;

/** Path of a request, without empty parts: `/a/b`. */
export function pathOf(target: string): string {
  const end = target.indexOf("?");
  const path = end < 0 ? target : target.slice(0, end);
  return `/${path.split("/").filter((part) => part !== "").join("/")}`;
}

/** The parameters in a query. @throws {Refusal} when it is too long */
export function queryParameters(target: string): Record<string, unknown> {
  const start = target.indexOf("?");
  if (start < 0) return {};
  if (target.length - start > QUERY_SIZE_MAX) throw new Refusal(400, "Query is too long");
  return formParameters(target.slice(start + 1));
}

/**
 * The parameters in query and body. @throws {Refusal} when they are too large, or no parameters
 */
export async function allParameters(request: HttpRequest): Promise<Record<string, unknown>> {
  const query = queryParameters(request.target);
  const bytes = await parameterBody(request);
  if (bytes.length === 0) return query;
  const text = new TextDecoder().decode(bytes);
  const [kind = ""] = (request.headers["content-type"] ?? "").split(";");
  if (kind.trim().toLowerCase() !== "application/json") {
    return { ...query, ...formParameters(text) };
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Refusal(400, "unable to parse json: syntax error");
  }
  if (typeof body === "object" && body !== null && !Array.isArray(body)) {
    return { ...query, ...body };
  }
  throw new Refusal(400, "unable to parse json: expected an object");
}

async function parameterBody({ body }: HttpRequest): Promise<Uint8Array> {
  if ((body.length ?? 0) >= BODY_SIZE_LIMIT) throw new Refusal(400, "Request body too large");
  try {
    return await body.bytes(BODY_SIZE_LIMIT - 1);
  } catch (error) {
    if (error instanceof LimitError) throw new Refusal(400, "Request body too large");
    throw error;
  }
}

function formParameters(text: string): Record<string, unknown> {
  const parameters: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    if (Object.hasOwn(parameters, name)) throw failed(name, "parameter is given more than once.");
    Object.defineProperty(parameters, name, { value, enumerable: true });
  }
  return parameters;
}

/**
 * Checks parameters by their rules. Texts, as queries have them, stand for numbers, too.
 *
 * @throws {Refusal} 400, with the reference's words
 */
export function checkParameters<Rules extends ParameterRules>(
  rules: Rules,
  given: Readonly<Record<string, unknown>>,
): Parameters<Rules> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(rules, name)) {
      throw failed(name, "schema does not allow additional properties");
    }
    values[name] = checkValue(name, rules[name]!, value);
  }
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.isOptional === true || Object.hasOwn(values, name)) continue;
    throw failed(name, "parameter is missing and it is not optional.");
  }
  return values as Parameters<Rules>;
}

function checkValue(name: string, rule: ParameterRule, value: unknown): unknown {
  switch (rule.kind) {
    case "text":
      return checkText(name, value, rule.pattern, rule.lengthMax);
    case "digest":
      return checkText(name, value, DIGEST_PATTERN);
    case "integer":
      return checkInteger(name, value, rule);
    case "boolean":
      return checkBoolean(name, value);
    case "digests":
      return list(name, value).map((item) => checkText(name, item, DIGEST_PATTERN));
    case "integers":
      return list(name, value).map((item) => checkInteger(name, item, rule));
  }
}

function checkText(name: string, value: unknown, pattern?: RegExp, lengthMax = 256): string {
  if (typeof value !== "string") throw failed(name, "Expected string value.");
  if (value.length > lengthMax) {
    throw failed(name, `value may only be ${lengthMax} characters long`);
  }
  if (pattern === undefined || pattern.test(value)) return value;
  throw failed(name, "value does not match the regex pattern");
}

function checkInteger(
  name: string,
  value: unknown,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const isDigits = typeof value === "string" && /^-?[0-9]{1,20}$/.test(value);
  const number = isDigits ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number)) {
    throw failed(name, "Expected integer value.");
  }
  if (number < min) throw failed(name, `value must have a minimum value of ${min} (got ${number})`);
  if (number <= max) return number;
  throw failed(name, `value must have a maximum value of ${max} (got ${number})`);
}

function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  const text = String(value).toLowerCase();
  if (["1", "on", "yes", "true"].includes(text)) return true;
  if (["0", "off", "no", "false"].includes(text)) return false;
  throw failed(name, "Expected boolean value.");
}

function list(name: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw failed(name, "Expected array value.");
}

function failed(name: string, problem: string): Refusal {
  return new Refusal(400, `parameter verification failed - '${name}': ${problem}`);
}

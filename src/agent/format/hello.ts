/**
 * The first frame of each side: what it speaks and what it can do.
 *
 *     0  "PBKFS\r\n\0"
 *     8  JSON
 *
 * Whatever a newer program adds to the JSON, an older one passes over. Pure: bytes in, values out.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** The oldest and the newest version of the protocol that this program speaks. */
export const VERSIONS: VersionRange = { min: 1, max: 1 };

/** Versions of the protocol, both included. */
export interface VersionRange {
  /** The oldest one. */
  readonly min: number;
  /** The newest one. */
  readonly max: number;
}

/** What both sides must have for it to be used. */
export type Feature = "zstd" | "commands";

/** What each side says. */
export interface Hello {
  /** Name and version of the program, for messages. */
  readonly program: string;
  /** Of the protocol. */
  readonly versions: VersionRange;
  /** Also such as this program does not know. */
  readonly features: readonly string[];
}

/** What the side with the files says besides. */
export interface AgentHello extends Hello {
  /** Names of fields of metadata; left out: all. */
  readonly knownFields?: readonly string[] | undefined;
  /** How exact times are. */
  readonly mtimePrecisionNs: number;
  /** Of the process that reads. */
  readonly uid: number;
  /** Of the process that reads. */
  readonly gid: number;
  /** Directories that it serves, for messages. */
  readonly roots: readonly string[];
  /** Requests that may be under way. */
  readonly requestsMax: number;
}

const MAGIC = new TextEncoder().encode("PBKFS\r\n\0");
/** Bytes of the payload of this frame. */
export const HELLO_SIZE_MAX = 64 << 10;
const TEXT_LENGTH_MAX = 200;
const LIST_LENGTH_MAX = 256;
const REQUESTS_LIMIT = 65_536;
const U32_MAX = 0xffff_ffff;

/** The payload. */
export function encodeHello(hello: Hello | AgentHello): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(hello));
  const bytes = new Uint8Array(MAGIC.length + text.length);
  bytes.set(MAGIC);
  bytes.set(text, MAGIC.length);
  return bytes;
}

/** What the side that asks says. @throws {FormatError} */
export function decodeHello(payload: Uint8Array): Hello {
  return helloOf(parse(payload));
}

/** What the side with the files says. @throws {FormatError} */
export function decodeAgentHello(payload: Uint8Array): AgentHello {
  const record = parse(payload);
  return {
    ...helloOf(record),
    knownFields: "knownFields" in record ? textsOf(record, "knownFields") : undefined,
    roots: textsOf(record, "roots"),
    mtimePrecisionNs: numberOf(record, "mtimePrecisionNs", 1, 1e12),
    uid: numberOf(record, "uid", 0, U32_MAX),
    gid: numberOf(record, "gid", 0, U32_MAX),
    requestsMax: numberOf(record, "requestsMax", 1, REQUESTS_LIMIT),
  };
}

/** The newest version that both speak; undefined when there is none. */
export function commonVersion(a: VersionRange, b: VersionRange): number | undefined {
  const version = Math.min(a.max, b.max);
  return version >= Math.max(a.min, b.min) ? version : undefined;
}

type JsonRecord = Readonly<Record<string, unknown>>;

function parse(payload: Uint8Array): JsonRecord {
  if (payload.length < MAGIC.length || MAGIC.some((byte, index) => payload[index] !== byte)) {
    throw new FormatError("The first frame is not a greeting of this protocol");
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload.subarray(MAGIC.length)));
  } catch (cause) {
    throw new FormatError("The greeting is not JSON", { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonRecord;
  }
  throw new FormatError("The greeting is not a JSON object");
}

function helloOf(record: JsonRecord): Hello {
  const versions = record["versions"];
  const range = typeof versions === "object" && versions !== null ? versions as JsonRecord : {};
  const { program } = record;
  const min = numberOf(range, "min", 1, U32_MAX);
  return {
    program: typeof program === "string" ? program.slice(0, TEXT_LENGTH_MAX) : "an unknown program",
    versions: { min, max: numberOf(range, "max", min, U32_MAX) },
    features: textsOf(record, "features"),
  };
}

function numberOf(record: JsonRecord, name: string, min: number, max: number): number {
  const value = record[name];
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw new FormatError(`The greeting has no "${name}" from ${min} to ${max}`);
}

function textsOf(record: JsonRecord, name: string): readonly string[] {
  const value = record[name];
  const isList = Array.isArray(value) && value.length <= LIST_LENGTH_MAX &&
    value.every((item) => typeof item === "string");
  if (isList) return value as string[];
  throw new FormatError(`The greeting has no list "${name}" of texts`);
}

/**
 * Names of tasks, as a server writes them down with results:
 *
 *     UPID:<node>:<pid>:<pstart>:<task>:<starttime>:<type>:<id>:<auth id>:
 *
 * Numbers are upper case hex digits, at least 8. The id is escaped like the name of a systemd unit.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** A task. */
export interface Upid {
  /** Host name up to the first dot. */
  readonly node: string;
  readonly pid: number;
  /** When the process started, in clock ticks since the machine did. */
  readonly processStart: number;
  /** Number of the task in its process. */
  readonly task: number;
  /** Unix seconds. */
  readonly startTime: number;
  /** What it does, such as `garbage_collection`. */
  readonly type: string;
  /** What it does it with, such as the name of a datastore; undefined for nothing in particular. */
  readonly id: string | undefined;
  readonly authId: string;
}

const NODE = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const PATTERN = new RegExp(
  `^UPID:(${NODE}):([0-9A-F]{8}):([0-9A-F]{8,9}):([0-9A-F]{8,16}):([0-9A-F]{8}):` +
    "([^:\\s]+):([^:\\s]*):([^:\\s]+):$",
);

/** Reads the name of a task. @throws {FormatError} */
export function parseUpid(text: string): Upid {
  const fields = PATTERN.exec(text);
  if (fields === null) throw new FormatError(`Cannot read "${text}": it is not the name of a task`);
  const [, node, pid, processStart, task, startTime, type, id, authId] = fields;
  return {
    node: node!,
    pid: parseInt(pid!, 16),
    processStart: parseInt(processStart!, 16),
    task: parseInt(task!, 16),
    startTime: parseInt(startTime!, 16),
    type: type!,
    id: id === "" ? undefined : unescapeUnit(id!),
    authId: authId!,
  };
}

/** The name of a task. */
export function formatUpid(upid: Upid): string {
  const hex = (value: number, digitsMax = 8) => {
    const digits = value.toString(16).toUpperCase().padStart(8, "0");
    return digits.slice(-digitsMax);
  };
  return [
    "UPID",
    upid.node,
    hex(upid.pid),
    hex(upid.processStart, 9),
    hex(upid.task, 16),
    hex(upid.startTime),
    upid.type,
    upid.id === undefined ? "" : escapeUnit(upid.id),
    upid.authId,
    "",
  ].join(":");
}

/** A text with only such characters as names of systemd units have. `/` becomes `-`. */
export function escapeUnit(text: string): string {
  const bytes = new TextEncoder().encode(text);
  let result = "";
  for (const [index, byte] of bytes.entries()) {
    const character = String.fromCharCode(byte);
    if (character === "/") result += "-";
    else if (/[A-Za-z0-9_.]/.test(character) && !(index === 0 && character === ".")) {
      result += character;
    } else result += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return result;
}

function unescapeUnit(text: string): string {
  const bytes: number[] = [];
  for (const [token, hex] of text.matchAll(/\\x([0-9a-f]{2})|[\s\S]/g)) {
    if (hex !== undefined) bytes.push(parseInt(hex, 16));
    else if (token === "-") bytes.push(0x2f);
    else bytes.push(...new TextEncoder().encode(token));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

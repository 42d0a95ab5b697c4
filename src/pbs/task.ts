/**
 * Names for what this process does to a datastore.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { formatUpid } from "./format/upid.ts";

/** Where in `/proc/self/stat`, counted after the program's name, the start time is. */
const START_TIME_FIELD = 19;
const FILE_SIZE_MAX = 4096;

let taskCount = 0;

/**
 * The name of a task of this process that begins now. Needs FFI.
 *
 * @param type what it does, such as `verify`
 * @param storeName name of the datastore
 * @param startTime unix seconds
 */
export function newTask(
  type: string,
  storeName: string,
  authId: string,
  startTime: number,
): string {
  return formatUpid({
    node: nodeName(),
    pid: host.getPid(),
    processStart: processStart(),
    task: taskCount++,
    startTime,
    type,
    id: storeName,
    authId,
  });
}

/** What a datastore is called where nothing else is known: the last part of its path. */
export function storeNameOf(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) || "datastore";
}

/** Host name as far as a server takes it for one. */
export function nodeName(): string {
  const [name] = (readText("/proc/sys/kernel/hostname") ?? "").trim().split(".");
  const clean = name!.replace(/[^a-zA-Z0-9-]/g, "").replace(/^-+|-+$/g, "");
  return clean === "" ? "localhost" : clean;
}

function processStart(): number {
  const text = readText("/proc/self/stat") ?? "";
  // The program's name is in parentheses and may have anything in it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[START_TIME_FIELD]);
  return Number.isSafeInteger(ticks) ? ticks : 0;
}

function readText(path: string): string | undefined {
  const bytes = host.readSmallFile(path, FILE_SIZE_MAX);
  return typeof bytes === "number" ? undefined : new TextDecoder().decode(bytes);
}

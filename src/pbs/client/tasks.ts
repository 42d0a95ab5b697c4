/**
 * Tasks of a server: what runs there, what it says, and how it ends.
 *
 * @module
 */

import * as v from "valibot";
import { StateError } from "#src/errors.ts";
import { sleep } from "#src/threads/waiting.ts";
import type { NetworkLink } from "./network_link.ts";
import { answerOf } from "./rest_answers.ts";

const TASKS_PATH = "nodes/localhost/tasks";
/** Lines that are asked for at once. */
const LINES_MAX = 500;
const PAUSE_MS = 500;

/** To the year 9999: what is beyond has no date. */
const SECONDS = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(253_402_300_799));
const UPID = v.pipe(v.string(), v.regex(/^UPID:\P{C}{1,1000}$/u));
const TASKS = v.array(v.object({
  upid: UPID,
  starttime: SECONDS,
  endtime: v.nullish(SECONDS),
  status: v.nullish(v.string()),
  user: v.nullish(v.string()),
  worker_type: v.nullish(v.string()),
  worker_id: v.nullish(v.string()),
}));
const STATUS = v.object({ status: v.string(), exitstatus: v.nullish(v.string()) });
const LINES = v.array(v.object({ n: SECONDS, t: v.string() }));

/** A task as it is listed. */
export interface ServerTask {
  /** Its name. */
  readonly upid: string;
  /** Unix seconds. */
  readonly starttime: number;
  /** Unix seconds; left out while it runs. */
  readonly endtime?: number | undefined;
  /** How it has ended: `OK`, `WARNINGS: …`, or what went wrong. */
  readonly status?: string | undefined;
}

/** Which tasks are listed. */
export interface TaskFilter {
  readonly store: string;
  readonly limit: number;
  /** Whether those that have ended are left out. */
  readonly isRunning: boolean;
}

/** Tasks of a datastore, newest first. @throws {ProtocolError} */
export function listTasks(
  link: NetworkLink,
  { store, limit, isRunning }: TaskFilter,
  server: string,
): ServerTask[] {
  const parameters = { store, limit, running: isRunning };
  return answerOf(TASKS, link.rest("GET", TASKS_PATH, parameters), server)
    .map(({ upid, starttime, endtime, status }) => ({
      upid,
      starttime,
      endtime: endtime ?? undefined,
      status: status ?? undefined,
    }));
}

/** Asks a task to stop. @throws {StateError} `not-found` */
export function stopTask(link: NetworkLink, upid: string): void {
  link.rest("DELETE", pathOf(upid));
}

/**
 * Gives the lines of a task as they come, to its end.
 *
 * @returns how it has ended: `OK`, `WARNINGS: …`, or what went wrong
 * @throws {StateError} `not-found` when there is no such task
 */
export function followTask(
  link: NetworkLink,
  upid: string,
  server: string,
  onLine: (text: string) => void,
): string {
  for (let start = 0;;) {
    // Before the lines: those of a task that has ended are complete.
    const { status, exitstatus } = answerOf(
      STATUS,
      link.rest("GET", `${pathOf(upid)}/status`),
      server,
    );
    const hasEnded = status !== "running";
    let count: number;
    do {
      const data = link.rest("GET", `${pathOf(upid)}/log`, { start, limit: LINES_MAX });
      const lines = answerOf(LINES, data, server);
      // Some servers answer an empty log with a line that says so.
      const told = lines.filter(({ n }) => n > start);
      for (const { t } of told) onLine(t);
      count = told.length;
      start += count;
    } while (count >= LINES_MAX);
    if (hasEnded) return exitstatus ?? "unknown";
    sleep(PAUSE_MS);
  }
}

function pathOf(upid: string): string {
  if (!v.is(UPID, upid)) throw new StateError("not-found", `"${upid}" is not the name of a task`);
  return `${TASKS_PATH}/${encodeURIComponent(upid)}`;
}

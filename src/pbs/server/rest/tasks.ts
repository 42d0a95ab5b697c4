/**
 * Tasks of the server: what runs or ran, with its log. The last thousand are kept in a folder.
 *
 *     tasks.jsonl        a line for the beginning and one for the end of each task
 *     <hash>.log         lines of a task, named by the hash of its UPID
 *
 * What runs is known in memory: a full disk keeps neither a server from starting nor garbage from
 * being collected, which is what it needs then.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Failure } from "#src/errors.ts";
import { replaceFile } from "#src/io/files/whole_file.ts";
import { currentSeconds } from "../../clock.ts";
import { parseUpid, type Upid } from "../../format/upid.ts";
import { newTask } from "../../task.ts";
import { Refusal } from "../refusal.ts";
import { TASK_LOG_SIZE_MAX, type ThreadTask } from "./task_calls.ts";

/** A task as it is listed. */
export interface TaskRecord {
  readonly upid: string;
  readonly fields: Upid;
  /** Datastore that it is about. */
  readonly store: string | undefined;
  /** Unix seconds; undefined while it runs. */
  readonly endTime: number | undefined;
  /** `OK` or what went wrong; undefined while it runs. */
  readonly status: string | undefined;
}

/** What a task is. */
export interface TaskStart {
  readonly type: string;
  /** What it does it with: `store`, `store:host/elsa`. */
  readonly id: string;
  readonly store: string;
  readonly authId: string;
}

const TASKS_MAX = 1000;
const INDEX_SIZE_MAX = 4 << 20;
const LINES_MAX = 5000;
/** What a task got that was running when its server ended. */
const UNKNOWN_STATUS = "unknown";

interface Task {
  record: TaskRecord;
  readonly stop: SharedArrayBuffer;
  readonly abort: AbortController;
}

/** See the head of the module. */
export class Tasks {
  readonly #folder: string;
  /** Oldest first. */
  readonly #tasks = new Map<string, Task>();
  readonly #running = new Set<Promise<void>>();
  /** The last line of the index may be a part of one. */
  #isTorn = false;

  /** Reads what former servers have left. @throws {Error} when the folder cannot be made */
  constructor(folder: string) {
    this.#folder = folder;
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const record of readIndex(this.#indexPath)) {
      this.#tasks.set(record.upid, newEntry(record));
    }
    this.#trim();
    this.#rewriteIndex();
  }

  /** How many run. */
  get runningCount(): number {
    return this.#running.size;
  }

  /**
   * Starts a task.
   *
   * @param run does it; what it throws becomes the status
   * @returns its UPID
   */
  start(
    { type, id, store, authId }: TaskStart,
    run: (task: ThreadTask, signal: AbortSignal) => Promise<void>,
  ): string {
    const upid = newTask(type, id, authId, currentSeconds());
    const fields = parseUpid(upid);
    const task = newEntry({ upid, fields, store, endTime: undefined, status: undefined });
    this.#tasks.set(upid, task);
    this.#trim();
    this.#append({ upid, store });
    writeIfPossible(() => {
      Deno.writeTextFileSync(this.#logPath(upid), `starting ${type} ${id}\n`);
    });
    const ended = this.#run(task, run).finally(() => this.#running.delete(ended));
    this.#running.add(ended);
    return upid;
  }

  /** Tasks, newest first. */
  list(): TaskRecord[] {
    return [...this.#tasks.values()].map(({ record }) => record).reverse();
  }

  /** @throws {Refusal} 404 when there is none */
  find(upid: string): TaskRecord {
    return this.#entry(upid).record;
  }

  /** Lines of a log, counted from `start`, and how many there are. @throws {Refusal} */
  async log(
    upid: string,
    start: number,
    limit: number,
  ): Promise<{ readonly lines: { n: number; t: string }[]; readonly total: number }> {
    this.#entry(upid);
    const text = await Deno.readTextFile(this.#logPath(upid)).catch(() => "");
    const all = text.slice(0, TASK_LOG_SIZE_MAX * 2).split("\n").slice(0, -1);
    const lines = all.slice(start, start + Math.min(limit, LINES_MAX))
      .map((t, index) => ({ n: start + index + 1, t }));
    return { lines, total: all.length };
  }

  /** Asks a task to end. @throws {Refusal} 404 */
  stop(upid: string): void {
    const { stop, abort } = this.#entry(upid);
    Atomics.store(new Int32Array(stop), 0, 1);
    abort.abort();
  }

  /** Asks all to end, and waits for that. */
  async close(): Promise<void> {
    for (const [upid, { record }] of this.#tasks) {
      if (record.status === undefined) this.stop(upid);
    }
    await Promise.all(this.#running);
  }

  async #run(
    task: Task,
    run: (task: ThreadTask, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { upid } = task.record;
    const logPath = this.#logPath(upid);
    let status = "OK";
    try {
      await run({ upid, logPath, stop: task.stop }, task.abort.signal);
    } catch (error) {
      status = error instanceof Failure ? error.message : "internal error";
    }
    const endTime = currentSeconds();
    task.record = { ...task.record, endTime, status };
    const line = status === "OK" ? "TASK OK\n" : `TASK ERROR: ${status}\n`;
    writeIfPossible(() => Deno.writeTextFileSync(logPath, line, { append: true }));
    this.#append({ upid, store: task.record.store, endTime, status });
  }

  #entry(upid: string): Task {
    const task = this.#tasks.get(upid);
    if (task === undefined) throw new Refusal(404, `no such task '${upid.slice(0, 512)}'`);
    return task;
  }

  /** Forgets the oldest that have ended. */
  #trim(): void {
    for (const [upid, { record }] of this.#tasks) {
      if (this.#tasks.size <= TASKS_MAX) return;
      if (record.status === undefined) continue;
      this.#tasks.delete(upid);
      try {
        Deno.removeSync(this.#logPath(upid));
      } catch {
        // It is gone already.
      }
    }
  }

  #append(line: IndexLine): void {
    const text = `${this.#isTorn ? "\n" : ""}${JSON.stringify(line)}\n`;
    this.#isTorn = !writeIfPossible(() => {
      Deno.writeTextFileSync(this.#indexPath, text, { append: true, mode: 0o600 });
    });
  }

  #rewriteIndex(): void {
    const lines = [...this.#tasks.values()].map(({ record }) => {
      const { upid, store, endTime, status } = record;
      return `${JSON.stringify({ upid, store, endTime, status })}\n`;
    });
    const path = this.#indexPath;
    const bytes = new TextEncoder().encode(lines.join(""));
    const isWritten = writeIfPossible(() => {
      replaceFile(path, `${path}.new`, bytes, { mode: 0o600, isDurable: true });
    });
    this.#isTorn = !isWritten;
  }

  get #indexPath(): string {
    return `${this.#folder}/tasks.jsonl`;
  }

  /** The parts of a UPID may be longer than a file's name. */
  #logPath(upid: string): string {
    return `${this.#folder}/${createHash("sha256").update(upid).digest("hex").slice(0, 40)}.log`;
  }
}

/** @returns whether it could be done */
function writeIfPossible(write: () => void): boolean {
  try {
    write();
    return true;
  } catch {
    return false;
  }
}

interface IndexLine {
  readonly upid: string;
  readonly store?: string | undefined;
  readonly endTime?: number | undefined;
  readonly status?: string | undefined;
}

function newEntry(record: TaskRecord): Task {
  return { record, stop: new SharedArrayBuffer(4), abort: new AbortController() };
}

/** What cannot be read is passed over: a log is no reason not to start. */
function readIndex(path: string): Iterable<TaskRecord> {
  const records = new Map<string, TaskRecord>();
  let text = "";
  try {
    text = Deno.readTextFileSync(path).slice(-INDEX_SIZE_MAX);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const line of text.split("\n")) {
    try {
      const { upid, store, endTime = 0, status = UNKNOWN_STATUS } = JSON.parse(line) as IndexLine;
      const fields = parseUpid(upid);
      records.set(upid, { upid, fields, store, endTime: endTime || fields.startTime, status });
    } catch {
      continue;
    }
  }
  return records.values();
}

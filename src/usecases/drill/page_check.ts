/**
 * All pages of a data directory whose server has stopped: readable, whole, with the checksum that
 * belongs to them. Files are shared among threads.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import { listOpenDirectory } from "#src/io/files/open_directory.ts";
import { withDirectory } from "#src/io/files/whole_file.ts";
import { CallPool } from "#src/threads/call_pool.ts";
import { spawnThread } from "../threads.ts";
import type { FileCheck, PageCheckTable, PageRange } from "./page_check_thread.ts";
import { PAGE_CHECK_ROLE } from "./page_check_role.ts";
import { type CheckEnd, Findings } from "./report.ts";

/** What is checked, and how much of it. */
export interface PageCheckRequest {
  readonly dataDirectory: string;
  /** Threads. */
  readonly jobs: number;
  /** Of each file, so many of a hundred ranges of pages. */
  readonly samplePercent: number;
  /** Ends the check. */
  readonly signal: AbortSignal | undefined;
  /** Name of the relation that a file belongs to, by the path of its first segment. */
  readonly relationOf: (file: string) => { database?: string; relation?: string };
  readonly onPages: (count: number) => void;
}

/** A segment of a relation has 1 GiB unless the server was built otherwise. */
const SEGMENT_BLOCKS = 131_072;
const PAGE_SIZE = 8192;
/** Pages that are given to a thread at a time. */
const RANGE_PAGES = 4096;
/** Relation files of any fork; maps and temporary files have other names. */
const RELATION = /^(\d+)(_(?:fsm|vm|init))?(?:\.(\d+))?$/u;
const DEPTH_MAX = 5;

/** Checks them. @throws {OsError} when directories cannot be read @throws when aborted */
export async function checkPages(request: PageCheckRequest): Promise<CheckEnd> {
  const { dataDirectory, jobs, samplePercent, signal, onPages } = request;
  const findings = new Findings();
  const counts = { files: 0, pages: 0 };
  const pool = new CallPool<PageCheckTable, null>({
    spawn: spawnThread,
    role: PAGE_CHECK_ROLE,
    count: jobs,
    queueMax: 2 * jobs,
  });
  const take = (file: string, check: FileCheck) => {
    counts.pages += check.pages;
    onPages(counts.pages);
    const place = check.faults.length === 0 ? {} : request.relationOf(firstSegment(file));
    for (const { block, message } of check.faults) {
      findings.add({ message, file, block, ...place });
    }
  };
  const sample = new Sample(samplePercent);
  const running = new Set<Promise<void>>();
  try {
    for (const { file, segment, sizeBytes } of relationFiles(dataDirectory)) {
      counts.files++;
      for (const range of rangesOf(segment, sizeBytes)) {
        if (!sample.takes()) continue;
        signal?.throwIfAborted();
        const work = pool.call(null, "check", [`${dataDirectory}/${file}`, range])
          .then((check) => take(file, check)).finally(() => running.delete(work));
        running.add(work);
        if (running.size >= 2 * jobs) await Promise.race(running);
      }
    }
    await Promise.all(running);
  } finally {
    await Promise.allSettled(running);
    await pool.close();
  }
  const part = samplePercent < 100 ? `, a sample of ${samplePercent} %` : "";
  return { summary: `${counts.pages} pages of ${counts.files} files${part}`, counts, findings };
}

/** Takes a part of what comes, evenly, from the first on. */
class Sample {
  readonly #percent: number;
  #sum = 100;

  constructor(percent: number) {
    this.#percent = percent;
  }

  takes(): boolean {
    this.#sum += this.#percent;
    if (this.#sum < 100) return false;
    this.#sum -= 100;
    return true;
  }
}

function* rangesOf(segment: number, sizeBytes: number): Generator<PageRange> {
  const pages = Math.ceil(sizeBytes / PAGE_SIZE);
  for (let first = 0; first < pages; first += RANGE_PAGES) {
    const count = Math.min(RANGE_PAGES, pages - first);
    yield { first, count, firstBlock: segment * SEGMENT_BLOCKS + first };
  }
}

interface RelationFile {
  /** Path in the data directory. */
  readonly file: string;
  readonly segment: number;
  readonly sizeBytes: number;
}

function* relationFiles(dataDirectory: string): Generator<RelationFile> {
  for (const name of ["global", "base"]) yield* filesBelow(dataDirectory, name, 0);
  for (const name of namesIn(dataDirectory, "pg_tblspc")) {
    yield* filesBelow(dataDirectory, `pg_tblspc/${name.name}`, 0);
  }
}

function* filesBelow(
  dataDirectory: string,
  path: string,
  depth: number,
): Generator<RelationFile> {
  const stat = new host.HostStat();
  for (const { name, type } of namesIn(dataDirectory, path)) {
    const file = `${path}/${name}`;
    if (type === EntryType.DIRECTORY) {
      if (depth < DEPTH_MAX) yield* filesBelow(dataDirectory, file, depth + 1);
      continue;
    }
    const match = type === EntryType.FILE ? RELATION.exec(name) : null;
    if (match === null) continue;
    host.unwrap(host.lstat(`${dataDirectory}/${file}`, stat), "stat", file);
    yield { file, segment: Number(match[3] ?? 0), sizeBytes: stat.size };
  }
}

function namesIn(dataDirectory: string, path: string) {
  const whole = `${dataDirectory}/${path}`;
  return withDirectory(whole, (fd) => listOpenDirectory(fd, whole));
}

/** `base/5/16396.2` and `base/5/16396_vm` belong to `base/5/16396`. */
function firstSegment(file: string): string {
  return file.replace(/(?:_(?:fsm|vm|init))?(?:\.\d+)?$/u, "");
}

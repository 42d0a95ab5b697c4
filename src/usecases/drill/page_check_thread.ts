/**
 * Pages of one file, in a thread.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import {
  makeVectorChecksum,
  pageChecksum,
  PageVerdict,
  verifyPage,
} from "#src/pgprobackup/format/page_checksum.ts";
import { type CallTable, serveCalls } from "#src/threads/call_pool.ts";

/** Pages that follow each other in a file. */
export interface PageRange {
  /** In the file. */
  readonly first: number;
  readonly count: number;
  /** Number of the first one in the relation's fork, which the checksum depends on. */
  readonly firstBlock: number;
}

/** What was found. */
export interface FileCheck {
  /** That could be read. */
  readonly pages: number;
  readonly faults: readonly { readonly block: number; readonly message: string }[];
}

const PAGE_SIZE = 8192;
const PAGE_WORDS = PAGE_SIZE / 4;
const PAGES_PER_READ = 128;
/** Faults of a range that are told: one that cannot be read at all has thousands. */
const FAULTS_MAX = 100;
const TABLE = { check } satisfies CallTable<null>;

/** Calls that the thread answers. */
export type PageCheckTable = typeof TABLE;

/** Serves a pool of such threads. */
export function servePageChecks(start: unknown): Promise<void> {
  return serveCalls(start, TABLE, () => null, () => {});
}

const buffer = host.allocateNativeBuffer(PAGES_PER_READ * PAGE_SIZE);
const words = new Int32Array(
  buffer.bytes.buffer,
  buffer.bytes.byteOffset,
  PAGES_PER_READ * PAGE_WORDS,
);
const checksum = makeVectorChecksum() ?? pageChecksum;

function check(_context: null, path: string, { first, count, firstBlock }: PageRange): FileCheck {
  const { RDONLY, NOFOLLOW } = host.OpenFlag;
  const fd = host.open(path, RDONLY | NOFOLLOW);
  if (fd < 0) return { pages: 0, faults: [{ block: firstBlock, message: readFailure(fd) }] };
  const faults: { block: number; message: string }[] = [];
  let pages = 0;
  const add = (page: number, message: string) => {
    if (faults.length < FAULTS_MAX) faults.push({ block: firstBlock + page, message });
  };
  try {
    for (let page = 0; page < count;) {
      const wanted = Math.min(PAGES_PER_READ, count - page);
      const read = host.preadFully(
        fd,
        buffer.address,
        wanted * PAGE_SIZE,
        (first + page) * PAGE_SIZE,
      );
      if (read < 0) {
        // One bad page fails the read of all its neighbours: each is read alone then.
        pages += checkOneByOne(fd, first, page, wanted, firstBlock, add);
      } else {
        const whole = Math.floor(read / PAGE_SIZE);
        for (let index = 0; index < whole; index++) checkPage(index, firstBlock, page + index, add);
        pages += whole;
        if (read % PAGE_SIZE !== 0) add(page + whole, "the file ends inside of this page");
      }
      page += wanted;
    }
  } finally {
    host.close(fd);
  }
  return { pages, faults };
}

type AddFault = (page: number, message: string) => void;

function checkOneByOne(
  fd: number,
  first: number,
  start: number,
  count: number,
  firstBlock: number,
  add: AddFault,
): number {
  let pages = 0;
  for (let page = start; page < start + count; page++) {
    const read = host.preadFully(fd, buffer.address, PAGE_SIZE, (first + page) * PAGE_SIZE);
    if (read < 0) add(page, readFailure(read));
    else if (read === PAGE_SIZE) {
      checkPage(0, firstBlock, page, add);
      pages++;
    }
  }
  return pages;
}

function checkPage(index: number, firstBlock: number, page: number, add: AddFault): void {
  const start = index * PAGE_WORDS;
  const verdict = verifyPage(words, start, firstBlock + page, checksum);
  if (verdict === PageVerdict.BAD_NEW_PAGE) add(page, "a page without header has data");
  else if (verdict === PageVerdict.BAD_CHECKSUM) add(page, "wrong checksum of the page");
}

function readFailure(result: number): string {
  const name = Object.entries(host.Errno).find(([, value]) => value === -result)?.[0];
  return `cannot be read (${name ?? `errno ${-result}`})`;
}

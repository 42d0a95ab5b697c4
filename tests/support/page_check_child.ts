/**
 * Checks every page checksum of a stopped cluster: `page_check_child.ts DATA_DIRECTORY`. For
 * servers whose version no `pg_checksums` at hand accepts. Prints the number of pages; exit code 1
 * and a line for each bad page.
 *
 * @module
 */

import { PageVerdict, verifyPage } from "#src/pgprobackup/format/page_checksum.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { readAt, withFile } from "#tests/support/posix_files.ts";

const PAGE_SIZE = 8192;
const SEGMENT_BLOCKS = 131_072;
const PAGES_PER_READ = 64;
/** Relation files of any fork; temporary files and maps have other names. */
const RELATION = /^\d+(_(fsm|vm|init))?(\.(\d+))?$/;

function checkFile(path: string, segment: number, bad: string[]): number {
  return withFile(path, posix.O.RDONLY, (fd) => {
    let block = 0;
    for (;;) {
      const bytes = readAt(fd, block * PAGE_SIZE, PAGES_PER_READ * PAGE_SIZE);
      if (bytes.length === 0) return block;
      if (bytes.length % PAGE_SIZE !== 0) bad.push(`${path}: ends inside block ${block}`);
      const words = new Int32Array(bytes.buffer, 0, Math.floor(bytes.length / PAGE_SIZE) * 2048);
      for (let word = 0; word < words.length; word += PAGE_SIZE / 4) {
        const verdict = verifyPage(words, word, segment * SEGMENT_BLOCKS + block);
        if (verdict !== PageVerdict.GOOD) bad.push(`${path}: block ${block}`);
        block++;
      }
    }
  });
}

function checkDirectory(directory: string, bad: string[]): number {
  let pages = 0;
  for (const { name } of posix.readDirectory(directory)) {
    const path = `${directory}/${name}`;
    const type = posix.stat(path).mode & posix.FileType.MASK;
    if (type === posix.FileType.DIRECTORY) pages += checkDirectory(path, bad);
    const match = RELATION.exec(name);
    if (type === posix.FileType.REGULAR && match !== null) {
      pages += checkFile(path, Number(match[4] ?? 0), bad);
    }
  }
  return pages;
}

const [dataDirectory = "."] = Deno.args;
const bad: string[] = [];
const pages = ["global", "base", "pg_tblspc"].reduce(
  (sum, name) => sum + checkDirectory(`${dataDirectory}/${name}`, bad),
  0,
);
for (const line of bad) console.log(line);
console.log(pages);
Deno.exit(bad.length === 0 ? 0 : 1);

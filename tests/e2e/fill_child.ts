/**
 * Fills the file system of a mount: `fill_child.ts MOUNT`. Prints what happened as one line of
 * JSON.
 *
 * @module
 */

import { errnoName, OsError } from "#ffi/os_error.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { patternBytes, readAt, withFile } from "#tests/support/posix_files.ts";

const PIECE_BYTES = 256 << 10;
const PIECES_MAX = 4096;
const { O } = posix;

/** Calls until it fails; the errno's name, or "nothing" when it never does. */
function untilError(call: (round: number) => void): string {
  try {
    for (let round = 0; round < PIECES_MAX; round++) call(round);
    return "nothing";
  } catch (error) {
    if (error instanceof OsError) return errnoName(error.errno);
    throw error;
  }
}

/**
 * Appends pieces until the disk is full; how many bytes are there, and whether they are the right
 * ones.
 */
function fill(path: string): { error: string; writtenBytes: number; isContentKept: boolean } {
  const piece = patternBytes(PIECE_BYTES, 5);
  return withFile(path, O.RDWR | O.CREAT | O.TRUNC, (fd) => {
    let size = 0;
    const error = untilError(() => size += posix.pwrite(fd, piece.slice(size % PIECE_BYTES), size));
    const isKept = (offset: number) => {
      const wanted = piece.subarray(0, Math.min(PIECE_BYTES, size - offset));
      const got = readAt(fd, offset, wanted.length);
      return got.length === wanted.length && got.every((byte, index) => byte === wanted[index]);
    };
    let isContentKept = posix.fstat(fd).size >= size;
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      isContentKept = isContentKept && isKept(offset);
    }
    return { error, writtenBytes: size, isContentKept };
  });
}

/** Overwrites blocks of the backup's largest files, which need space for their copies. */
function overwriteBlocks(root: string): string {
  const database = `${root}/base/5`;
  const files = posix.names(database).filter((name) => /^\d+$/.test(name))
    .map((name) => `${database}/${name}`).filter((path) => posix.stat(path).size > 100_000);
  return untilError((round) => {
    const path = files[round % files.length];
    if (path === undefined) throw new Error("Cannot find large relations");
    withFile(path, O.RDWR, (fd) => {
      const block = Math.floor(round / files.length);
      if ((block + 1) * 8192 > posix.fstat(fd).size) return;
      posix.pwrite(fd, readAt(fd, block * 8192, 8192), block * 8192);
      posix.fsync(fd);
    });
  });
}

/** Creates files with content until that fails. */
function createFiles(root: string): string {
  return untilError((round) =>
    withFile(`${root}/small${round}`, O.WRONLY | O.CREAT, (fd) => {
      posix.pwrite(fd, patternBytes(8192, round), 0);
    })
  );
}

const [root = "."] = Deno.args;
const { error, writtenBytes, isContentKept } = fill(`${root}/filler`);
const errors = { append: error, create: createFiles(root), overwrite: overwriteBlocks(root) };
for (const name of posix.names(root)) {
  if (name.startsWith("small")) posix.unlink(`${root}/${name}`);
}
console.log(JSON.stringify({ errors, writtenBytes, isContentKept }));

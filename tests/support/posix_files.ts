/**
 * What most cases of the POSIX suite need around the bare calls: whole-file reads and writes,
 * recognisable content, and the assertion that a call fails with one errno.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno, errnoName, OsError } from "#ffi/os_error.ts";
import * as posix from "#tests/support/posix_calls.ts";

/** Asserts that `call` fails with one of `errnos`. */
export function assertErrno(call: () => unknown, ...errnos: readonly number[]): void {
  const wanted = errnos.map(errnoName).join(" or ");
  try {
    call();
  } catch (error) {
    if (!(error instanceof OsError)) throw error;
    assert.ok(errnos.includes(error.errno), `${error.message}, expected ${wanted}`);
    return;
  }
  assert.fail(`the call succeeded, expected ${wanted}`);
}

/** Asserts that a name is not there. */
export function assertAbsent(path: posix.Path): void {
  assertErrno(() => posix.lstat(path), Errno.ENOENT);
}

/** Opens, hands the descriptor to `use`, and closes it in every case. */
export function withFile<T>(path: posix.Path, flags: number, use: (fd: number) => T): T {
  const fd = posix.open(path, flags);
  try {
    return use(fd);
  } finally {
    posix.close(fd);
  }
}

/** Writes all of `bytes` at `offset`; a short write is continued. */
export function writeAllAt(fd: number, bytes: Uint8Array<ArrayBuffer>, offset: number): void {
  for (let done = 0; done < bytes.length;) {
    done += posix.pwrite(fd, bytes.subarray(done), offset + done);
  }
}

/** Reads up to `sizeBytes` at `offset`; less only at the end of the file. */
export function readAt(fd: number, offset: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let done = 0;
  while (done < sizeBytes) {
    const got = posix.pread(fd, bytes.subarray(done), offset + done);
    if (got === 0) break;
    done += got;
  }
  return bytes.slice(0, done);
}

/** Creates or replaces the content of a file. */
export function writeFile(path: posix.Path, content: string | Uint8Array<ArrayBuffer>): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  withFile(path, posix.O.WRONLY | posix.O.CREAT | posix.O.TRUNC, (fd) => writeAllAt(fd, bytes, 0));
}

/** The whole content of a file. */
export function readFile(path: posix.Path): Uint8Array<ArrayBuffer> {
  return withFile(path, posix.O.RDONLY, (fd) => {
    const parts: Uint8Array[] = [];
    const buffer = new Uint8Array(1 << 20);
    let total = 0;
    for (;;) {
      const got = posix.read(fd, buffer);
      if (got === 0) break;
      parts.push(buffer.slice(0, got));
      total += got;
    }
    const bytes = new Uint8Array(total);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  });
}

/** The whole content of a file as text. */
export function readText(path: posix.Path): string {
  return new TextDecoder().decode(readFile(path));
}

/**
 * `sizeBytes` of content that differs at every place and for every `seed`, the same in each run.
 */
export function patternBytes(sizeBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = (seed * 0x9e3779b1) >>> 0 || 1;
  for (let i = 0; i < sizeBytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/**
 * Asserts that two contents are equal; the message holds the first difference, not both contents.
 */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what = "content"): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) {
      assert.fail(`${what}: byte ${i} is ${actual[i]}, expected ${expected[i]}`);
    }
  }
}

/** Asserts that every byte is 0. */
export function assertZeros(actual: Uint8Array, what = "content"): void {
  const at = actual.findIndex((byte) => byte !== 0);
  assert.equal(at, -1, `${what}: byte ${at} is ${actual[at]}, expected 0`);
}

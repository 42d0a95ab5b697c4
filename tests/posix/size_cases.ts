/**
 * Length of files: truncation, holes, preallocation.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno, OsError } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertErrno,
  assertSameBytes,
  assertZeros,
  patternBytes,
  readAt,
  readFile,
  withFile,
  writeAllAt,
  writeFile,
} from "#tests/support/posix_files.ts";

const { O, Seek } = posix;
const CREATE = O.RDWR | O.CREAT;

/** Runs fallocate; false when the file system does not know the mode. */
function tryFallocate(fd: number, mode: number, offset: number, size: number): boolean {
  try {
    posix.fallocate(fd, mode, offset, size);
    return true;
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.EOPNOTSUPP) return false;
    throw error;
  }
}

/** Cases about the length of files. */
export const sizeCases: PosixSuite = new Map(Object.entries({
  "truncate shortens, and what is gone reads as zeros after extending again"(directory: string) {
    const path = `${directory}/file`;
    const content = patternBytes(50_000);
    for (const cut of [0, 1, 4096, 8191, 8192, 8193, 49_999]) {
      writeFile(path, content);
      posix.truncate(path, cut);
      assert.equal(posix.stat(path).size, cut);
      assertSameBytes(readFile(path), content.subarray(0, cut), `cut at ${cut}`);
      posix.truncate(path, 50_000);
      const now = readFile(path);
      assert.equal(now.length, 50_000);
      assertSameBytes(now.subarray(0, cut), content.subarray(0, cut), `kept below ${cut}`);
      assertZeros(now.subarray(cut), `after cut at ${cut}`);
    }
  },
  "ftruncate works on an open handle and moves no position"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      posix.write(fd, new Uint8Array(1000).fill(7));
      posix.ftruncate(fd, 10);
      assert.equal(posix.fstat(fd).size, 10);
      assert.equal(posix.lseek(fd, 0, Seek.CUR), 1000);
      posix.write(fd, new Uint8Array([9]));
      assert.equal(posix.fstat(fd).size, 1001);
      assertZeros(readAt(fd, 10, 990));
      assert.deepEqual([...readAt(fd, 1000, 10)], [9]);
    });
  },
  "truncate through one descriptor is seen by the others"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, patternBytes(40_000));
    withFile(path, O.RDONLY, (reader) => {
      assert.equal(readAt(reader, 0, 40_000).length, 40_000);
      posix.truncate(path, 8192);
      assert.equal(posix.lseek(reader, 0, Seek.END), 8192);
      assert.equal(readAt(reader, 0, 40_000).length, 8192);
      assert.equal(readAt(reader, 8192, 100).length, 0);
    });
  },
  "truncate and extend work in a loop as a relation shrinks and grows"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      for (let round = 1; round <= 10; round++) {
        const page = patternBytes(8192, round);
        for (let block = 0; block < 10; block++) writeAllAt(fd, page, block * 8192);
        posix.ftruncate(fd, 3 * 8192);
        writeAllAt(fd, page, 5 * 8192);
        assertZeros(readAt(fd, 3 * 8192, 2 * 8192), "gap");
        assertSameBytes(readAt(fd, 5 * 8192, 8192), page);
        assert.equal(posix.lseek(fd, 0, Seek.END), 6 * 8192);
      }
    });
  },
  "a negative length is EINVAL"(directory: string) {
    writeFile(`${directory}/file`, "x");
    assertErrno(() => posix.truncate(`${directory}/file`, -1), Errno.EINVAL);
  },
  "a write past the end leaves zeros between"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      writeAllAt(fd, new Uint8Array([1]), 0);
      writeAllAt(fd, new Uint8Array([2]), 100_000);
      assert.equal(posix.fstat(fd).size, 100_001);
      assertZeros(readAt(fd, 1, 99_999));
      assert.deepEqual([...readAt(fd, 100_000, 5)], [2]);
    });
  },
  "large offsets work and a hole takes little space"(directory: string) {
    const far = 5 * 2 ** 30 + 12345;
    withFile(`${directory}/file`, CREATE, (fd) => {
      writeAllAt(fd, new TextEncoder().encode("far"), far);
      const status = posix.fstat(fd);
      assert.equal(status.size, far + 3);
      assert.ok(status.blocks * 512 < 2 ** 20, `${status.blocks} blocks for three bytes`);
      assertZeros(readAt(fd, 3 * 2 ** 30, 4096));
      assert.equal(new TextDecoder().decode(readAt(fd, far, 10)), "far");
    });
    // Whoever reads the whole tree afterwards need not read gigabytes of zeros.
    posix.unlink(`${directory}/file`);
  },
  "SEEK_DATA and SEEK_HOLE are plausible"(directory: string) {
    const size = 4 * 2 ** 20;
    withFile(`${directory}/file`, CREATE, (fd) => {
      posix.ftruncate(fd, size);
      writeAllAt(fd, patternBytes(65_536), 2 * 2 ** 20);
      posix.fsync(fd);
      const data = posix.lseek(fd, 0, Seek.DATA);
      assert.ok(data <= 2 * 2 ** 20, `data found at ${data}, after the written bytes`);
      const hole = posix.lseek(fd, 2 * 2 ** 20, Seek.HOLE);
      assert.ok(hole >= 2 * 2 ** 20 + 65_536 && hole <= size, `hole found at ${hole}`);
      assert.ok(posix.lseek(fd, 0, Seek.HOLE) <= size);
      assertErrno(() => posix.lseek(fd, size, Seek.DATA), Errno.ENXIO);
      assertErrno(() => posix.lseek(fd, size, Seek.HOLE), Errno.ENXIO);
      assertErrno(() => posix.lseek(fd, size + 1000, Seek.DATA), Errno.ENXIO);
    });
    withFile(`${directory}/full`, CREATE, (fd) => {
      writeAllAt(fd, patternBytes(10_000), 0);
      assert.equal(posix.lseek(fd, 0, Seek.DATA), 0);
      assert.equal(posix.lseek(fd, 0, Seek.HOLE), 10_000);
    });
  },
  "fallocate extends the file with zeros"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      const content = patternBytes(10_000);
      writeAllAt(fd, content, 0);
      if (!tryFallocate(fd, 0, 8192, 131_072)) return;
      assert.equal(posix.fstat(fd).size, 8192 + 131_072);
      assertSameBytes(readAt(fd, 0, 10_000), content);
      assertZeros(readAt(fd, 10_000, 131_072));
      posix.fallocate(fd, 0, 0, 100);
      assert.equal(posix.fstat(fd).size, 8192 + 131_072);
      assertErrno(() => posix.fallocate(fd, 0, 0, 0), Errno.EINVAL);
      assertErrno(() => posix.fallocate(fd, 0, -1, 10), Errno.EINVAL);
    });
  },
  "fallocate with KEEP_SIZE keeps the size"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      writeAllAt(fd, new Uint8Array(100).fill(1), 0);
      if (!tryFallocate(fd, posix.Fallocate.KEEP_SIZE, 0, 100_000)) return;
      assert.equal(posix.fstat(fd).size, 100);
      posix.ftruncate(fd, 50_000);
      assertZeros(readAt(fd, 100, 49_900));
    });
  },
  "fallocate punches holes that read as zeros"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      const content = patternBytes(100_000);
      writeAllAt(fd, content, 0);
      const mode = posix.Fallocate.PUNCH_HOLE | posix.Fallocate.KEEP_SIZE;
      if (!tryFallocate(fd, mode, 5000, 50_001)) return;
      assert.equal(posix.fstat(fd).size, 100_000);
      assertSameBytes(readAt(fd, 0, 5000), content.subarray(0, 5000));
      assertZeros(readAt(fd, 5000, 50_001));
      assertSameBytes(readAt(fd, 55_001, 44_999), content.subarray(55_001));
    });
  },
  "fallocate with ZERO_RANGE zeroes"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      const content = patternBytes(40_000);
      writeAllAt(fd, content, 0);
      if (!tryFallocate(fd, posix.Fallocate.ZERO_RANGE, 100, 9000)) return;
      assertZeros(readAt(fd, 100, 9000));
      assertSameBytes(readAt(fd, 9100, 30_900), content.subarray(9100));
      assertSameBytes(readAt(fd, 0, 100), content.subarray(0, 100));
    });
  },
  "an empty file reads as nothing"(directory: string) {
    writeFile(`${directory}/empty`, "");
    withFile(`${directory}/empty`, O.RDONLY, (fd) => {
      assert.equal(readAt(fd, 0, 10).length, 0);
      assert.equal(readAt(fd, 10_000, 10).length, 0);
      assert.equal(posix.fstat(fd).size, 0);
    });
  },
}));

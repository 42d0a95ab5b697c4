/**
 * Files and directories that go away while something still uses them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno, OsError } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertAbsent,
  assertErrno,
  assertSameBytes,
  assertZeros,
  patternBytes,
  readAt,
  readText,
  withFile,
  writeAllAt,
  writeFile,
} from "#tests/support/posix_files.ts";

const { O } = posix;

/** Cases about unlink and rmdir. */
export const unlinkCases: PosixSuite = new Map(Object.entries({
  "an unlinked file that is open can be read, written, sized and synced"(directory: string) {
    const path = `${directory}/file`;
    const content = patternBytes(100_000);
    writeFile(path, content);
    withFile(path, O.RDWR, (fd) => {
      posix.unlink(path);
      assertAbsent(path);
      assert.deepEqual(posix.names(directory), []);
      const status = posix.fstat(fd);
      assert.equal(status.nlink, 0);
      assert.equal(status.size, content.length);
      assertSameBytes(readAt(fd, 0, content.length), content);
      const more = patternBytes(20_000, 2);
      writeAllAt(fd, more, 90_000);
      assert.equal(posix.fstat(fd).size, 110_000);
      assertSameBytes(readAt(fd, 90_000, 20_000), more);
      posix.fsync(fd);
      posix.fchmod(fd, 0o600);
      assert.equal(posix.fstat(fd).mode & 0o777, 0o600);
      posix.ftruncate(fd, 10);
      posix.ftruncate(fd, 5000);
      assert.equal(posix.fstat(fd).size, 5000);
      assertZeros(readAt(fd, 10, 4990));
    });
  },
  "an unlinked open file and a new one of the same name are two files"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "old");
    withFile(path, O.RDWR, (oldFd) => {
      const oldIno = posix.fstat(oldFd).ino;
      posix.unlink(path);
      writeFile(path, "new one");
      assert.notEqual(posix.lstat(path).ino, oldIno);
      writeAllAt(oldFd, new TextEncoder().encode("OLD"), 0);
      assert.equal(readText(path), "new one");
      assert.equal(new TextDecoder().decode(readAt(oldFd, 0, 20)), "OLD");
      assert.equal(posix.fstat(oldFd).size, 3);
    });
    assert.equal(readText(path), "new one");
  },
  "several descriptors of an unlinked file see each other's writes"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "0123456789");
    withFile(path, O.RDWR, (a) =>
      withFile(path, O.RDWR, (b) => {
        posix.unlink(path);
        writeAllAt(a, new TextEncoder().encode("AB"), 2);
        assert.equal(new TextDecoder().decode(readAt(b, 0, 10)), "01AB456789");
        posix.ftruncate(b, 4);
        assert.equal(posix.fstat(a).size, 4);
      }));
  },
  "a file created, unlinked and never closed until the end holds its data"(directory: string) {
    const path = `${directory}/temporary`;
    const fd = posix.open(path, O.RDWR | O.CREAT | O.EXCL, 0o600);
    try {
      posix.unlink(path);
      const content = patternBytes(300_001);
      writeAllAt(fd, content, 0);
      assertSameBytes(readAt(fd, 0, 400_000), content);
    } finally {
      posix.close(fd);
    }
  },
  "unlink of one of two names leaves the other with nlink 1"(directory: string) {
    writeFile(`${directory}/a`, "content");
    posix.link(`${directory}/a`, `${directory}/b`);
    withFile(`${directory}/a`, O.RDONLY, (fd) => {
      posix.unlink(`${directory}/a`);
      assert.equal(posix.fstat(fd).nlink, 1);
      posix.unlink(`${directory}/b`);
      assert.equal(posix.fstat(fd).nlink, 0);
    });
  },
  "rmdir refuses a directory that is not empty, and what is no directory"(directory: string) {
    posix.mkdir(`${directory}/dir`);
    writeFile(`${directory}/dir/file`, "x");
    assertErrno(() => posix.rmdir(`${directory}/dir`), Errno.ENOTEMPTY, Errno.EEXIST);
    assertErrno(() => posix.rmdir(`${directory}/dir/file`), Errno.ENOTDIR);
    posix.unlink(`${directory}/dir/file`);
    posix.rmdir(`${directory}/dir`);
    assertAbsent(`${directory}/dir`);
  },
  "a removed directory that is open lists as empty and takes no new names"(directory: string) {
    const path = `${directory}/dir`;
    posix.mkdir(path);
    withFile(path, O.RDONLY | O.DIRECTORY, (fd) => {
      posix.rmdir(path);
      // Linux itself answers ENOENT; a file system that lists nothing is as good.
      let found: readonly string[] = [];
      try {
        found = posix.getdents(fd).map((entry) => entry.name);
      } catch (error) {
        if (!(error instanceof OsError) || error.errno !== Errno.ENOENT) throw error;
      }
      assert.deepEqual(found.filter((name) => name !== "." && name !== ".."), []);
      assertErrno(() => posix.open(`/proc/self/fd/${fd}/new`, O.WRONLY | O.CREAT), Errno.ENOENT);
    });
  },
  "a directory made again under an old name is empty"(directory: string) {
    for (let i = 0; i < 5; i++) {
      posix.mkdir(`${directory}/dir`);
      assert.deepEqual(posix.names(`${directory}/dir`), []);
      writeFile(`${directory}/dir/file${i}`, "x");
      posix.unlink(`${directory}/dir/file${i}`);
      posix.rmdir(`${directory}/dir`);
    }
  },
  "thousands of short-lived files leave nothing behind"(directory: string) {
    for (let i = 0; i < 1000; i++) {
      const path = `${directory}/pgsql_tmp${i}`;
      withFile(path, O.RDWR | O.CREAT | O.EXCL, (fd) => {
        posix.write(fd, new Uint8Array(100));
        posix.unlink(path);
      });
    }
    assert.deepEqual(posix.names(directory), []);
  },
}));

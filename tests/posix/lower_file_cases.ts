/**
 * Content and attributes of files of the lower tree.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import { SAMPLE_FILES, sampleContent } from "#tests/posix/lower_sample.ts";
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
} from "#tests/support/posix_files.ts";

const { O, Seek } = posix;
const OTHER_ID = 65534;
const LONG_AGO = { seconds: 1_000_000_000n, nanoseconds: 5n };

/** Changes attributes of `path` of the sample and asserts that nothing else of it changed. */
function assertOnlyAttributes(directory: string, path: string, change: (path: string) => void) {
  const full = `${directory}/${path}`;
  const before = posix.lstat(full);
  change(full);
  const after = posix.lstat(full);
  assert.equal(after.ino, before.ino, "ino");
  assert.equal(after.size, before.size, "size");
  assert.equal(after.nlink, before.nlink, "nlink");
  assertSameBytes(readFile(full), sampleContent(path));
}

/** Cases about files of the lower tree. */
export const lowerFileCases: PosixSuite = new Map(Object.entries({
  "lower content reads as it is, from anywhere"(directory: string) {
    for (const [path, content] of SAMPLE_FILES) {
      assertSameBytes(readFile(`${directory}/${path}`), content, path);
      assert.equal(posix.lstat(`${directory}/${path}`).size, content.length);
    }
    withFile(`${directory}/blocks`, O.RDONLY, (fd) => {
      const content = sampleContent("blocks");
      for (
        const [offset, size] of [[0, 1], [8191, 2], [100_000, 70_000], [327_679, 100]] as const
      ) {
        assertSameBytes(readAt(fd, offset, size), content.subarray(offset, offset + size));
      }
      assert.equal(readAt(fd, content.length, 10).length, 0);
      assert.equal(posix.lseek(fd, 0, Seek.END), content.length);
    });
  },
  "lower file: fsync, open for writing and closing change nothing"(directory: string) {
    const before = posix.lstat(`${directory}/blocks`);
    withFile(`${directory}/blocks`, O.RDWR, (fd) => {
      posix.fsync(fd);
      posix.fdatasync(fd);
    });
    withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => posix.fsync(fd));
    const after = posix.lstat(`${directory}/blocks`);
    assert.equal(after.mtimeNs, before.mtimeNs);
    assert.equal(after.ino, before.ino);
    assertSameBytes(readFile(`${directory}/blocks`), sampleContent("blocks"));
  },
  "lower file: one byte written in the middle"(directory: string) {
    const wanted = sampleContent("blocks").slice();
    const { ino } = posix.lstat(`${directory}/blocks`);
    withFile(`${directory}/blocks`, O.RDWR, (fd) => {
      for (const offset of [150_001, 0, 327_679, 8192, 16_383]) {
        wanted[offset] = (wanted[offset] ?? 0) ^ 0xff;
        writeAllAt(fd, wanted.slice(offset, offset + 1), offset);
        assertSameBytes(readAt(fd, 0, wanted.length), wanted, `after the byte at ${offset}`);
      }
      posix.fsync(fd);
    });
    assertSameBytes(readFile(`${directory}/blocks`), wanted);
    assert.equal(posix.lstat(`${directory}/blocks`).ino, ino);
  },
  "lower file: whole blocks and odd ranges overwritten"(directory: string) {
    for (const path of ["blocks", "odd"]) {
      const wanted = sampleContent(path).slice();
      withFile(`${directory}/${path}`, O.RDWR, (fd) => {
        for (const [offset, size] of [[8192, 8192], [100, 20_000], [24_000, 500]] as const) {
          const bytes = patternBytes(size, offset);
          writeAllAt(fd, bytes, offset);
          wanted.set(bytes, offset);
          assertSameBytes(readAt(fd, 0, wanted.length), wanted, `${path} at ${offset}`);
        }
      });
      assertSameBytes(readFile(`${directory}/${path}`), wanted, path);
    }
  },
  "lower file: a reader opened before the first write sees it"(directory: string) {
    withFile(`${directory}/blocks`, O.RDONLY, (reader) => {
      assertSameBytes(readAt(reader, 8192, 8192), sampleContent("blocks").subarray(8192, 16_384));
      withFile(`${directory}/blocks`, O.WRONLY, (writer) => {
        writeAllAt(writer, patternBytes(8192, 77), 8192);
        assertSameBytes(readAt(reader, 8192, 8192), patternBytes(8192, 77));
        posix.ftruncate(writer, 10_000);
        assert.equal(posix.fstat(reader).size, 10_000);
        assert.equal(readAt(reader, 8192, 8192).length, 1808);
      });
    });
  },
  "lower file: bytes appended"(directory: string) {
    for (const path of ["small", "empty", "blocks", "odd"]) {
      const before = sampleContent(path);
      withFile(`${directory}/${path}`, O.WRONLY | O.APPEND, (fd) => {
        posix.write(fd, new TextEncoder().encode("more"));
        posix.write(fd, new TextEncoder().encode(" and more"));
      });
      const after = readFile(`${directory}/${path}`);
      assertSameBytes(after.subarray(0, before.length), before, path);
      assert.equal(new TextDecoder().decode(after.subarray(before.length)), "more and more");
    }
  },
  "lower file: written far behind its end"(directory: string) {
    withFile(`${directory}/odd`, O.RDWR, (fd) => {
      const before = sampleContent("odd");
      writeAllAt(fd, new Uint8Array([1]), 200_000);
      assertSameBytes(readAt(fd, 0, before.length), before);
      assertZeros(readAt(fd, before.length, 200_000 - before.length));
      assert.deepEqual([...readAt(fd, 200_000, 10)], [1]);
    });
  },
  "lower file: truncated and extended again reads as zeros there"(directory: string) {
    for (const [path, cut] of [["blocks", 100_001], ["odd", 8192], ["dir/b", 0]] as const) {
      const before = sampleContent(path);
      const full = `${directory}/${path}`;
      posix.truncate(full, cut);
      assert.equal(posix.lstat(full).size, cut);
      assertSameBytes(readFile(full), before.subarray(0, cut), path);
      posix.truncate(full, before.length);
      const after = readFile(full);
      assertSameBytes(after.subarray(0, cut), before.subarray(0, cut), path);
      assertZeros(after.subarray(cut), path);
    }
  },
  "lower file: truncated, then a block written behind the cut"(directory: string) {
    withFile(`${directory}/blocks`, O.RDWR, (fd) => {
      posix.ftruncate(fd, 5 * 8192);
      writeAllAt(fd, patternBytes(8192, 3), 20 * 8192);
      assert.equal(posix.fstat(fd).size, 21 * 8192);
      assertSameBytes(readAt(fd, 0, 5 * 8192), sampleContent("blocks").subarray(0, 5 * 8192));
      assertZeros(readAt(fd, 5 * 8192, 15 * 8192));
      assertSameBytes(readAt(fd, 20 * 8192, 8192), patternBytes(8192, 3));
    });
  },
  "lower file: extended by truncate"(directory: string) {
    posix.truncate(`${directory}/odd`, 100_000);
    const after = readFile(`${directory}/odd`);
    assertSameBytes(after.subarray(0, 25_353), sampleContent("odd"));
    assertZeros(after.subarray(25_353));
  },
  "lower file: emptied by O_TRUNC and filled again"(directory: string) {
    withFile(`${directory}/blocks`, O.RDWR | O.TRUNC, (fd) => {
      assert.equal(posix.fstat(fd).size, 0);
      writeAllAt(fd, new Uint8Array([1]), 30_000);
      assertZeros(readAt(fd, 0, 30_000));
    });
    assert.equal(readFile(`${directory}/blocks`).length, 30_001);
  },
  "lower file: pages written through a shared map"(directory: string) {
    const wanted = sampleContent("blocks").slice();
    withFile(`${directory}/blocks`, O.RDWR, (fd) => {
      const mapping = posix.mapShared(fd, wanted.length);
      try {
        assertSameBytes(mapping.bytes, wanted, "map");
        wanted.fill(5, 60_000, 60_100);
        mapping.bytes.fill(5, 60_000, 60_100);
        mapping.sync();
      } finally {
        mapping.unmap();
      }
    });
    assertSameBytes(readFile(`${directory}/blocks`), wanted);
  },
  "lower file: holes are punched and zeroed"(directory: string) {
    withFile(`${directory}/blocks`, O.RDWR, (fd) => {
      const { PUNCH_HOLE, KEEP_SIZE } = posix.Fallocate;
      try {
        posix.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 10_000, 100_000);
      } catch (error) {
        assertErrno(() => {
          throw error;
        }, Errno.EOPNOTSUPP);
        return;
      }
      const content = sampleContent("blocks");
      assertSameBytes(readAt(fd, 0, 10_000), content.subarray(0, 10_000));
      assertZeros(readAt(fd, 10_000, 100_000));
      assertSameBytes(readAt(fd, 110_000, 217_680), content.subarray(110_000));
    });
  },
  "lower file: preallocated behind its end"(directory: string) {
    withFile(`${directory}/dir/b`, O.RDWR, (fd) => {
      try {
        posix.fallocate(fd, 0, 16_384, 131_072);
      } catch (error) {
        assertErrno(() => {
          throw error;
        }, Errno.EOPNOTSUPP);
        return;
      }
      assert.equal(posix.fstat(fd).size, 147_456);
      assertSameBytes(readAt(fd, 0, 16_384), sampleContent("dir/b"));
      assertZeros(readAt(fd, 16_384, 131_072));
    });
  },
  "lower file: data is found by SEEK_DATA"(directory: string) {
    withFile(`${directory}/blocks`, O.RDWR, (fd) => {
      assert.equal(posix.lseek(fd, 0, Seek.DATA), 0);
      writeAllAt(fd, new Uint8Array([1]), 300_000);
      // Blocks of the lower tree are data though the diff has a hole there.
      assert.equal(posix.lseek(fd, 100_000, Seek.DATA), 100_000);
      assert.equal(posix.lseek(fd, 0, Seek.HOLE), 40 * 8192);
    });
  },
  "lower file: copied by copy_file_range"(directory: string) {
    const content = sampleContent("blocks");
    withFile(`${directory}/blocks`, O.RDWR, (source) => {
      writeAllAt(source, new Uint8Array([1]), 0);
      withFile(`${directory}/copy`, O.RDWR | O.CREAT, (target) => {
        for (let done = 0; done < content.length;) {
          const from = { fd: source, offset: done };
          done += posix.copyFileRange(from, { fd: target, offset: done }, content.length - done);
        }
        const wanted = content.slice();
        wanted[0] = 1;
        assertSameBytes(readAt(target, 0, content.length + 10), wanted);
      });
    });
  },
  "lower file: chmod, chown, times and xattrs leave content and inode"(directory: string) {
    assertOnlyAttributes(directory, "blocks", (path) => {
      posix.chmod(path, 0o604);
      assert.equal(posix.lstat(path).mode & 0o7777, 0o604);
    });
    assertOnlyAttributes(directory, "odd", (path) => {
      posix.lchown(path, OTHER_ID, OTHER_ID);
      assert.equal(posix.lstat(path).uid, OTHER_ID);
    });
    assertOnlyAttributes(directory, "small", (path) => {
      posix.utimensat(path, LONG_AGO, LONG_AGO);
      assert.equal(posix.lstat(path).mtimeNs, 10n ** 18n + 5n);
    });
    assertOnlyAttributes(directory, "dir/b", (path) => {
      posix.setxattr(path, "user.note", new TextEncoder().encode("n"));
      assert.deepEqual(posix.listxattr(path), ["user.note"]);
      posix.removexattr(path, "user.note");
      assert.deepEqual(posix.listxattr(path), []);
      assertErrno(() => posix.removexattr(path, "user.note"), Errno.ENODATA);
    });
  },
  "lower file: attributes stay when content is written later"(directory: string) {
    const path = `${directory}/blocks`;
    posix.chmod(path, 0o640);
    posix.lchown(path, OTHER_ID, OTHER_ID);
    posix.setxattr(path, "user.note", new TextEncoder().encode("n"));
    withFile(path, O.RDWR, (fd) => writeAllAt(fd, new Uint8Array([1]), 5));
    posix.rename(path, `${directory}/moved`);
    const status = posix.lstat(`${directory}/moved`);
    assert.equal(status.mode & 0o7777, 0o640);
    assert.equal(status.uid, OTHER_ID);
    assert.deepEqual(posix.listxattr(`${directory}/moved`), ["user.note"]);
  },
  "lower directory: chmod, chown, times and xattrs leave its content"(directory: string) {
    const path = `${directory}/dir`;
    const { ino } = posix.lstat(path);
    const found = posix.names(path);
    posix.chmod(path, 0o711);
    posix.lchown(path, OTHER_ID, OTHER_ID);
    posix.setxattr(path, "user.note", new TextEncoder().encode("n"));
    posix.utimensat(path, LONG_AGO, LONG_AGO);
    const status = posix.lstat(path);
    assert.equal(status.mode & 0o7777, 0o711);
    assert.equal(status.uid, OTHER_ID);
    assert.equal(status.mtimeNs, 10n ** 18n + 5n);
    assert.equal(status.ino, ino);
    assert.deepEqual(posix.listxattr(path), ["user.note"]);
    assert.deepEqual(posix.names(path), found);
    assertSameBytes(readFile(`${path}/nested/deep`), sampleContent("dir/nested/deep"));
  },
}));

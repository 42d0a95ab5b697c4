/**
 * Reading and writing: positions, appending, sizes that fit no block, shared maps, range copies,
 * syncing.
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
  readText,
  withFile,
  writeAllAt,
  writeFile,
} from "#tests/support/posix_files.ts";

const { O, Seek } = posix;
const CREATE = O.RDWR | O.CREAT;

/** Cases about reading and writing. */
export const writeCases: PosixSuite = new Map(Object.entries({
  "writes of odd sizes at odd offsets land where they belong"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      const model = new Uint8Array(200_000);
      let end = 0;
      const places = [
        [0, 1],
        [8191, 2],
        [16_383, 8194],
        [5, 4096],
        [100_001, 65_537],
        [1, 3],
        [
          8192,
          8192,
        ],
        [99_999, 3],
        [199_000, 1000],
      ] as const;
      for (const [index, [offset, size]] of places.entries()) {
        const bytes = patternBytes(size, index + 1);
        writeAllAt(fd, bytes, offset);
        model.set(bytes, offset);
        end = Math.max(end, offset + size);
        assert.equal(posix.fstat(fd).size, end);
        assertSameBytes(readAt(fd, 0, model.length), model.subarray(0, end), `after ${index}`);
      }
    });
    assert.equal(readFile(`${directory}/file`).length, 200_000);
  },
  "a write of 1 MiB and one of 3 MiB and 5 bytes are taken whole"(directory: string) {
    for (const size of [1 << 20, 3 * (1 << 20) + 5]) {
      const content = patternBytes(size, size);
      withFile(`${directory}/file${size}`, CREATE, (fd) => {
        assert.equal(posix.pwrite(fd, content, 0), size);
        const back = new Uint8Array(size);
        assert.equal(posix.pread(fd, back, 0), size);
        assertSameBytes(back, content);
      });
      assertSameBytes(readFile(`${directory}/file${size}`), content);
    }
  },
  "a write of no bytes changes nothing"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      assert.equal(posix.pwrite(fd, new Uint8Array(0), 1000), 0);
      assert.equal(posix.fstat(fd).size, 0);
    });
  },
  "read and write move one position, pread and pwrite none"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      posix.write(fd, new TextEncoder().encode("0123456789"));
      posix.pwrite(fd, new TextEncoder().encode("AB"), 0);
      assert.equal(posix.lseek(fd, 0, Seek.CUR), 10);
      posix.lseek(fd, 1, Seek.SET);
      const two = new Uint8Array(2);
      posix.read(fd, two);
      assert.equal(new TextDecoder().decode(two), "B2");
      posix.pread(fd, two, 8);
      assert.equal(new TextDecoder().decode(two), "89");
      assert.equal(posix.lseek(fd, 0, Seek.CUR), 3);
      assert.equal(posix.lseek(fd, -1, Seek.END), 9);
      assertErrno(() => posix.lseek(fd, -1, Seek.SET), Errno.EINVAL);
    });
  },
  "reads stop at the end of the file"(directory: string) {
    writeFile(`${directory}/file`, patternBytes(10_000));
    withFile(`${directory}/file`, O.RDONLY, (fd) => {
      assert.equal(posix.pread(fd, new Uint8Array(8192), 8192), 1808);
      assert.equal(posix.pread(fd, new Uint8Array(8192), 10_000), 0);
      assert.equal(posix.pread(fd, new Uint8Array(8192), 1 << 30), 0);
    });
  },
  "O_APPEND writes at the end whatever the position"(directory: string) {
    const path = `${directory}/log`;
    writeFile(path, "start\n");
    withFile(path, O.RDWR | O.APPEND, (fd) => {
      posix.lseek(fd, 0, Seek.SET);
      posix.write(fd, new TextEncoder().encode("one\n"));
      posix.lseek(fd, 2, Seek.SET);
      posix.write(fd, new TextEncoder().encode("two\n"));
      assert.equal(posix.lseek(fd, 0, Seek.CUR), 14);
    });
    assert.equal(readText(path), "start\none\ntwo\n");
  },
  "two O_APPEND descriptors never overwrite each other"(directory: string) {
    const path = `${directory}/log`;
    writeFile(path, "");
    withFile(path, O.WRONLY | O.APPEND, (a) =>
      withFile(path, O.WRONLY | O.APPEND, (b) => {
        for (let i = 0; i < 100; i++) {
          posix.write(a, new TextEncoder().encode(`a${i}\n`));
          posix.write(b, new TextEncoder().encode(`b${i}\n`));
        }
      }));
    const wanted = Array.from({ length: 100 }, (_, i) => `a${i}\nb${i}\n`).join("");
    assert.equal(readText(path), wanted);
  },
  "O_APPEND after a truncate through another descriptor writes at the new end"(
    directory: string,
  ) {
    const path = `${directory}/log`;
    writeFile(path, patternBytes(20_000));
    withFile(path, O.WRONLY | O.APPEND, (fd) => {
      posix.truncate(path, 3);
      posix.write(fd, new Uint8Array([1, 2]));
    });
    assert.equal(posix.stat(path).size, 5);
  },
  "what one descriptor writes the other reads at once"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, new Uint8Array(16_384));
    withFile(path, O.RDWR, (writer) =>
      withFile(path, O.RDONLY, (reader) => {
        for (let i = 1; i <= 20; i++) {
          const page = patternBytes(8192, i);
          writeAllAt(writer, page, 8192 * (i % 2));
          assertSameBytes(readAt(reader, 8192 * (i % 2), 8192), page, `round ${i}`);
          assert.equal(posix.lseek(reader, 0, Seek.END), 16_384);
        }
        writeAllAt(writer, new Uint8Array([5]), 16_384);
        assert.equal(posix.lseek(reader, 0, Seek.END), 16_385);
        assert.deepEqual([...readAt(reader, 16_384, 10)], [5]);
      }));
  },
  "content stays after the descriptor is closed and opened again"(directory: string) {
    const path = `${directory}/file`;
    const content = patternBytes(123_457);
    withFile(path, CREATE, (fd) => {
      writeAllAt(fd, content, 0);
      posix.fsync(fd);
    });
    for (let i = 0; i < 3; i++) assertSameBytes(readFile(path), content);
  },
  "a shared map and read(2) see the same bytes"(directory: string) {
    const path = `${directory}/file`;
    const size = 65_536;
    writeFile(path, patternBytes(size));
    withFile(path, O.RDWR, (fd) => {
      const mapping = posix.mapShared(fd, size);
      try {
        assertSameBytes(mapping.bytes, patternBytes(size), "map");
        mapping.bytes.set([1, 2, 3], 10_000);
        assert.deepEqual([...readAt(fd, 10_000, 3)], [1, 2, 3]);
        mapping.sync();
        writeAllAt(fd, new Uint8Array([9, 9]), 20_000);
        assert.deepEqual([...mapping.bytes.subarray(20_000, 20_002)], [9, 9]);
      } finally {
        mapping.unmap();
      }
    });
    const after = readFile(path);
    assert.deepEqual([...after.subarray(10_000, 10_003)], [1, 2, 3]);
    assert.deepEqual([...after.subarray(20_000, 20_002)], [9, 9]);
    assert.equal(after.length, size);
  },
  "a shared map outlives its descriptor and the file's name"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, new Uint8Array(8192));
    const fd = posix.open(path, O.RDWR);
    const mapping = posix.mapShared(fd, 8192);
    posix.close(fd);
    posix.link(path, `${directory}/kept`);
    posix.unlink(path);
    mapping.bytes.fill(42, 100, 200);
    mapping.sync();
    mapping.unmap();
    assert.equal(readFile(`${directory}/kept`)[150], 42);
  },
  "copy_file_range copies inside and between files"(directory: string) {
    const content = patternBytes(50_000);
    writeFile(`${directory}/source`, content);
    withFile(
      `${directory}/source`,
      O.RDWR,
      (source) =>
        withFile(`${directory}/target`, CREATE, (target) => {
          let done = 0;
          while (done < 30_000) {
            const copied = posix.copyFileRange(
              { fd: source, offset: 1000 + done },
              { fd: target, offset: 5 + done },
              30_000 - done,
            );
            assert.ok(copied > 0);
            done += copied;
          }
          assertZeros(readAt(target, 0, 5));
          assertSameBytes(readAt(target, 5, 40_000), content.subarray(1000, 31_000));
          const at = { fd: source, offset: 0 };
          assert.equal(posix.copyFileRange(at, { fd: source, offset: 60_000 }, 100), 100);
          assertSameBytes(readAt(source, 60_000, 100), content.subarray(0, 100));
          assert.equal(posix.copyFileRange({ fd: source, offset: 70_000 }, at, 100), 0);
        }),
    );
  },
  "fsync and fdatasync work on files, fsync on directories"(directory: string) {
    withFile(`${directory}/file`, CREATE, (fd) => {
      posix.fsync(fd);
      posix.write(fd, new Uint8Array(100));
      posix.fdatasync(fd);
      posix.fsync(fd);
    });
    withFile(`${directory}/file`, O.RDONLY, (fd) => posix.fsync(fd));
    withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => posix.fsync(fd));
  },
  "O_DIRECT reads and writes aligned blocks, or is refused with EINVAL"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, patternBytes(32_768));
    // A buffer from mmap is page-aligned, which O_DIRECT needs.
    const scratch = posix.open(`${directory}/scratch`, CREATE);
    posix.ftruncate(scratch, 16_384);
    const mapping = posix.mapShared(scratch, 16_384);
    try {
      withFile(path, O.RDWR | O.DIRECT, (fd) => {
        assert.equal(posix.pread(fd, mapping.bytes.subarray(0, 8192), 8192), 8192);
        assertSameBytes(
          mapping.bytes.subarray(0, 8192),
          patternBytes(32_768).subarray(8192, 16_384),
        );
        mapping.bytes.fill(3, 8192);
        assert.equal(posix.pwrite(fd, mapping.bytes.subarray(8192), 16_384), 8192);
      });
      assertSameBytes(readFile(path).subarray(16_384, 24_576), new Uint8Array(8192).fill(3));
    } catch (error) {
      if (!(error instanceof OsError && error.errno === Errno.EINVAL)) throw error;
    } finally {
      mapping.unmap();
      posix.close(scratch);
    }
  },
  "statvfs tells plausible sizes"(directory: string) {
    const status = posix.statvfs(directory);
    assert.ok(status.blockSize >= 512 && status.blockSize <= 1 << 22, `${status.blockSize}`);
    assert.ok(status.blocks > 0n);
    assert.ok(status.blocksFree <= status.blocks);
    assert.ok(status.blocksAvailable <= status.blocksFree);
    assert.equal(status.nameMax, 255);
  },
}));

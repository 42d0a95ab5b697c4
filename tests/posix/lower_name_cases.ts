/**
 * Names of the lower tree: renamed, removed, made again, linked.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import { sampleContent } from "#tests/posix/lower_sample.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertAbsent,
  assertErrno,
  assertSameBytes,
  readAt,
  readFile,
  readText,
  withFile,
  writeAllAt,
  writeFile,
} from "#tests/support/posix_files.ts";

const { O } = posix;

function assertSample(directory: string, path: string, place = path): void {
  assertSameBytes(readFile(`${directory}/${place}`), sampleContent(path), path);
}

/** Cases about names of the lower tree. */
export const lowerNameCases: PosixSuite = new Map(Object.entries({
  "lower file renamed and back"(directory: string) {
    const { ino } = posix.lstat(`${directory}/blocks`);
    const all = posix.names(directory);
    posix.rename(`${directory}/blocks`, `${directory}/moved`);
    assertAbsent(`${directory}/blocks`);
    assertSample(directory, "blocks", "moved");
    assert.equal(posix.lstat(`${directory}/moved`).ino, ino);
    assert.ok(!posix.names(directory).includes("blocks"));
    posix.rename(`${directory}/moved`, `${directory}/blocks`);
    assertAbsent(`${directory}/moved`);
    assertSample(directory, "blocks");
    assert.deepEqual(posix.names(directory), all);
  },
  "lower file renamed, and its old name used anew"(directory: string) {
    posix.rename(`${directory}/blocks`, `${directory}/dir/kept`);
    writeFile(`${directory}/blocks`, "new");
    assert.equal(readText(`${directory}/blocks`), "new");
    assertSample(directory, "blocks", "dir/kept");
    posix.unlink(`${directory}/blocks`);
    assertAbsent(`${directory}/blocks`);
    assertSample(directory, "blocks", "dir/kept");
  },
  "lower files renamed in a circle"(directory: string) {
    posix.rename(`${directory}/blocks`, `${directory}/t`);
    posix.rename(`${directory}/odd`, `${directory}/blocks`);
    posix.rename(`${directory}/t`, `${directory}/odd`);
    assertSample(directory, "odd", "blocks");
    assertSample(directory, "blocks", "odd");
    posix.rename(`${directory}/blocks`, `${directory}/odd`, posix.Rename.EXCHANGE);
    assertSample(directory, "blocks");
    assertSample(directory, "odd");
  },
  "lower directory renamed with its content, and back"(directory: string) {
    const { ino } = posix.lstat(`${directory}/dir/nested/deep`);
    posix.rename(`${directory}/dir`, `${directory}/moved`);
    assertAbsent(`${directory}/dir`);
    assert.deepEqual(
      posix.names(`${directory}/moved`).filter((name) => name !== "up"),
      ["a", "b", "nested"],
    );
    assertSample(directory, "dir/a", "moved/a");
    assertSample(directory, "dir/b", "moved/b");
    assertSample(directory, "dir/nested/deep", "moved/nested/deep");
    assert.equal(posix.lstat(`${directory}/moved`).mode & 0o777, 0o750);
    assert.equal(posix.lstat(`${directory}/moved/nested/deep`).ino, ino);
    writeFile(`${directory}/moved/new`, "new");
    posix.unlink(`${directory}/moved/a`);
    posix.rename(`${directory}/moved`, `${directory}/dir`);
    assert.deepEqual(
      posix.names(`${directory}/dir`).filter((name) => name !== "up"),
      ["b", "nested", "new"],
    );
    assertSample(directory, "dir/nested/deep");
    assertAbsent(`${directory}/moved`);
  },
  "lower directory renamed, and its old name made anew is empty"(directory: string) {
    posix.rename(`${directory}/dir`, `${directory}/moved`);
    posix.mkdir(`${directory}/dir`);
    assert.deepEqual(posix.names(`${directory}/dir`), []);
    writeFile(`${directory}/dir/a`, "new a");
    assert.equal(readText(`${directory}/dir/a`), "new a");
    assertSample(directory, "dir/a", "moved/a");
  },
  "lower directory moved below another lower directory"(directory: string) {
    posix.rename(`${directory}/dir/nested`, `${directory}/full/nested`);
    posix.rename(`${directory}/full`, `${directory}/emptydir/full`);
    assertSample(directory, "dir/nested/deep", "emptydir/full/nested/deep");
    assertSample(directory, "full/x", "emptydir/full/x");
    assertAbsent(`${directory}/dir/nested`);
    assertAbsent(`${directory}/full`);
    assertErrno(
      () => posix.rename(`${directory}/emptydir`, `${directory}/emptydir/full/e`),
      Errno.EINVAL,
    );
  },
  "lower directory renamed over an empty lower directory"(directory: string) {
    posix.rename(`${directory}/dir`, `${directory}/emptydir`);
    assertAbsent(`${directory}/dir`);
    assertSample(directory, "dir/nested/deep", "emptydir/nested/deep");
    assertErrno(
      () => posix.rename(`${directory}/emptydir`, `${directory}/full`),
      Errno.ENOTEMPTY,
      Errno.EEXIST,
    );
  },
  "new directory renamed over an emptied lower directory shows nothing of it"(
    directory: string,
  ) {
    posix.mkdir(`${directory}/new`);
    writeFile(`${directory}/new/fresh`, "fresh");
    posix.unlink(`${directory}/full/x`);
    posix.rename(`${directory}/new`, `${directory}/full`);
    assert.deepEqual(posix.names(`${directory}/full`), ["fresh"]);
    assertAbsent(`${directory}/full/x`);
  },
  "lower file unlinked and made anew"(directory: string) {
    posix.unlink(`${directory}/small`);
    assertAbsent(`${directory}/small`);
    assert.ok(!posix.names(directory).includes("small"));
    assertErrno(() => posix.unlink(`${directory}/small`), Errno.ENOENT);
    posix.close(posix.open(`${directory}/small`, O.WRONLY | O.CREAT | O.EXCL, 0o611));
    const status = posix.lstat(`${directory}/small`);
    assert.equal(status.size, 0);
    assert.equal(status.mode & 0o777, 0o611);
    assert.equal(posix.names(directory).filter((name) => name === "small").length, 1);
    posix.unlink(`${directory}/small`);
    posix.mkdir(`${directory}/small`);
    assert.deepEqual(posix.names(`${directory}/small`), []);
  },
  "lower file unlinked while open is still read and written"(directory: string) {
    const path = `${directory}/blocks`;
    withFile(path, O.RDWR, (fd) => {
      posix.unlink(path);
      assertAbsent(path);
      assert.equal(posix.fstat(fd).nlink, 0);
      assertSameBytes(readAt(fd, 0, 40 * 8192), sampleContent("blocks"));
      writeAllAt(fd, new Uint8Array([1, 2, 3]), 100_000);
      const wanted = sampleContent("blocks").slice();
      wanted.set([1, 2, 3], 100_000);
      assertSameBytes(readAt(fd, 0, 40 * 8192), wanted);
      writeFile(path, "new");
      assertSameBytes(readAt(fd, 0, 40 * 8192), wanted);
      posix.fsync(fd);
    });
    assert.equal(readText(path), "new");
  },
  "lower file open for reading only is replaced by rename"(directory: string) {
    writeFile(`${directory}/new`, "new");
    withFile(`${directory}/odd`, O.RDONLY, (fd) => {
      posix.rename(`${directory}/new`, `${directory}/odd`);
      assertSameBytes(readAt(fd, 0, 100_000), sampleContent("odd"));
      assert.equal(posix.fstat(fd).nlink, 0);
    });
    assert.equal(readText(`${directory}/odd`), "new");
    assert.equal(posix.names(directory).filter((name) => name === "odd").length, 1);
  },
  "lower file renamed over another lower file"(directory: string) {
    posix.rename(`${directory}/blocks`, `${directory}/odd`);
    assertAbsent(`${directory}/blocks`);
    assertSample(directory, "blocks", "odd");
    posix.unlink(`${directory}/odd`);
    assertAbsent(`${directory}/odd`);
  },
  "lower names refuse NOREPLACE and O_EXCL"(directory: string) {
    writeFile(`${directory}/new`, "new");
    assertErrno(
      () => posix.rename(`${directory}/new`, `${directory}/small`, posix.Rename.NOREPLACE),
      Errno.EEXIST,
    );
    assertErrno(() => posix.open(`${directory}/small`, O.CREAT | O.EXCL), Errno.EEXIST);
    assertErrno(() => posix.mkdir(`${directory}/dir`), Errno.EEXIST);
    assertErrno(() => posix.link(`${directory}/new`, `${directory}/small`), Errno.EEXIST);
    assertErrno(() => posix.symlink("x", `${directory}/small`), Errno.EEXIST);
  },
  "lower directory emptied, removed, made anew and filled"(directory: string) {
    assertErrno(() => posix.rmdir(`${directory}/full`), Errno.ENOTEMPTY, Errno.EEXIST);
    posix.unlink(`${directory}/full/x`);
    assert.deepEqual(posix.names(`${directory}/full`), []);
    posix.rmdir(`${directory}/full`);
    assertAbsent(`${directory}/full`);
    posix.mkdir(`${directory}/full`);
    assert.deepEqual(posix.names(`${directory}/full`), []);
    assertAbsent(`${directory}/full/x`);
    writeFile(`${directory}/full/y`, "y");
    assert.deepEqual(posix.names(`${directory}/full`), ["y"]);
  },
  "whole lower directory removed bottom up"(directory: string) {
    const removeAll = (path: string) => {
      for (const { name } of posix.readDirectory(path)) {
        const child = `${path}/${name}`;
        const isDirectory =
          (posix.lstat(child).mode & posix.FileType.MASK) === posix.FileType.DIRECTORY;
        if (isDirectory) removeAll(child);
        else posix.unlink(child);
      }
      posix.rmdir(path);
    };
    removeAll(`${directory}/dir`);
    assertAbsent(`${directory}/dir`);
    assert.ok(!posix.names(directory).includes("dir"));
    writeFile(`${directory}/dir`, "now a file");
    assert.equal(readText(`${directory}/dir`), "now a file");
  },
  "lower directory listed with new, removed and changed names merged"(directory: string) {
    writeFile(`${directory}/dir/c`, "new");
    posix.unlink(`${directory}/dir/a`);
    writeFile(`${directory}/dir/b`, "changed");
    posix.mkdir(`${directory}/dir/d`);
    const entries = posix.readDirectory(`${directory}/dir`).filter(({ name }) => name !== "up");
    assert.deepEqual(entries.map(({ name }) => name).sort(), ["b", "c", "d", "nested"]);
    for (const entry of entries) {
      assert.equal(entry.ino, posix.lstat(`${directory}/dir/${entry.name}`).ino, entry.name);
    }
  },
  "hard link to a lower file shares everything"(directory: string) {
    const [a, b] = [`${directory}/blocks`, `${directory}/dir/second`];
    const { ino } = posix.lstat(a);
    posix.link(a, b);
    assert.equal(posix.lstat(a).ino, ino);
    assert.equal(posix.lstat(b).ino, ino);
    assert.equal(posix.lstat(a).nlink, 2);
    withFile(b, O.RDWR, (fd) => writeAllAt(fd, new Uint8Array([7, 7]), 50_000));
    assert.deepEqual([...readFile(a).subarray(50_000, 50_002)], [7, 7]);
    posix.unlink(a);
    assertAbsent(a);
    assert.equal(posix.lstat(b).nlink, 1);
    const wanted = sampleContent("blocks").slice();
    wanted.set([7, 7], 50_000);
    assertSameBytes(readFile(b), wanted);
  },
  "hard link to a lower file that is open for writing"(directory: string) {
    withFile(`${directory}/odd`, O.RDWR, (fd) => {
      posix.link(`${directory}/odd`, `${directory}/second`);
      writeAllAt(fd, new Uint8Array([9]), 0);
      assert.equal(readFile(`${directory}/second`)[0], 9);
      assert.equal(readFile(`${directory}/odd`)[0], 9);
      assert.equal(posix.fstat(fd).nlink, 2);
    });
  },
}));

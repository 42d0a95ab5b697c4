/**
 * rename(2) and its flags.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertAbsent,
  assertErrno,
  readAt,
  readText,
  withFile,
  writeAllAt,
  writeFile,
} from "#tests/support/posix_files.ts";

const { O } = posix;

/** Cases about rename. */
export const renameCases: PosixSuite = new Map(Object.entries({
  "rename moves a file and keeps its inode, content and mode"(directory: string) {
    writeFile(`${directory}/a`, "content");
    posix.chmod(`${directory}/a`, 0o611);
    const before = posix.lstat(`${directory}/a`);
    posix.rename(`${directory}/a`, `${directory}/b`);
    assertAbsent(`${directory}/a`);
    const after = posix.lstat(`${directory}/b`);
    assert.equal(after.ino, before.ino);
    assert.equal(after.mode, before.mode);
    assert.equal(after.mtimeNs, before.mtimeNs);
    assert.equal(readText(`${directory}/b`), "content");
    assert.deepEqual(posix.names(directory), ["b"]);
  },
  "rename moves a file to another directory"(directory: string) {
    posix.mkdir(`${directory}/from`);
    posix.mkdir(`${directory}/to`);
    writeFile(`${directory}/from/a`, "content");
    posix.rename(`${directory}/from/a`, `${directory}/to/b`);
    assert.deepEqual(posix.names(`${directory}/from`), []);
    assert.deepEqual(posix.names(`${directory}/to`), ["b"]);
    assert.equal(readText(`${directory}/to/b`), "content");
  },
  "rename replaces a file, and the old one lives on where it is open"(directory: string) {
    writeFile(`${directory}/new`, "new");
    writeFile(`${directory}/old`, "old");
    const ino = posix.lstat(`${directory}/new`).ino;
    withFile(`${directory}/old`, O.RDWR, (fd) => {
      posix.rename(`${directory}/new`, `${directory}/old`);
      assert.equal(new TextDecoder().decode(readAt(fd, 0, 10)), "old");
      assert.equal(posix.fstat(fd).nlink, 0);
    });
    assert.equal(readText(`${directory}/old`), "new");
    assert.equal(posix.lstat(`${directory}/old`).ino, ino);
    assert.deepEqual(posix.names(directory), ["old"]);
  },
  "rename of an open file leaves its descriptor on the file"(directory: string) {
    writeFile(`${directory}/a`, "before");
    withFile(`${directory}/a`, O.RDWR, (fd) => {
      posix.rename(`${directory}/a`, `${directory}/b`);
      writeAllAt(fd, new TextEncoder().encode("after!"), 0);
      posix.fsync(fd);
      writeFile(`${directory}/a`, "another");
      assert.equal(new TextDecoder().decode(readAt(fd, 0, 10)), "after!");
      assert.equal(posix.fstat(fd).ino, posix.lstat(`${directory}/b`).ino);
    });
    assert.equal(readText(`${directory}/b`), "after!");
    assert.equal(readText(`${directory}/a`), "another");
  },
  "rename of a file onto itself or onto another name of it changes nothing"(directory: string) {
    writeFile(`${directory}/a`, "content");
    posix.link(`${directory}/a`, `${directory}/b`);
    posix.rename(`${directory}/a`, `${directory}/a`);
    posix.rename(`${directory}/a`, `${directory}/b`);
    assert.deepEqual(posix.names(directory), ["a", "b"]);
    assert.equal(posix.lstat(`${directory}/a`).nlink, 2);
  },
  "rename moves a directory with its content"(directory: string) {
    posix.mkdir(`${directory}/from`);
    posix.mkdir(`${directory}/from/sub`);
    writeFile(`${directory}/from/sub/file`, "deep");
    const ino = posix.lstat(`${directory}/from/sub/file`).ino;
    posix.rename(`${directory}/from`, `${directory}/to`);
    assertAbsent(`${directory}/from`);
    assert.equal(readText(`${directory}/to/sub/file`), "deep");
    assert.equal(posix.lstat(`${directory}/to/sub/file`).ino, ino);
    posix.mkdir(`${directory}/from`);
    assert.deepEqual(posix.names(`${directory}/from`), []);
  },
  "rename of an open directory leaves its descriptor usable"(directory: string) {
    posix.mkdir(`${directory}/from`);
    writeFile(`${directory}/from/file`, "x");
    withFile(`${directory}/from`, O.RDONLY | O.DIRECTORY, (fd) => {
      posix.rename(`${directory}/from`, `${directory}/to`);
      const found = posix.getdents(fd).map((entry) => entry.name).sort();
      assert.deepEqual(found, [".", "..", "file"]);
      posix.fsync(fd);
    });
  },
  "rename replaces an empty directory by a directory"(directory: string) {
    posix.mkdir(`${directory}/from`);
    writeFile(`${directory}/from/file`, "x");
    posix.mkdir(`${directory}/to`);
    posix.rename(`${directory}/from`, `${directory}/to`);
    assert.deepEqual(posix.names(directory), ["to"]);
    assert.deepEqual(posix.names(`${directory}/to`), ["file"]);
  },
  "rename refuses wrong kinds of target"(directory: string) {
    posix.mkdir(`${directory}/dir`);
    posix.mkdir(`${directory}/full`);
    writeFile(`${directory}/full/x`, "x");
    writeFile(`${directory}/file`, "file");
    const rename = (from: string, to: string) => () =>
      posix.rename(`${directory}/${from}`, `${directory}/${to}`);
    assertErrno(rename("dir", "full"), Errno.ENOTEMPTY, Errno.EEXIST);
    assertErrno(rename("dir", "file"), Errno.ENOTDIR);
    assertErrno(rename("file", "dir"), Errno.EISDIR);
    assertErrno(rename("missing", "new"), Errno.ENOENT);
    assertErrno(rename("file", "missing/new"), Errno.ENOENT);
    assertErrno(rename("file", "file/new"), Errno.ENOTDIR);
    assert.deepEqual(posix.names(directory), ["dir", "file", "full"]);
    assert.equal(readText(`${directory}/file`), "file");
  },
  "rename of a directory into itself or below itself is EINVAL"(directory: string) {
    posix.mkdir(`${directory}/a`);
    posix.mkdir(`${directory}/a/b`);
    assertErrno(() => posix.rename(`${directory}/a`, `${directory}/a/c`), Errno.EINVAL);
    assertErrno(() => posix.rename(`${directory}/a`, `${directory}/a/b/c`), Errno.EINVAL);
    assertErrno(
      () => posix.rename(`${directory}/a/b`, `${directory}/a`),
      Errno.ENOTEMPTY,
      Errno.EEXIST,
    );
  },
  "rename with NOREPLACE refuses an existing name"(directory: string) {
    writeFile(`${directory}/a`, "a");
    writeFile(`${directory}/b`, "b");
    const flags = posix.Rename.NOREPLACE;
    assertErrno(() => posix.rename(`${directory}/a`, `${directory}/b`, flags), Errno.EEXIST);
    assert.equal(readText(`${directory}/b`), "b");
    posix.rename(`${directory}/a`, `${directory}/c`, flags);
    assert.deepEqual(posix.names(directory), ["b", "c"]);
  },
  "rename with EXCHANGE swaps two names of any kind"(directory: string) {
    writeFile(`${directory}/a`, "a");
    writeFile(`${directory}/b`, "b");
    posix.mkdir(`${directory}/d`);
    writeFile(`${directory}/d/inside`, "x");
    const flags = posix.Rename.EXCHANGE;
    posix.rename(`${directory}/a`, `${directory}/b`, flags);
    assert.equal(readText(`${directory}/a`), "b");
    assert.equal(readText(`${directory}/b`), "a");
    posix.rename(`${directory}/a`, `${directory}/d`, flags);
    assert.equal(readText(`${directory}/d`), "b");
    assert.equal(readText(`${directory}/a/inside`), "x");
    assertErrno(
      () => posix.rename(`${directory}/a`, `${directory}/missing`, flags),
      Errno.ENOENT,
    );
    assert.deepEqual(posix.names(directory), ["a", "b", "d"]);
  },
  "rename moves links and special files themselves"(directory: string) {
    posix.symlink("nowhere", `${directory}/link`);
    posix.mknod(`${directory}/fifo`, posix.FileType.FIFO | 0o600);
    posix.rename(`${directory}/link`, `${directory}/link2`);
    posix.rename(`${directory}/fifo`, `${directory}/fifo2`);
    assert.equal(posix.readlink(`${directory}/link2`), "nowhere");
    assert.deepEqual(posix.names(directory), ["fifo2", "link2"]);
  },
  "a chain of renames through one name ends with the last"(directory: string) {
    for (let i = 0; i < 50; i++) {
      writeFile(`${directory}/state.tmp`, `state ${i}`);
      posix.rename(`${directory}/state.tmp`, `${directory}/state`);
      assert.equal(readText(`${directory}/state`), `state ${i}`);
    }
    assert.deepEqual(posix.names(directory), ["state"]);
  },
  "readdir after a rename shows the new name and not the old"(directory: string) {
    for (let i = 0; i < 20; i++) writeFile(`${directory}/file${i}`, "x");
    assert.equal(posix.names(directory).length, 20);
    posix.rename(`${directory}/file3`, `${directory}/moved`);
    posix.rename(`${directory}/file5`, `${directory}/file7`);
    const found = posix.names(directory);
    assert.equal(found.length, 19);
    assert.ok(found.includes("moved"));
    assert.ok(!found.includes("file3"));
    assert.ok(!found.includes("file5"));
  },
}));

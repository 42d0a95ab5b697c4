/**
 * Names: their length, their bytes, and the errnos of path lookup and of creation.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { assertErrno, readText, withFile, writeFile } from "#tests/support/posix_files.ts";

const { O } = posix;
const CREATE = O.WRONLY | O.CREAT;

/** Cases about names. */
export const namesCases: PosixSuite = new Map(Object.entries({
  "names of 255 bytes work in every call"(directory: string) {
    const name = "n".repeat(255);
    const path = `${directory}/${name}`;
    writeFile(path, "long");
    assert.equal(readText(path), "long");
    assert.deepEqual(posix.names(directory), [name]);
    posix.rename(path, `${directory}/${"m".repeat(255)}`);
    posix.mkdir(path);
    posix.rmdir(path);
    posix.unlink(`${directory}/${"m".repeat(255)}`);
    assert.deepEqual(posix.names(directory), []);
  },
  "names of 255 bytes in multi-byte characters work"(directory: string) {
    const name = "ß".repeat(127) + "x";
    writeFile(`${directory}/${name}`, "x");
    assert.deepEqual(posix.names(directory), [name]);
  },
  "names of 256 bytes are refused with ENAMETOOLONG"(directory: string) {
    const long = `${directory}/${"n".repeat(256)}`;
    writeFile(`${directory}/a`, "a");
    assertErrno(() => posix.open(long, CREATE), Errno.ENAMETOOLONG);
    assertErrno(() => posix.lstat(long), Errno.ENAMETOOLONG);
    assertErrno(() => posix.mkdir(long), Errno.ENAMETOOLONG);
    assertErrno(() => posix.symlink("a", long), Errno.ENAMETOOLONG);
    assertErrno(() => posix.link(`${directory}/a`, long), Errno.ENAMETOOLONG);
    assertErrno(() => posix.rename(`${directory}/a`, long), Errno.ENAMETOOLONG);
    assertErrno(() => posix.unlink(long), Errno.ENAMETOOLONG);
  },
  "names that are not UTF-8 keep their bytes"(directory: string) {
    const wanted = [[0xff, 0xfe], [0x61, 0x80], [0xc3, 0x28], [0xed, 0xa0, 0x80]];
    for (const bytes of wanted) {
      writeFile(posix.joinBytes(directory, new Uint8Array(bytes)), String(bytes));
    }
    const found = posix.readDirectory(directory).map((entry) => [...entry.nameBytes]);
    const order = (a: number[], b: number[]) => String(a).localeCompare(String(b));
    assert.deepEqual(found.sort(order), wanted.sort(order));
    for (const bytes of wanted) {
      const path = posix.joinBytes(directory, new Uint8Array(bytes));
      assert.equal(readText(path), String(bytes));
      const renamed = posix.joinBytes(directory, new Uint8Array([...bytes, 0xc0]));
      posix.rename(path, renamed);
      assertErrno(() => posix.lstat(path), Errno.ENOENT);
      posix.unlink(renamed);
    }
    assert.deepEqual(posix.names(directory), []);
  },
  "names with blanks, quotes, backslashes, newlines and leading dots are ordinary"(
    directory: string,
  ) {
    const wanted = [" ", "a b", "'", '"', "\\", "\n", ".hidden", "...", "a.wh.b", ".wh.a", "%s"];
    for (const name of wanted) writeFile(`${directory}/${name}`, name);
    assert.deepEqual(posix.names(directory), [...wanted].sort());
    for (const name of wanted) assert.equal(readText(`${directory}/${name}`), name);
  },
  "names differ by case"(directory: string) {
    writeFile(`${directory}/Name`, "1");
    writeFile(`${directory}/name`, "2");
    assert.equal(readText(`${directory}/Name`), "1");
    assert.equal(readText(`${directory}/name`), "2");
  },
  "names in Unicode normal forms C and D are two files"(directory: string) {
    writeFile(`${directory}/\u00e9`, "composed");
    writeFile(`${directory}/e\u0301`, "decomposed");
    assert.equal(posix.names(directory).length, 2);
    assert.equal(readText(`${directory}/\u00e9`), "composed");
  },
  "lookup of a missing name is ENOENT, below a file ENOTDIR"(directory: string) {
    writeFile(`${directory}/file`, "x");
    assertErrno(() => posix.lstat(`${directory}/missing`), Errno.ENOENT);
    assertErrno(() => posix.open(`${directory}/missing`, O.RDONLY), Errno.ENOENT);
    assertErrno(() => posix.open(`${directory}/missing/x`, CREATE), Errno.ENOENT);
    assertErrno(() => posix.unlink(`${directory}/missing`), Errno.ENOENT);
    assertErrno(() => posix.truncate(`${directory}/missing`, 0), Errno.ENOENT);
    assertErrno(() => posix.rmdir(`${directory}/missing`), Errno.ENOENT);
    assertErrno(() => posix.lstat(`${directory}/file/x`), Errno.ENOTDIR);
    assertErrno(() => posix.open(`${directory}/file/x`, CREATE), Errno.ENOTDIR);
    assertErrno(() => posix.mkdir(`${directory}/file/x`), Errno.ENOTDIR);
    assertErrno(() => posix.open(`${directory}/file`, O.RDONLY | O.DIRECTORY), Errno.ENOTDIR);
  },
  "a name that was looked up in vain is seen after it is created"(directory: string) {
    const path = `${directory}/later`;
    for (const content of ["first", "second"]) {
      assertErrno(() => posix.lstat(path), Errno.ENOENT);
      writeFile(path, content);
      assert.equal(readText(path), content);
      posix.unlink(path);
    }
  },
  "O_EXCL creates once"(directory: string) {
    const path = `${directory}/once`;
    posix.close(posix.open(path, CREATE | O.EXCL, 0o600));
    assertErrno(() => posix.open(path, CREATE | O.EXCL), Errno.EEXIST);
    posix.symlink("nowhere", `${directory}/dangling`);
    assertErrno(() => posix.open(`${directory}/dangling`, CREATE | O.EXCL), Errno.EEXIST);
    posix.unlink(path);
    posix.close(posix.open(path, CREATE | O.EXCL, 0o600));
  },
  "O_CREAT without O_EXCL opens what is there and keeps its mode"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "kept");
    posix.chmod(path, 0o640);
    posix.close(posix.open(path, CREATE, 0o777));
    assert.equal(readText(path), "kept");
    assert.equal(posix.stat(path).mode & 0o7777, 0o640);
  },
  "O_TRUNC empties a file and nothing else"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "some content");
    posix.link(path, `${directory}/other name`);
    withFile(path, O.WRONLY | O.TRUNC, (fd) => assert.equal(posix.fstat(fd).size, 0));
    assert.equal(posix.stat(`${directory}/other name`).size, 0);
  },
  "directories refuse to be opened for writing with EISDIR"(directory: string) {
    assertErrno(() => posix.open(directory, O.WRONLY), Errno.EISDIR);
    assertErrno(() => posix.open(directory, O.RDWR), Errno.EISDIR);
    assertErrno(() => posix.unlink(directory), Errno.EISDIR, Errno.EPERM);
    assertErrno(() => posix.truncate(directory, 0), Errno.EISDIR);
    withFile(directory, O.RDONLY, (fd) => {
      assertErrno(() => posix.read(fd, new Uint8Array(10)), Errno.EISDIR);
    });
  },
  "a descriptor refuses what its flags do not allow"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    withFile(path, O.RDONLY, (fd) => {
      assertErrno(() => posix.write(fd, new Uint8Array(1)), Errno.EBADF);
      assertErrno(() => posix.ftruncate(fd, 0), Errno.EINVAL, Errno.EBADF);
    });
    withFile(path, O.WRONLY, (fd) => {
      assertErrno(() => posix.read(fd, new Uint8Array(1)), Errno.EBADF);
    });
  },
}));

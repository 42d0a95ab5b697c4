/**
 * Extended attributes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertErrno,
  assertSameBytes,
  patternBytes,
  readText,
  writeFile,
} from "#tests/support/posix_files.ts";

const { Xattr } = posix;
const bytes = (text: string) => new TextEncoder().encode(text);

/** Cases about extended attributes. */
export const xattrCases: PosixSuite = new Map(Object.entries({
  "extended attributes are set, read, listed and removed"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "content");
    assert.deepEqual(posix.listxattr(path), []);
    posix.setxattr(path, "user.one", bytes("1"));
    posix.setxattr(path, "user.two", bytes("zwei"));
    posix.setxattr(path, "user.empty", new Uint8Array(0));
    assert.deepEqual(posix.listxattr(path), ["user.empty", "user.one", "user.two"]);
    assert.equal(new TextDecoder().decode(posix.getxattr(path, "user.two")), "zwei");
    assert.equal(posix.getxattr(path, "user.empty").length, 0);
    posix.setxattr(path, "user.two", bytes("two"));
    assert.equal(new TextDecoder().decode(posix.getxattr(path, "user.two")), "two");
    posix.removexattr(path, "user.one");
    assert.deepEqual(posix.listxattr(path), ["user.empty", "user.two"]);
    assert.equal(readText(path), "content");
  },
  "extended attributes of directories work"(directory: string) {
    posix.setxattr(directory, "user.dir", bytes("d"));
    assert.deepEqual(posix.listxattr(directory), ["user.dir"]);
    posix.removexattr(directory, "user.dir");
    assert.deepEqual(posix.listxattr(directory), []);
  },
  "CREATE refuses what is there, REPLACE what is not"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    assertErrno(
      () => posix.setxattr(path, "user.a", bytes("1"), Xattr.REPLACE),
      Errno.ENODATA,
    );
    posix.setxattr(path, "user.a", bytes("1"), Xattr.CREATE);
    assertErrno(() => posix.setxattr(path, "user.a", bytes("2"), Xattr.CREATE), Errno.EEXIST);
    posix.setxattr(path, "user.a", bytes("3"), Xattr.REPLACE);
    assert.equal(new TextDecoder().decode(posix.getxattr(path, "user.a")), "3");
  },
  "missing extended attributes are ENODATA"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    assertErrno(() => posix.getxattr(path, "user.missing"), Errno.ENODATA);
    assertErrno(() => posix.removexattr(path, "user.missing"), Errno.ENODATA);
    assertErrno(() => posix.getxattr(`${directory}/missing`, "user.a"), Errno.ENOENT);
    assertErrno(() => posix.getxattr(path, "nonsense"), Errno.EOPNOTSUPP);
  },
  "sizes are told to an empty buffer, a short one is ERANGE"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    posix.setxattr(path, "user.value", patternBytes(500));
    assert.equal(posix.getxattrInto(path, "user.value", new Uint8Array(0)), 500);
    assertErrno(() => posix.getxattrInto(path, "user.value", new Uint8Array(499)), Errno.ERANGE);
    assert.equal(posix.getxattrInto(path, "user.value", new Uint8Array(500)), 500);
    assert.equal(posix.listxattrInto(path, new Uint8Array(0)), "user.value\0".length);
    assertErrno(() => posix.listxattrInto(path, new Uint8Array(5)), Errno.ERANGE);
  },
  "values of all bytes and names of many characters are kept"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    const value = patternBytes(2000);
    const name = `user.${"n".repeat(200)} ö`;
    posix.setxattr(path, name, value);
    assertSameBytes(posix.getxattr(path, name), value);
    assert.deepEqual(posix.listxattr(path), [name]);
  },
  "extended attributes follow a rename and belong to all names of a file"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    posix.setxattr(path, "user.a", bytes("1"));
    posix.rename(path, `${directory}/moved`);
    posix.link(`${directory}/moved`, `${directory}/second`);
    assert.equal(new TextDecoder().decode(posix.getxattr(`${directory}/second`, "user.a")), "1");
    posix.removexattr(`${directory}/second`, "user.a");
    assert.deepEqual(posix.listxattr(`${directory}/moved`), []);
  },
}));

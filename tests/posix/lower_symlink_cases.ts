/**
 * Symbolic links of the lower tree.
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
  readFile,
  readText,
  writeFile,
} from "#tests/support/posix_files.ts";

/** Cases about symbolic links of the lower tree. */
export const lowerSymlinkCases: PosixSuite = new Map(Object.entries({
  "lower link is read and followed"(directory: string) {
    assert.equal(posix.readlink(`${directory}/link`), "small");
    assert.equal(posix.lstat(`${directory}/link`).size, 5);
    assertSameBytes(readFile(`${directory}/link`), sampleContent("small"));
    assertErrno(() => posix.stat(`${directory}/dangling`), Errno.ENOENT);
    assertSameBytes(readFile(`${directory}/dir/up/deep`), sampleContent("dir/nested/deep"));
  },
  "lower link renamed, linked and removed"(directory: string) {
    posix.rename(`${directory}/link`, `${directory}/moved`);
    assertAbsent(`${directory}/link`);
    assert.equal(posix.readlink(`${directory}/moved`), "small");
    posix.link(`${directory}/dangling`, `${directory}/second`);
    assert.equal(posix.readlink(`${directory}/second`), "nowhere");
    assert.equal(posix.lstat(`${directory}/dangling`).nlink, 2);
    posix.unlink(`${directory}/dangling`);
    assertAbsent(`${directory}/dangling`);
    assert.equal(posix.readlink(`${directory}/second`), "nowhere");
    posix.symlink("elsewhere", `${directory}/dangling`);
    assert.equal(posix.readlink(`${directory}/dangling`), "elsewhere");
  },
  "lower link's owner and times change, its target's do not"(directory: string) {
    posix.lchown(`${directory}/link`, 65534, 65534);
    posix.utimensat(
      `${directory}/link`,
      posix.UtimeOmit,
      { seconds: 1_000_000_000n, nanoseconds: 0n },
    );
    assert.equal(posix.lstat(`${directory}/link`).uid, 65534);
    assert.equal(posix.lstat(`${directory}/link`).mtimeNs, 10n ** 18n);
    assert.equal(posix.lstat(`${directory}/small`).uid, Deno.uid());
    assert.equal(posix.readlink(`${directory}/link`), "small");
  },
  "lower link: writing through it changes its target"(directory: string) {
    writeFile(`${directory}/link`, "written");
    assert.equal(readText(`${directory}/small`), "written");
    assert.equal(posix.readlink(`${directory}/link`), "small");
    writeFile(`${directory}/dangling`, "made");
    assert.equal(readText(`${directory}/nowhere`), "made");
  },
  "lower directory with a link moved as a whole"(directory: string) {
    posix.rename(`${directory}/dir`, `${directory}/moved`);
    assert.equal(posix.readlink(`${directory}/moved/up`), "../dir/nested");
    assertErrno(() => posix.stat(`${directory}/moved/up`), Errno.ENOENT);
  },
}));

/**
 * What a read-only mount must do: show exactly what is expected, and refuse every change with
 * EROFS.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Errno } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertErrno,
  assertSameBytes,
  readAt,
  readFile,
  withFile,
} from "#tests/support/posix_files.ts";
import { type ManifestEntry, walkManifest } from "#tests/support/tree_manifest.ts";

const { O, FileType } = posix;
const DT_BY_TYPE = { file: 8, dir: 4, link: 10, special: undefined } as const;
const TYPE_BITS = {
  file: FileType.REGULAR,
  dir: FileType.DIRECTORY,
  link: FileType.SYMLINK,
} as const;

function firstOf(expected: readonly ManifestEntry[], type: ManifestEntry["type"]): string {
  const entry = expected.find((each) => each.type === type);
  if (entry === undefined) throw new RangeError(`Cannot find a ${type} in the manifest`);
  return entry.path;
}

/** Mutations of a tree that has the file `file` and the directory `dir`, by name. */
function mutations(root: string, file: string, dir: string): Map<string, () => unknown> {
  const [path, directory, fresh] = [
    `${root}/${file}`,
    `${root}/${dir}`,
    `${root}/${dir}/fresh-name`,
  ];
  const time = { seconds: 1n, nanoseconds: 0n };
  const value = new Uint8Array([1]);
  return new Map(Object.entries({
    "open for writing": () => posix.open(path, O.WRONLY),
    "open for both": () => posix.open(path, O.RDWR),
    "open with O_TRUNC": () => posix.open(path, O.WRONLY | O.TRUNC),
    create: () => posix.open(fresh, O.WRONLY | O.CREAT),
    "create exclusively": () => posix.open(fresh, O.WRONLY | O.CREAT | O.EXCL),
    truncate: () => posix.truncate(path, 0),
    unlink: () => posix.unlink(path),
    rmdir: () => posix.rmdir(directory),
    mkdir: () => posix.mkdir(fresh),
    mknod: () => posix.mknod(fresh, FileType.FIFO | 0o600),
    symlink: () => posix.symlink("x", fresh),
    link: () => posix.link(path, fresh),
    rename: () => posix.rename(path, fresh),
    chmod: () => posix.chmod(path, 0o600),
    chown: () => posix.lchown(path, 1, 1),
    utimensat: () => posix.utimensat(path, time, time),
    setxattr: () => posix.setxattr(path, "user.x", value),
    removexattr: () => posix.removexattr(path, "user.x"),
    "access for writing": () => posix.access(path, 2),
  }));
}

/**
 * The cases for a read-only tree that must show `expected`. Every case gets the root of the tree.
 * `expected` needs at least one file and one directory.
 */
export function posixReadOnlySuite(expected: readonly ManifestEntry[]): PosixSuite {
  return new Map(Object.entries({
    "the tree is the expected one, twice"(root: string) {
      for (let i = 0; i < 2; i++) {
        const order = (a: ManifestEntry, b: ManifestEntry) => a.path < b.path ? -1 : 1;
        assert.deepEqual([...walkManifest(root)].sort(order), [...expected].sort(order));
      }
    },
    "listing, lstat and open agree on type, inode and size"(root: string) {
      const byPath = new Map(expected.map((entry) => [entry.path, entry]));
      for (const dir of ["", ...expected.filter(({ type }) => type === "dir").map((e) => e.path)]) {
        for (const record of posix.readDirectory(`${root}/${dir}`)) {
          const path = dir === "" ? record.name : `${dir}/${record.name}`;
          const entry = byPath.get(path);
          assert.ok(entry, `unexpected name ${path}`);
          const status = posix.lstat(`${root}/${path}`);
          assert.equal(record.ino, status.ino, path);
          assert.ok(record.type === 0 || record.type === DT_BY_TYPE[entry.type], path);
          if (entry.type === "special") continue;
          assert.equal(status.mode & FileType.MASK, TYPE_BITS[entry.type], path);
          if (entry.type === "file") {
            withFile(`${root}/${path}`, O.RDONLY, (fd) => {
              assert.equal(posix.fstat(fd).size, entry.size, path);
              assert.equal(posix.fstat(fd).ino, status.ino, path);
            });
          }
        }
      }
    },
    "random reads agree with the whole content"(root: string) {
      for (const entry of expected.filter(({ type }) => type === "file")) {
        const path = `${root}/${entry.path}`;
        const content = readFile(path);
        assert.equal(createHash("sha256").update(content).digest("hex"), entry.sha256, entry.path);
        withFile(path, O.RDONLY, (fd) => {
          for (const part of [0, 0.31, 0.5, 0.93, 1]) {
            const offset = Math.floor(content.length * part);
            const wanted = content.subarray(offset, offset + 10_007);
            assertSameBytes(readAt(fd, offset, 10_007), wanted, `${entry.path} at ${offset}`);
          }
        });
      }
    },
    "a shared read-only look at a name that is not there is ENOENT"(root: string) {
      assertErrno(() => posix.lstat(`${root}/no-such-name`), Errno.ENOENT);
      assertErrno(() => posix.open(`${root}/no-such-name`, O.RDONLY), Errno.ENOENT);
      const file = firstOf(expected, "file");
      assertErrno(() => posix.lstat(`${root}/${file}/below`), Errno.ENOTDIR);
    },
    "every change is refused with EROFS"(root: string) {
      const changes = mutations(root, firstOf(expected, "file"), firstOf(expected, "dir"));
      const wrong: string[] = [];
      for (const [name, change] of changes) {
        try {
          assertErrno(change, Errno.EROFS);
        } catch (error) {
          wrong.push(`${name}: ${error instanceof Error ? error.message : error}`);
        }
      }
      assert.deepEqual(wrong, []);
    },
  }));
}

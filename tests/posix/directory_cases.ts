/**
 * Directories: listing, seeking in a listing while names come and go, size and depth.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { assertErrno, readText, withFile, writeFile } from "#tests/support/posix_files.ts";

const { O } = posix;
const SMALL_BUFFER = 512;

/** Cases about directories. */
export const directoryCases: PosixSuite = new Map(Object.entries({
  "mkdir makes an empty directory and refuses an existing name"(directory: string) {
    posix.mkdir(`${directory}/dir`, 0o750);
    const status = posix.lstat(`${directory}/dir`);
    assert.equal(status.mode & posix.FileType.MASK, posix.FileType.DIRECTORY);
    assert.deepEqual(posix.names(`${directory}/dir`), []);
    assertErrno(() => posix.mkdir(`${directory}/dir`), Errno.EEXIST);
    writeFile(`${directory}/file`, "x");
    assertErrno(() => posix.mkdir(`${directory}/file`), Errno.EEXIST);
    posix.symlink("nowhere", `${directory}/link`);
    assertErrno(() => posix.mkdir(`${directory}/link`), Errno.EEXIST);
    assertErrno(() => posix.mkdir(`${directory}/missing/dir`), Errno.ENOENT);
  },
  "a listing holds . and .. and the right types and inodes"(directory: string) {
    posix.mkdir(`${directory}/dir`);
    writeFile(`${directory}/file`, "x");
    posix.symlink("file", `${directory}/link`);
    posix.mknod(`${directory}/fifo`, posix.FileType.FIFO | 0o600);
    const entries = withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => posix.getdents(fd));
    assert.deepEqual(
      entries.map((entry) => entry.name).sort(),
      [".", "..", "dir", "fifo", "file", "link"],
    );
    const types = new Map([["dir", 4], ["file", 8], ["link", 10], ["fifo", 1]]);
    for (const entry of entries) {
      const wanted = types.get(entry.name);
      if (wanted === undefined) continue;
      assert.ok(entry.type === wanted || entry.type === 0, `${entry.name}: type ${entry.type}`);
      assert.equal(entry.ino, posix.lstat(`${directory}/${entry.name}`).ino, entry.name);
    }
  },
  "the end of a listing stays the end"(directory: string) {
    writeFile(`${directory}/file`, "x");
    withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => {
      while (posix.getdents(fd).length > 0);
      assert.equal(posix.getdents(fd).length, 0);
      posix.lseek(fd, 0, posix.Seek.SET);
      assert.equal(posix.getdents(fd).length, 3);
    });
  },
  "rewinding a listing shows what changed"(directory: string) {
    writeFile(`${directory}/old`, "x");
    withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => {
      posix.getdents(fd);
      posix.unlink(`${directory}/old`);
      writeFile(`${directory}/new`, "x");
      posix.lseek(fd, 0, posix.Seek.SET);
      const found = posix.getdents(fd).map((entry) => entry.name);
      assert.deepEqual(found.sort(), [".", "..", "new"]);
    });
  },
  "seeking to a told position goes on after that entry"(directory: string) {
    const wanted = Array.from({ length: 100 }, (_, i) => `file${i}`);
    for (const name of wanted) writeFile(`${directory}/${name}`, "");
    withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => {
      const all: posix.DirectoryRecord[] = [];
      for (;;) {
        const some = posix.getdents(fd, SMALL_BUFFER);
        if (some.length === 0) break;
        all.push(...some);
      }
      assert.equal(all.length, 102);
      for (const index of [50, 0, 99, 7, 100]) {
        posix.lseek(fd, all[index]!.next, posix.Seek.SET);
        assert.equal(posix.getdents(fd, SMALL_BUFFER)[0]!.name, all[index + 1]!.name);
      }
    });
  },
  "names present throughout a changing listing appear exactly once"(directory: string) {
    const steady = Array.from({ length: 300 }, (_, i) => `steady${i}`);
    for (const name of steady) {
      writeFile(`${directory}/${name}`, "");
      writeFile(`${directory}/goes-${name}`, "");
    }
    const seen = new Map<string, number>();
    withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => {
      for (let round = 0;; round++) {
        const some = posix.getdents(fd, SMALL_BUFFER);
        if (some.length === 0) break;
        for (const entry of some) seen.set(entry.name, (seen.get(entry.name) ?? 0) + 1);
        if (round < 100) {
          posix.unlink(`${directory}/goes-steady${round}`);
          writeFile(`${directory}/comes${round}`, "");
          posix.rename(`${directory}/comes${round}`, `${directory}/comes-renamed${round}`);
          // Leaving and coming back must not disturb the listing either.
          posix.lseek(fd, some.at(-1)!.next, posix.Seek.SET);
        }
      }
    });
    for (const name of steady) assert.equal(seen.get(name), 1, name);
    for (const [name, count] of seen) assert.equal(count, 1, name);
  },
  "a listing read while all its names are unlinked removes every one"(directory: string) {
    for (let i = 0; i < 500; i++) writeFile(`${directory}/file${i}`, "");
    withFile(directory, O.RDONLY | O.DIRECTORY, (fd) => {
      for (;;) {
        const some = posix.getdents(fd, SMALL_BUFFER);
        if (some.length === 0) break;
        for (const { name } of some) {
          if (name !== "." && name !== "..") posix.unlink(`${directory}/${name}`);
        }
      }
    });
    assert.deepEqual(posix.names(directory), []);
  },
  "2,000 files in one directory are all listed and found"(directory: string) {
    const wanted = Array.from({ length: 2000 }, (_, i) => `file-with-a-longer-name-${i}`).sort();
    for (const name of wanted) {
      posix.close(posix.open(`${directory}/${name}`, O.WRONLY | O.CREAT | O.EXCL));
    }
    assert.deepEqual(posix.names(directory), wanted);
    for (const name of wanted) assert.equal(posix.lstat(`${directory}/${name}`).size, 0);
    for (const name of wanted) posix.unlink(`${directory}/${name}`);
    assert.deepEqual(posix.names(directory), []);
  },
  "directories nest deeply"(directory: string) {
    let path = directory;
    for (let depth = 0; depth < 60; depth++) {
      path += "/d";
      posix.mkdir(path);
    }
    writeFile(`${path}/file`, "bottom");
    assert.equal(readText(`${path}/file`), "bottom");
    assert.equal(readText(`${path}/../d/./file`), "bottom");
    posix.rename(`${directory}/d`, `${directory}/e`);
    assert.equal(readText(path.replace("/d", "/e") + "/file"), "bottom");
  },
  "creating and removing names changes the directory's times"(directory: string) {
    const dir = `${directory}/dir`;
    posix.mkdir(dir);
    const changes: [string, () => void][] = [
      ["create", () => writeFile(`${dir}/a`, "x")],
      ["rename", () => posix.rename(`${dir}/a`, `${dir}/b`)],
      ["link", () => posix.link(`${dir}/b`, `${dir}/c`)],
      ["unlink", () => posix.unlink(`${dir}/b`)],
      ["mkdir", () => posix.mkdir(`${dir}/d`)],
      ["rmdir", () => posix.rmdir(`${dir}/d`)],
      ["symlink", () => posix.symlink("x", `${dir}/s`)],
    ];
    const long = { seconds: 1_000_000_000n, nanoseconds: 0n };
    for (const [what, change] of changes) {
      posix.utimensat(dir, long, long);
      assert.equal(posix.lstat(dir).mtimeNs, 10n ** 18n);
      change();
      assert.ok(posix.lstat(dir).mtimeNs > 10n ** 18n, `mtime after ${what}`);
    }
  },
}));

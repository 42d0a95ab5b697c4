/**
 * Attributes: times, permission bits, owners, stable inode numbers.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertErrno,
  patternBytes,
  readText,
  withFile,
  writeAllAt,
  writeFile,
} from "#tests/support/posix_files.ts";

const { O, FileType } = posix;
const KEEP_ID = 0xffff_ffff;
const OTHER_ID = 65534;

const LONG_AGO = { seconds: 1_000_000_000n, nanoseconds: 0n };
const LONG_AGO_NS = 10n ** 18n;

/** Longer than a file system may keep a time that a store through a map has made old. */
const PAUSE_MS = 50;

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

/** Stores one byte through a mapping of an open file. */
function storeThroughMap(fd: number, afterwards: (mapping: posix.Mapping) => void = () => {}) {
  const mapping = posix.mapShared(fd, 8192);
  mapping.bytes[1] = 5;
  afterwards(mapping);
  mapping.unmap();
}

/** Cases about attributes. */
export const attributeCases: PosixSuite = new Map(Object.entries({
  "utimensat sets times to the nanosecond"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    posix.mkdir(`${directory}/dir`);
    posix.symlink("x", `${directory}/link`);
    for (const each of [path, `${directory}/dir`, `${directory}/link`]) {
      const time = { seconds: 1_234_567_890n, nanoseconds: 123_456_789n };
      posix.utimensat(each, LONG_AGO, time);
      assert.equal(posix.lstat(each).mtimeNs, 1_234_567_890_123_456_789n, each);
      posix.utimensat(each, LONG_AGO, { seconds: -5n, nanoseconds: 1n });
      assert.equal(posix.lstat(each).mtimeNs, -4_999_999_999n, each);
    }
  },
  "utimensat takes NOW and OMIT"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    posix.utimensat(path, LONG_AGO, LONG_AGO);
    posix.utimensat(path, posix.UtimeNow, posix.UtimeOmit);
    assert.equal(posix.lstat(path).mtimeNs, LONG_AGO_NS);
    posix.utimensat(path, posix.UtimeOmit, posix.UtimeNow);
    const age = BigInt(Date.now()) * 1_000_000n - posix.lstat(path).mtimeNs;
    assert.ok(age < 60_000_000_000n && age > -60_000_000_000n, `mtime is ${age} ns old`);
  },
  async "stores through a map change mtime and ctime"(directory: string) {
    const stores: Readonly<Record<string, (path: string, fd: number) => void>> = {
      "msync": (_path, fd) => storeThroughMap(fd, (mapping) => mapping.sync()),
      "fsync": (_path, fd) => storeThroughMap(fd, () => posix.fsync(fd)),
      "munmap and close": (path) => withFile(path, O.RDWR, (fd) => storeThroughMap(fd)),
      "a descriptor closed before": (path) => {
        const fd = posix.open(path, O.RDWR);
        const mapping = posix.mapShared(fd, 8192);
        posix.close(fd);
        mapping.bytes[1] = 5;
        mapping.sync();
        mapping.unmap();
      },
    };
    for (const [name, store] of Object.entries(stores)) {
      const path = `${directory}/${name}`;
      writeFile(path, new Uint8Array(8192));
      const fd = posix.open(path, O.RDWR);
      try {
        posix.utimensat(path, LONG_AGO, LONG_AGO);
        const before = posix.stat(path);
        await pause();
        // Programs look at a file when they open it, right before they change it.
        assert.equal(posix.fstat(fd).mtimeNs, before.mtimeNs);
        store(path, fd);
        if (name === "msync" || name === "a descriptor closed before") await pause();
        const after = posix.stat(path);
        assert.ok(after.mtimeNs > before.mtimeNs, `${name}: mtime is ${after.mtimeNs}`);
        assert.ok(after.ctimeNs > before.ctimeNs, `${name}: ctime is ${after.ctimeNs}`);
      } finally {
        posix.close(fd);
      }
    }
  },
  "writing and truncating change mtime and ctime"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "0123456789");
    const changes: [string, () => void][] = [
      ["write", () => withFile(path, O.WRONLY, (fd) => writeAllAt(fd, new Uint8Array(1), 3))],
      ["truncate", () => posix.truncate(path, 5)],
      ["extend", () => posix.truncate(path, 50)],
      ["O_TRUNC", () => posix.close(posix.open(path, O.WRONLY | O.TRUNC))],
    ];
    for (const [what, change] of changes) {
      posix.utimensat(path, LONG_AGO, LONG_AGO);
      const before = posix.lstat(path);
      assert.equal(before.mtimeNs, LONG_AGO_NS);
      change();
      const after = posix.lstat(path);
      assert.ok(after.mtimeNs > LONG_AGO_NS, `mtime after ${what}`);
      assert.ok(after.ctimeNs >= before.ctimeNs, `ctime after ${what}`);
    }
  },
  "chmod, link and rename change ctime but not mtime"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    const changes: [string, () => void][] = [
      ["chmod", () => posix.chmod(path, 0o600)],
      ["chown", () => posix.lchown(path, KEEP_ID, OTHER_ID)],
      ["link", () => posix.link(path, `${directory}/second`)],
    ];
    for (const [what, change] of changes) {
      posix.utimensat(path, LONG_AGO, LONG_AGO);
      const before = posix.lstat(path).ctimeNs;
      // The clock of file times may tick only every 4 to 10 ms.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 25);
      change();
      assert.ok(posix.lstat(path).ctimeNs > before, `ctime after ${what}`);
      assert.equal(posix.lstat(path).mtimeNs, LONG_AGO_NS, `mtime after ${what}`);
    }
  },
  "reading changes neither mtime nor ctime"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "content");
    posix.utimensat(path, LONG_AGO, LONG_AGO);
    const before = posix.lstat(path);
    readText(path);
    posix.names(directory);
    const after = posix.lstat(path);
    assert.equal(after.mtimeNs, before.mtimeNs);
    assert.equal(after.ctimeNs, before.ctimeNs);
  },
  "times stay after a write is closed"(directory: string) {
    const path = `${directory}/file`;
    withFile(path, O.RDWR | O.CREAT, (fd) => {
      writeAllAt(fd, new Uint8Array(10_000), 0);
      posix.utimensat(path, LONG_AGO, LONG_AGO);
    });
    assert.equal(posix.lstat(path).mtimeNs, LONG_AGO_NS);
  },
  "permission bits are set, shown and kept"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    for (const mode of [0o000, 0o600, 0o755, 0o4755, 0o2755, 0o1777, 0o7777, 0o644]) {
      posix.chmod(path, mode);
      assert.equal(posix.lstat(path).mode & 0o7777, mode);
      assert.equal(posix.lstat(path).mode & FileType.MASK, FileType.REGULAR);
    }
    posix.mkdir(`${directory}/dir`);
    posix.chmod(`${directory}/dir`, 0o3710);
    assert.equal(posix.lstat(`${directory}/dir`).mode & 0o7777, 0o3710);
    withFile(path, O.RDONLY, (fd) => posix.fchmod(fd, 0o610));
    assert.equal(posix.lstat(path).mode & 0o7777, 0o610);
  },
  "umask applies to everything that is created"(directory: string) {
    const before = posix.umask(0o027);
    try {
      posix.close(posix.open(`${directory}/file`, O.WRONLY | O.CREAT, 0o666));
      posix.mkdir(`${directory}/dir`, 0o777);
      posix.mknod(`${directory}/fifo`, FileType.FIFO | 0o666);
    } finally {
      posix.umask(before);
    }
    assert.equal(posix.lstat(`${directory}/file`).mode & 0o7777, 0o640);
    assert.equal(posix.lstat(`${directory}/dir`).mode & 0o7777, 0o750);
    assert.equal(posix.lstat(`${directory}/fifo`).mode & 0o7777, 0o640);
  },
  "a file created without write permission can be written through its descriptor"(
    directory: string,
  ) {
    const path = `${directory}/file`;
    const fd = posix.open(path, O.RDWR | O.CREAT | O.EXCL, 0o000);
    try {
      writeAllAt(fd, new TextEncoder().encode("written"), 0);
    } finally {
      posix.close(fd);
    }
    assert.equal(posix.lstat(path).mode & 0o7777, 0);
    assert.equal(posix.lstat(path).size, 7);
  },
  "new names belong to who made them; chown changes that"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, "x");
    posix.symlink("x", `${directory}/link`);
    assert.equal(posix.lstat(path).uid, Deno.uid());
    posix.lchown(path, OTHER_ID, KEEP_ID);
    assert.equal(posix.lstat(path).uid, OTHER_ID);
    assert.equal(posix.lstat(path).gid, Deno.gid());
    posix.lchown(path, KEEP_ID, OTHER_ID);
    assert.equal(posix.lstat(path).gid, OTHER_ID);
    posix.lchown(`${directory}/link`, OTHER_ID, OTHER_ID);
    assert.equal(posix.lstat(`${directory}/link`).uid, OTHER_ID);
    assert.equal(readText(path), "x");
  },
  "a setgid directory hands down its group, and the bit to directories"(directory: string) {
    const dir = `${directory}/dir`;
    posix.mkdir(dir);
    posix.lchown(dir, KEEP_ID, OTHER_ID);
    posix.chmod(dir, 0o2775);
    writeFile(`${dir}/file`, "x");
    posix.mkdir(`${dir}/sub`, 0o755);
    assert.equal(posix.lstat(`${dir}/file`).gid, OTHER_ID);
    assert.equal(posix.lstat(`${dir}/file`).mode & 0o7777, 0o644);
    assert.equal(posix.lstat(`${dir}/sub`).gid, OTHER_ID);
    assert.equal(posix.lstat(`${dir}/sub`).mode & 0o7777, 0o2755);
  },
  "chown drops setuid and setgid of a program"(directory: string) {
    const path = `${directory}/program`;
    writeFile(path, "x");
    posix.chmod(path, 0o6755);
    posix.lchown(path, OTHER_ID, OTHER_ID);
    assert.equal(posix.lstat(path).mode & 0o7777, 0o755);
  },
  "access answers for the super-user"(directory: string) {
    writeFile(`${directory}/file`, "x");
    posix.chmod(`${directory}/file`, 0o000);
    posix.access(`${directory}/file`, 4 | 2);
    assertErrno(() => posix.access(`${directory}/file`, 1), Errno.EACCES);
    posix.chmod(`${directory}/file`, 0o100);
    posix.access(`${directory}/file`, 1);
    assertErrno(() => posix.access(`${directory}/missing`, 0), Errno.ENOENT);
  },
  "the inode number stays through chmod, writes, truncation and rename"(directory: string) {
    const path = `${directory}/file`;
    writeFile(path, patternBytes(20_000));
    const { ino } = posix.lstat(path);
    posix.chmod(path, 0o600);
    assert.equal(posix.lstat(path).ino, ino);
    withFile(path, O.RDWR, (fd) => {
      writeAllAt(fd, new Uint8Array(1), 9000);
      assert.equal(posix.fstat(fd).ino, ino);
    });
    posix.truncate(path, 100);
    posix.rename(path, `${directory}/other`);
    assert.equal(posix.lstat(`${directory}/other`).ino, ino);
    const listed = posix.readDirectory(directory).find((entry) => entry.name === "other");
    assert.equal(listed?.ino, ino);
  },
  "different files have different inode numbers"(directory: string) {
    const seen = new Set<bigint>([posix.lstat(directory).ino]);
    for (let i = 0; i < 100; i++) {
      writeFile(`${directory}/${i}`, "");
      seen.add(posix.lstat(`${directory}/${i}`).ino);
    }
    assert.equal(seen.size, 101);
  },
  "directories count their subdirectories, or always say 1"(directory: string) {
    const dir = `${directory}/dir`;
    posix.mkdir(dir);
    const empty = posix.lstat(dir).nlink;
    posix.mkdir(`${dir}/a`);
    posix.mkdir(`${dir}/b`);
    const two = posix.lstat(dir).nlink;
    assert.ok((empty === 2 && two === 4) || (empty === 1 && two === 1), `${empty}, then ${two}`);
  },
}));

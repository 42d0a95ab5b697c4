/**
 * Hard links, symbolic links, FIFOs and sockets.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Errno } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertErrno,
  readAt,
  readText,
  withFile,
  writeAllAt,
  writeFile,
} from "#tests/support/posix_files.ts";

const { O, FileType } = posix;

/** Cases about links and special files. */
export const linkCases: PosixSuite = new Map(Object.entries({
  "hard links share inode, content, attributes and count"(directory: string) {
    const [a, b] = [`${directory}/a`, `${directory}/b`];
    writeFile(a, "one");
    assert.equal(posix.lstat(a).nlink, 1);
    posix.link(a, b);
    assert.equal(posix.lstat(a).ino, posix.lstat(b).ino);
    assert.equal(posix.lstat(a).nlink, 2);
    assert.equal(posix.lstat(b).nlink, 2);
    writeFile(b, "two and more");
    assert.equal(readText(a), "two and more");
    posix.chmod(a, 0o604);
    assert.equal(posix.lstat(b).mode & 0o777, 0o604);
  },
  "a hard link survives the unlink of the first name"(directory: string) {
    posix.mkdir(`${directory}/dir`);
    const [a, b] = [`${directory}/a`, `${directory}/dir/b`];
    writeFile(a, "content");
    const ino = posix.lstat(a).ino;
    posix.link(a, b);
    posix.unlink(a);
    assert.equal(posix.lstat(b).nlink, 1);
    assert.equal(posix.lstat(b).ino, ino);
    assert.equal(readText(b), "content");
    writeFile(a, "another");
    assert.notEqual(posix.lstat(a).ino, ino);
    assert.equal(readText(b), "content");
  },
  "writes through one name of an open file are seen through the other"(directory: string) {
    const [a, b] = [`${directory}/a`, `${directory}/b`];
    writeFile(a, "0123456789");
    posix.link(a, b);
    withFile(a, O.RDWR, (writer) =>
      withFile(b, O.RDONLY, (reader) => {
        writeAllAt(writer, new TextEncoder().encode("xyz"), 8);
        assert.equal(posix.stat(b).size, 11);
        assert.equal(new TextDecoder().decode(readAt(reader, 0, 20)), "01234567xyz");
        posix.truncate(b, 4);
        assert.equal(posix.fstat(writer).size, 4);
      }));
  },
  "a link is renamed over and count falls"(directory: string) {
    const [a, b, c] = [`${directory}/a`, `${directory}/b`, `${directory}/c`];
    writeFile(a, "a");
    posix.link(a, b);
    writeFile(c, "c");
    posix.rename(c, b);
    assert.equal(posix.lstat(a).nlink, 1);
    assert.equal(readText(b), "c");
  },
  "link refuses directories, existing names and missing sources"(directory: string) {
    writeFile(`${directory}/a`, "a");
    writeFile(`${directory}/b`, "b");
    posix.mkdir(`${directory}/dir`);
    const link = (from: string, to: string) => () =>
      posix.link(`${directory}/${from}`, `${directory}/${to}`);
    assertErrno(link("dir", "new"), Errno.EPERM);
    assertErrno(link("a", "b"), Errno.EEXIST);
    assertErrno(link("a", "dir"), Errno.EEXIST);
    assertErrno(link("missing", "new"), Errno.ENOENT);
    assertErrno(link("a", "missing/new"), Errno.ENOENT);
  },
  "many links to one file are counted"(directory: string) {
    writeFile(`${directory}/0`, "x");
    for (let i = 1; i < 100; i++) posix.link(`${directory}/0`, `${directory}/${i}`);
    assert.equal(posix.lstat(`${directory}/50`).nlink, 100);
    for (let i = 0; i < 99; i++) posix.unlink(`${directory}/${i}`);
    assert.equal(posix.lstat(`${directory}/99`).nlink, 1);
    assert.equal(readText(`${directory}/99`), "x");
  },
  "symbolic links are followed, read and removed"(directory: string) {
    writeFile(`${directory}/file`, "content");
    posix.mkdir(`${directory}/dir`);
    writeFile(`${directory}/dir/inside`, "inside");
    posix.symlink("file", `${directory}/link`);
    posix.symlink("dir", `${directory}/dirlink`);
    assert.equal(posix.readlink(`${directory}/link`), "file");
    assert.equal(readText(`${directory}/link`), "content");
    assert.equal(readText(`${directory}/dirlink/inside`), "inside");
    const status = posix.lstat(`${directory}/link`);
    assert.equal(status.mode & FileType.MASK, FileType.SYMLINK);
    assert.equal(status.size, 4);
    assert.equal(posix.stat(`${directory}/link`).size, 7);
    assertErrno(() => posix.open(`${directory}/link`, O.RDONLY | O.NOFOLLOW), Errno.ELOOP);
    posix.unlink(`${directory}/link`);
    assert.equal(readText(`${directory}/file`), "content");
    assertErrno(() => posix.rmdir(`${directory}/dirlink`), Errno.ENOTDIR);
  },
  "symbolic links hold long and strange targets"(directory: string) {
    const targets = [
      "t".repeat(255),
      "../".repeat(80) + "x",
      "a b\n'",
      "/abs/olute",
      "ö".repeat(60),
    ];
    for (const [index, target] of targets.entries()) {
      posix.symlink(target, `${directory}/${index}`);
      assert.equal(posix.readlink(`${directory}/${index}`), target);
      assert.equal(
        posix.lstat(`${directory}/${index}`).size,
        new TextEncoder().encode(target).length,
      );
    }
    posix.symlink(`/${"x/".repeat(2000)}y`, `${directory}/longest`);
    assert.equal(posix.readlink(`${directory}/longest`).length, 4002);
  },
  "a dangling link is there itself, its target is not; creating through it works"(
    directory: string,
  ) {
    posix.symlink("target", `${directory}/link`);
    assert.equal(posix.readlink(`${directory}/link`), "target");
    assertErrno(() => posix.stat(`${directory}/link`), Errno.ENOENT);
    assertErrno(() => posix.open(`${directory}/link`, O.RDONLY), Errno.ENOENT);
    posix.close(posix.open(`${directory}/link`, O.WRONLY | O.CREAT));
    assert.equal(posix.lstat(`${directory}/target`).size, 0);
  },
  "links in a circle are ELOOP"(directory: string) {
    posix.symlink("b", `${directory}/a`);
    posix.symlink("a", `${directory}/b`);
    assertErrno(() => posix.open(`${directory}/a`, O.RDONLY), Errno.ELOOP);
    assertErrno(() => posix.stat(`${directory}/a/x`), Errno.ELOOP);
  },
  "symlink refuses existing names, readlink what is no link"(directory: string) {
    writeFile(`${directory}/file`, "x");
    assertErrno(() => posix.symlink("x", `${directory}/file`), Errno.EEXIST);
    assertErrno(() => posix.readlink(`${directory}/file`), Errno.EINVAL);
    assertErrno(() => posix.readlink(directory), Errno.EINVAL);
    assertErrno(() => posix.symlink("", `${directory}/empty`), Errno.ENOENT);
  },
  "a hard link to a symbolic link is a second name of the link"(directory: string) {
    writeFile(`${directory}/file`, "x");
    posix.symlink("file", `${directory}/link`);
    posix.link(`${directory}/link`, `${directory}/second`);
    assert.equal(posix.readlink(`${directory}/second`), "file");
    assert.equal(posix.lstat(`${directory}/second`).nlink, 2);
    posix.link(`${directory}/link`, `${directory}/followed`, true);
    assert.equal(posix.lstat(`${directory}/file`).nlink, 2);
  },
  "a FIFO carries bytes and is no regular file"(directory: string) {
    const path = `${directory}/fifo`;
    posix.mknod(path, FileType.FIFO | 0o600);
    assert.equal(posix.lstat(path).mode & FileType.MASK, FileType.FIFO);
    withFile(path, O.RDWR | O.NONBLOCK, (fd) => {
      posix.write(fd, new TextEncoder().encode("through"));
      const bytes = new Uint8Array(20);
      assert.equal(posix.read(fd, bytes), 7);
      assert.equal(new TextDecoder().decode(bytes.subarray(0, 7)), "through");
    });
    assert.equal(posix.lstat(path).size, 0);
    posix.unlink(path);
  },
  async "a unix socket can be bound, connected and removed"(directory: string) {
    // A socket's path is limited to 107 bytes, so the case must not be nested deeply.
    const path = `${directory}/socket`;
    using listener = Deno.listen({ transport: "unix", path });
    assert.equal(posix.lstat(path).mode & FileType.MASK, FileType.SOCKET);
    const accepted = listener.accept();
    const client = await Deno.connect({ transport: "unix", path });
    const server = await accepted;
    await client.write(new TextEncoder().encode("ping"));
    const bytes = new Uint8Array(10);
    assert.equal(await server.read(bytes), 4);
    client.close();
    server.close();
    posix.unlink(path);
    assert.deepEqual(posix.names(directory), []);
  },
  "mknod makes regular files and refuses existing names"(directory: string) {
    posix.mknod(`${directory}/file`, FileType.REGULAR | 0o640);
    assert.equal(posix.lstat(`${directory}/file`).mode & FileType.MASK, FileType.REGULAR);
    writeFile(`${directory}/file`, "usable");
    assert.equal(readText(`${directory}/file`), "usable");
    assertErrno(
      () => posix.mknod(`${directory}/file`, FileType.FIFO | 0o600),
      Errno.EEXIST,
    );
  },
}));

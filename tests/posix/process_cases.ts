/**
 * Several processes on one file, and a process of another user.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Errno, errnoName } from "#ffi/os_error.ts";
import type { PosixSuite } from "#tests/posix/posix_case.ts";
import * as posix from "#tests/support/posix_calls.ts";
import {
  assertSameBytes,
  patternBytes,
  readFile,
  readText,
  writeFile,
} from "#tests/support/posix_files.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";

const { O, Flock, RecordLock } = posix;
const CHILD = fileURLToPath(new URL("./process_child.ts", import.meta.url));

async function child(...args: readonly string[]): Promise<string> {
  const command = denoRunCommand(["--allow-ffi", "--allow-read"], CHILD, args);
  return (await runCommand(command, { timeoutMs: 60_000 })).stdout.trim();
}

/** Runs a shell command as nobody; its exit code and what it said. */
async function asNobody(script: string): Promise<{ code: number; stderr: string }> {
  const identity = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const command = ["setpriv", ...identity, "sh", "-c", script];
  return await runCommand(command, { timeoutMs: 30_000, check: false });
}

async function assertDenied(script: string): Promise<void> {
  const { code, stderr } = await asNobody(script);
  assert.notEqual(code, 0, `allowed: ${script}`);
  assert.match(stderr, /Permission denied|Operation not permitted/, script);
}

async function assertAllowed(script: string): Promise<void> {
  const { code, stderr } = await asNobody(script);
  assert.equal(code, 0, `${script}: ${stderr}`);
}

/** Lets nobody into `directory` and everything above it that this suite made. */
function openDirectory(directory: string): void {
  posix.chmod(directory, 0o755);
}

/** Cases with more than one process. */
export const processCases: PosixSuite = new Map(Object.entries({
  async "four processes writing disjoint blocks of one file lose nothing"(directory: string) {
    const path = `${directory}/file`;
    const blocks = 256;
    writeFile(path, "");
    const writers = [0, 1, 2, 3].map((index) =>
      child("write-blocks", path, String(index), "4", String(blocks))
    );
    await Promise.all(writers);
    const content = readFile(path);
    assert.equal(content.length, blocks * 8192);
    for (let block = 0; block < blocks; block++) {
      const wanted = patternBytes(8192, block + 1);
      assertSameBytes(content.subarray(block * 8192, (block + 1) * 8192), wanted, `block ${block}`);
    }
  },
  async "four processes writing neighbouring odd pieces of one file lose nothing"(
    directory: string,
  ) {
    const path = `${directory}/file`;
    const pieces = 400;
    writeFile(path, new Uint8Array(pieces * 1001));
    const writers = [0, 1, 2, 3].map((index) =>
      child("write-pieces", path, String(index), "4", String(pieces))
    );
    await Promise.all(writers);
    const content = readFile(path);
    for (let piece = 0; piece < pieces; piece++) {
      const wanted = patternBytes(1001, piece + 1);
      assertSameBytes(content.subarray(piece * 1001, (piece + 1) * 1001), wanted, `piece ${piece}`);
    }
  },
  async "four processes appending to one file lose no line"(directory: string) {
    const path = `${directory}/log`;
    writeFile(path, "");
    await Promise.all([0, 1, 2, 3].map((index) => child("append", path, String(index), "200")));
    const lines = readText(path).trimEnd().split("\n");
    assert.equal(lines.length, 800);
    for (let index = 0; index < 4; index++) {
      const own = lines.filter((line) => line.startsWith(`${index} `));
      assert.deepEqual(own, Array.from({ length: 200 }, (_, i) => `${index} line ${i}`));
    }
  },
  async "four processes creating one name with O_EXCL: one wins each time"(directory: string) {
    const won = await Promise.all(
      [0, 1, 2, 3].map(() => child("create-exclusive", directory, "100")),
    );
    const total = won.reduce((sum, count) => sum + Number(count), 0);
    assert.equal(total, 100);
    assert.equal(posix.names(directory).length, 100);
  },
  async "another process sees new, changed and removed files at once"(directory: string) {
    const path = `${directory}/file`;
    assert.equal(await child("read", path), "ENOENT");
    writeFile(path, "one");
    assert.equal(await child("read", path), "one");
    writeFile(path, "another content");
    assert.equal(await child("read", path), "another content");
    posix.unlink(path);
    assert.equal(await child("read", path), "ENOENT");
  },
  async "flock excludes another process"(directory: string) {
    const path = `${directory}/lock`;
    writeFile(path, "");
    await withFileAsync(path, async (fd) => {
      posix.flock(fd, Flock.EXCLUSIVE | Flock.NONBLOCK);
      assert.equal(await child("try-flock", path, "exclusive"), errnoName(Errno.EAGAIN));
      posix.flock(fd, Flock.SHARED | Flock.NONBLOCK);
      assert.equal(await child("try-flock", path, "exclusive"), errnoName(Errno.EAGAIN));
      assert.equal(await child("try-flock", path, "shared"), "locked");
      posix.flock(fd, Flock.UNLOCK);
      assert.equal(await child("try-flock", path, "exclusive"), "locked");
    });
  },
  async "fcntl locks exclude another process by range"(directory: string) {
    const path = `${directory}/lock`;
    writeFile(path, "0123456789");
    await withFileAsync(path, async (fd) => {
      posix.setRecordLock(fd, RecordLock.WRITE, 2, 3);
      const denied = [errnoName(Errno.EAGAIN), errnoName(Errno.EACCES)];
      assert.ok(denied.includes(await child("try-record-lock", path, "4", "10")));
      assert.equal(await child("try-record-lock", path, "5", "10"), "locked");
      posix.setRecordLock(fd, RecordLock.UNLOCK, 2, 3);
      assert.equal(await child("try-record-lock", path, "4", "10"), "locked");
    });
  },
  async "another user is held to the permission bits"(directory: string) {
    if (Deno.uid() !== 0) return;
    openDirectory(directory);
    writeFile(`${directory}/secret`, "secret");
    posix.chmod(`${directory}/secret`, 0o600);
    writeFile(`${directory}/public`, "public");
    posix.chmod(`${directory}/public`, 0o644);
    posix.mkdir(`${directory}/closed`, 0o700);
    writeFile(`${directory}/closed/file`, "x");
    await assertAllowed(`test "$(cat '${directory}/public')" = public`);
    await assertDenied(`cat '${directory}/secret'`);
    await assertDenied(`echo x >> '${directory}/public'`);
    await assertDenied(`ls '${directory}/closed'`);
    await assertDenied(`cat '${directory}/closed/file'`);
    await assertDenied(`touch '${directory}/new'`);
    await assertDenied(`rm -f '${directory}/public'`);
    await assertDenied(`mkdir '${directory}/dir'`);
    await assertDenied(`mv '${directory}/public' '${directory}/moved'`);
    await assertDenied(`chmod 777 '${directory}/public'`);
    await assertDenied(`chown 65534 '${directory}/secret'`);
    assert.equal(readText(`${directory}/public`), "public");
  },
  async "what another user makes in an open directory belongs to it"(directory: string) {
    if (Deno.uid() !== 0) return;
    openDirectory(directory);
    const dir = `${directory}/open`;
    posix.mkdir(dir);
    posix.chmod(dir, 0o777);
    await assertAllowed(
      `cd '${dir}' && umask 022 && echo hello > file && mkdir dir && ln -s file link && mkfifo fifo`,
    );
    for (const name of ["file", "dir", "link", "fifo"]) {
      const status = posix.lstat(`${dir}/${name}`);
      assert.equal(status.uid, 65534, name);
      assert.equal(status.gid, 65534, name);
    }
    await assertAllowed(`cd '${dir}' && mv file moved && cat moved && rm moved && rmdir dir`);
    assert.deepEqual(posix.names(dir), ["fifo", "link"]);
  },
  async "a sticky directory protects other users' names"(directory: string) {
    if (Deno.uid() !== 0) return;
    openDirectory(directory);
    const dir = `${directory}/sticky`;
    posix.mkdir(dir);
    posix.chmod(dir, 0o1777);
    writeFile(`${dir}/roots`, "x");
    posix.chmod(`${dir}/roots`, 0o666);
    await assertDenied(`rm -f '${dir}/roots'`);
    await assertAllowed(`echo y > '${dir}/roots'`);
    assert.equal(readText(`${dir}/roots`), "y\n");
  },
  async "a write by another user drops setuid"(directory: string) {
    if (Deno.uid() !== 0) return;
    openDirectory(directory);
    const path = `${directory}/program`;
    writeFile(path, "x");
    posix.chmod(path, 0o4777);
    await assertAllowed(`echo y >> '${path}'`);
    assert.equal(posix.lstat(path).mode & 0o7777, 0o777);
  },
}));

async function withFileAsync(path: string, use: (fd: number) => Promise<void>): Promise<void> {
  const fd = posix.open(path, O.RDWR);
  try {
    await use(fd);
  } finally {
    posix.close(fd);
  }
}

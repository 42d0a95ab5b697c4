import { hostFiles, isDirectory, listDirectories, ownerOf } from "#src/io/files/files.ts";
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { OsError, UsageError } from "#src/errors.ts";
import type { ByteSource, OpenSource } from "#src/io/byte_source.ts";
import { openPlainSource } from "#src/io/files/plain_source.ts";
import { allocateNativeBuffer, At, mknodAt, unwrap } from "#ffi/libc/calls.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { SourcePool } from "#src/io/source_pool.ts";

function withDirectory(run: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync({ prefix: "pbkfs-source-" });
  try {
    run(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** What every {@link OpenSource} for host files must do. */
function testOpenSource(name: string, open: OpenSource): void {
  Deno.test(`OpenSource reads at any offset, short only at the end: ${name}`, () =>
    withDirectory((directory) => {
      const content = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
      Deno.writeFileSync(`${directory}/f`, content);
      const source = open(`${directory}/f`);
      const target = allocateNativeBuffer(2000);
      equal(source.size, 1000);
      equal(source.readAt(target, 10, 300, 600), 300);
      deepEqual(target.bytes.subarray(10, 310), content.subarray(600, 900));
      ok(target.bytes.subarray(310).every((byte) => byte === 0));
      equal(source.readAt(target, 0, 2000, 990), 10);
      equal(source.readAt(target, 0, 10, 1000), 0);
      equal(source.readAt(target, 0, 0, 0), 0);
      throws(() => source.readAt(target, 1999, 2, 0), UsageError);
      for (const offset of [-1, NaN, 0.5, 2 ** 53]) {
        throws(() => source.readAt(target, 0, 1, offset), UsageError);
      }
      source.close();
      source.close();
      throws(() => source.readAt(target, 0, 1, 0), { code: "EBADF" });
    }));

  Deno.test(`OpenSource refuses what is missing, a link, a directory or a FIFO: ${name}`, () =>
    withDirectory((directory) => {
      Deno.writeTextFileSync(`${directory}/f`, "x");
      Deno.symlinkSync("f", `${directory}/link`);
      Deno.mkdirSync(`${directory}/d`);
      unwrap(mknodAt(At.FDCWD, `${directory}/fifo`, 0o010600, 0), "mkfifo", directory);
      const cases: [string, string][] = [
        ["none", "ENOENT"],
        ["link", "ELOOP"],
        ["d", "EINVAL"],
        ["fifo", "EINVAL"],
      ];
      for (const [file, code] of cases) {
        throws(() => open(`${directory}/${file}`), (error) => {
          ok(error instanceof OsError, String(error));
          equal(error.code, code);
          ok(error.message.includes(`${directory}/${file}`));
          return true;
        });
      }
    }));
}

testOpenSource("FFI", openNativeSource);
testOpenSource("built-in calls", openPlainSource);

Deno.test("SourcePool keeps a bounded number of files open and opens them again", () => {
  const events: string[] = [];
  const pool = new SourcePool((path): ByteSource => {
    events.push(`open ${path}`);
    return { size: 0, readAt: () => 0, close: () => events.push(`close ${path}`) };
  }, 2);
  const first = pool.get("a");
  equal(pool.get("a"), first);
  pool.get("b");
  pool.get("a");
  pool.get("c");
  equal(pool.openCount, 2);
  pool.get("b");
  pool.close();
  deepEqual(events, [
    "open a",
    "open b",
    "open c",
    "close b",
    "open b",
    "close a",
    "close c",
    "close b",
  ]);
  equal(pool.openCount, 0);
});

Deno.test("openNativeSource() says which buffers it needs", () =>
  withDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/f`, "12345");
    const source = openNativeSource(`${directory}/f`);
    throws(() => source.readAt(plainBuffer(5), 0, 5, 0), UsageError);
    equal(source.readAt(plainBuffer(0), 0, 0, 0), 0);
    source.close();
  }));

Deno.test("hostFiles.read() refuses what is too large, missing or no file", () =>
  withDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/f`, "12345");
    equal(hostFiles.read(`${directory}/f`, 5).length, 5);
    throws(() => hostFiles.read(`${directory}/f`, 4), { name: "LimitError" });
    throws(() => hostFiles.read(`${directory}/g`, 4), { name: "OsError", code: "ENOENT" });
    throws(() => hostFiles.read(directory, 4), { name: "OsError", code: "EINVAL" });
  }));

Deno.test("listDirectories() gives directories and links to them, sorted", () =>
  withDirectory((directory) => {
    Deno.mkdirSync(`${directory}/b`);
    Deno.mkdirSync(`${directory}/a`);
    Deno.writeTextFileSync(`${directory}/f`, "");
    Deno.symlinkSync("b", `${directory}/c`);
    Deno.symlinkSync("nowhere", `${directory}/d`);
    deepEqual(listDirectories(directory), ["a", "b", "c"]);
    ok(isDirectory(`${directory}/c`) && !isDirectory(`${directory}/d`));
    equal(ownerOf(directory).uid, Deno.statSync(directory).uid);
  }));

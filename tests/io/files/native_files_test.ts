import { hostFiles } from "#src/io/files/files.ts";
import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CONTENT = "0123456789".repeat(20_000);

/**
 * Runs a shell script that gets names as `$1`, `$2` …; how they are written decides which bytes
 * they have.
 */
async function shell(script: string, ...args: readonly string[]): Promise<string> {
  return (await runCommand(["bash", "-c", script, "bash", ...args], { timeoutMs: 10_000 })).stdout;
}

function checkFile(path: string): void {
  const target = plainBuffer(16);
  const source = hostFiles.openSource(path);
  assert.equal(source.size, CONTENT.length);
  assert.equal(source.readAt(target, 3, 10, 199_995), 5);
  assert.equal(new TextDecoder().decode(target.bytes.subarray(3, 8)), "56789");
  source.close();

  const stream = hostFiles.openStream(path);
  assert.equal(stream.size, CONTENT.length);
  assert.equal(stream.skip(15), 15);
  assert.equal(stream.read(target.bytes.subarray(0, 4)), 4);
  assert.equal(new TextDecoder().decode(target.bytes.subarray(0, 4)), "5678");
  assert.equal(stream.skip(CONTENT.length), CONTENT.length - 19);
  assert.equal(stream.read(target.bytes), 0);
  stream.close();

  assert.equal(new TextDecoder().decode(hostFiles.readAll(path)), CONTENT);
  assert.equal(hostFiles.status(path) !== undefined, true);
  assert.equal(hostFiles.status(`${path}.no`) !== undefined, false);
  assert.throws(() => hostFiles.openSource(`${path}.no`), { name: "OsError", code: "ENOENT" });
  assert.throws(() => hostFiles.openStream(`${path}.no`), { name: "OsError", code: "ENOENT" });
  assert.throws(() => hostFiles.realPath(`${path}.no`), { name: "OsError", code: "ENOENT" });
}

Deno.test("the door to files reads files at ordinary places", () => {
  using directory = new TempDirectory("any");
  const path = directory.join("file");
  Deno.writeTextFileSync(path, CONTENT);
  Deno.symlinkSync("file", directory.join("link"));
  checkFile(path);
  assert.equal(hostFiles.realPath(directory.join("link")), Deno.realPathSync(path));
});

Deno.test("the door to files reads files below /dev, which the runtime refuses", async () => {
  const directory = (await shell("mktemp -d /dev/shm/pbkfs-any-XXXXXX")).trim();
  try {
    const path = `${directory}/file`;
    await shell('printf %s "$1" | tee "$2/file" >/dev/null', CONTENT.slice(0, 100_000), directory);
    await shell(
      'cat "$1" "$1" > "$1.two"; mv "$1.two" "$1"; ln -s file "$2/link"',
      path,
      directory,
    );
    checkFile(path);
    assert.equal(hostFiles.realPath(`${directory}/link`), path);
  } finally {
    await shell('rm -r "$1"', directory);
  }
});

Deno.test("the door to files reads files whose names are not UTF-8", async () => {
  using directory = new TempDirectory("any");
  Deno.writeTextFileSync(directory.join("plain"), CONTENT);
  await shell(`mv "$1/plain" "$1/"$'n\\xff'; ln -s $'n\\xff' "$1/link"`, directory.path);
  const path = directory.join("n\udcff");
  checkFile(path);
  assert.equal(hostFiles.realPath(path), `${Deno.realPathSync(directory.path)}/n\udcff`);
});

Deno.test("the door to files reads what is no regular file in order", async () => {
  const directory = (await shell("mktemp -d /dev/shm/pbkfs-any-XXXXXX")).trim();
  try {
    const path = `${directory}/fifo`;
    await shell('mkfifo "$1"', path);
    const writing = shell('printf 0123456789 > "$1"', path);
    const stream = hostFiles.openStream(path);
    assert.equal(stream.size, undefined);
    assert.equal(stream.skip(7), 7);
    const rest = new Uint8Array(8);
    assert.equal(stream.read(rest), 3);
    assert.equal(stream.skip(1), 0);
    stream.close();
    await writing;
    assert.throws(() => hostFiles.openSource(path), { name: "OsError", code: "EINVAL" });
  } finally {
    await shell('rm -r "$1"', directory);
  }
});

import assert from "node:assert/strict";
import { LimitError } from "#src/errors.ts";
import {
  readWholeFile,
  removeFile,
  renameFile,
  replaceFile,
  syncDirectory,
  writeNewFile,
} from "#src/io/files/whole_file.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const OPTIONS = { mode: 0o640, isDurable: true };

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

Deno.test("replaceFile replaces the name, not what it leads to, and leaves nothing else", () => {
  using place = new TempDirectory("whole");
  const path = place.join("file");
  Deno.writeTextFileSync(place.join("victim"), "precious");
  Deno.symlinkSync("victim", path);
  Deno.symlinkSync("victim", place.join("new"));
  replaceFile(path, place.join("new"), bytes("content"), { ...OPTIONS, isModeExact: true });
  assert.equal(Deno.lstatSync(path).isFile, true);
  assert.equal(Deno.statSync(path).mode! & 0o7777, 0o640);
  assert.equal(Deno.readTextFileSync(path), "content");
  assert.equal(Deno.readTextFileSync(place.join("victim")), "precious");
  replaceFile(path, place.join("new"), bytes(""), OPTIONS);
  assert.equal(Deno.readTextFileSync(path), "");
  assert.deepEqual([...Deno.readDirSync(place.path)].map(({ name }) => name).sort(), [
    "file",
    "victim",
  ]);
});

Deno.test("a replacement that fails leaves the old file, and no other", () => {
  using place = new TempDirectory("whole");
  Deno.mkdirSync(place.join("directory"));
  const temporary = place.join("new");
  const replace = () => replaceFile(place.join("directory"), temporary, bytes("x"), OPTIONS);
  assert.throws(replace, { name: "OsError", code: "EISDIR" });
  assert.throws(() => renameFile(place.join("no"), place.join("x"), false), { code: "ENOENT" });
  assert.throws(() => writeNewFile(place.join("no/x"), bytes("x"), OPTIONS), { code: "ENOENT" });
  assert.deepEqual([...Deno.readDirSync(place.path)].map(({ name }) => name), ["directory"]);
  assert.throws(() => syncDirectory(place.join("no")), { name: "OsError", code: "ENOENT" });
});

Deno.test("readWholeFile refuses what is no regular file or too large, and waits for no FIFO", async () => {
  using place = new TempDirectory("whole");
  const path = place.join("file");
  Deno.writeTextFileSync(path, "12345");
  Deno.symlinkSync("file", place.join("link"));
  await runCommand(["mkfifo", place.join("fifo")], { timeoutMs: 10_000 });
  assert.equal(readWholeFile(path, 5).length, 5);
  assert.equal(readWholeFile(place.join("link"), 5).length, 5);
  assert.throws(() => readWholeFile(place.join("link"), 5, false), { code: "ELOOP" });
  assert.throws(() => readWholeFile(path, 4), LimitError);
  for (const name of ["fifo", ""]) {
    assert.throws(() => readWholeFile(place.join(name), 4), { name: "OsError", code: "EINVAL" });
  }
  assert.equal(removeFile(path), true);
  assert.equal(removeFile(path), false);
});

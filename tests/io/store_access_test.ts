import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LimitError } from "#src/errors.ts";
import {
  entriesOf,
  isDirectoryAt,
  readFile,
  realDirectory,
  statusOf,
} from "#src/io/store_access.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

Deno.test("store_access says the same with and without FFI", async () => {
  using directory = new TempDirectory("access");
  Deno.writeTextFileSync(directory.join("file"), "content");
  Deno.writeTextFileSync(directory.join("empty"), "");
  Deno.mkdirSync(directory.join("directory"));
  Deno.symlinkSync("directory", directory.join("link"));
  Deno.symlinkSync("loop", directory.join("loop"));
  await runCommand(["mkfifo", directory.join("fifo")], { timeoutMs: 10_000 });
  const module = fileURLToPath(new URL("./_access_child.ts", import.meta.url));
  const reports = [];
  for (const permissions of [["--allow-read"], ["--allow-read", "--allow-ffi"]]) {
    const command = denoRunCommand(permissions, module, [directory.path]);
    reports.push(JSON.parse((await runCommand(command, { timeoutMs: 30_000 })).stdout));
  }
  assert.deepEqual(reports[0], reports[1]);
  assert.deepEqual(reports[0].entries, [
    ["directory", "directory"],
    ["empty", "file"],
    ["fifo", "other"],
    ["file", "file"],
    ["link", "symlink"],
    ["loop", "symlink"],
  ]);
  assert.equal(reports[0].content, "content");
});

Deno.test("store_access refuses what is no file, or too large", () => {
  using directory = new TempDirectory("access");
  Deno.writeTextFileSync(directory.join("file"), "content");
  Deno.symlinkSync(".", directory.join("link"));
  assert.throws(() => readFile(directory.path, 10), { name: "OsError", code: "EINVAL" });
  assert.throws(() => readFile(directory.join("no"), 10), { name: "OsError", code: "ENOENT" });
  assert.throws(() => readFile(directory.join("file"), 6), LimitError);
  assert.equal(readFile(directory.join("file"), 7).length, 7);
  assert.throws(() => entriesOf(directory.join("file")), { name: "OsError", code: "ENOTDIR" });
  assert.equal(statusOf(directory.join("file/x")), undefined);
  assert.equal(isDirectoryAt(directory.join("link")), true);
  assert.equal(realDirectory(directory.join("link")), Deno.realPathSync(directory.path));
});

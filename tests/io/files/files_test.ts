import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LimitError } from "#src/errors.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

Deno.test("files say the same with and without FFI", async () => {
  using directory = new TempDirectory("access");
  Deno.writeTextFileSync(directory.join("file"), "content");
  Deno.writeTextFileSync(directory.join("empty"), "");
  Deno.mkdirSync(directory.join("directory"));
  Deno.symlinkSync("directory", directory.join("link"));
  Deno.symlinkSync("loop", directory.join("loop"));
  await runCommand(["mkfifo", directory.join("fifo")], { timeoutMs: 10_000 });
  const module = fileURLToPath(new URL("./_files_child.ts", import.meta.url));
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

Deno.test("reading refuses what is no file, or too large", () => {
  using directory = new TempDirectory("access");
  Deno.writeTextFileSync(directory.join("file"), "content");
  Deno.symlinkSync(".", directory.join("link"));
  assert.throws(() => hostFiles.read(directory.path, 10), { name: "OsError", code: "EINVAL" });
  assert.throws(() => hostFiles.read(directory.join("no"), 10), {
    name: "OsError",
    code: "ENOENT",
  });
  assert.throws(() => hostFiles.read(directory.join("file"), 6), LimitError);
  assert.equal(hostFiles.read(directory.join("file"), 7).length, 7);
  assert.throws(() => hostFiles.entries(directory.join("file")), {
    name: "OsError",
    code: "ENOTDIR",
  });
  assert.equal(hostFiles.status(directory.join("file/x")), undefined);
  assert.equal(isDirectory(directory.join("link")), true);
  assert.equal(hostFiles.realPath(directory.join("link")), Deno.realPathSync(directory.path));
});

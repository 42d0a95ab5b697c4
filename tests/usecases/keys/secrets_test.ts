import assert from "node:assert/strict";
import { UsageError } from "#src/errors.ts";
import { readDescriptor, secretOf, secretOfFile } from "#src/usecases/keys/secrets.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { contextOf } from "../../cli/pbs/_context.ts";

Deno.test("secretOf() takes the first variable that is set", async () => {
  using directory = new TempDirectory("secrets");
  const file = directory.join("secret");
  Deno.writeTextFileSync(file, "of the file\r\nsecond line\n");
  const all = { S: "itself", S_FILE: file, S_CMD: "echo of the command; echo more" };
  assert.equal(await secretOf("S", contextOf(all)), "itself");
  assert.equal(await secretOf("S", contextOf({ ...all, S: "" })), "");
  const { S_FILE, S_CMD } = all;
  assert.equal(await secretOf("S", contextOf({ S_FILE, S_CMD })), "of the file");
  assert.equal(await secretOf("S", contextOf({ S_CMD })), "of the command");
  assert.equal(await secretOf("S", contextOf({})), undefined);
});

Deno.test("secretOf() reads an open descriptor", async () => {
  using directory = new TempDirectory("secrets");
  const file = directory.join("secret");
  Deno.writeTextFileSync(file, "of the descriptor\n");
  const { openFile, closeFile } = await import("../../cli/pbs/_descriptor.ts");
  const fd = openFile(file);
  try {
    assert.equal(await secretOf("S", contextOf({ S_FD: String(fd) })), "of the descriptor");
  } finally {
    closeFile(fd);
  }
});

for (
  const [name, environment] of [
    ["a file that is not there", { S_FILE: "/nonexistent" }],
    ["a command that fails", { S_CMD: "exit 3" }],
    ["a descriptor that is no number", { S_FD: "x" }],
    ["a descriptor that is not open", { S_FD: "9999" }],
  ] as const
) {
  Deno.test(`secretOf() refuses ${name}`, async () => {
    await assert.rejects(secretOf("S", contextOf(environment)), UsageError);
  });
}

Deno.test("readDescriptor() reads no more than a key can have", async () => {
  const { openFile, closeFile } = await import("../../cli/pbs/_descriptor.ts");
  const fd = openFile("/dev/zero");
  try {
    await assert.rejects(readDescriptor(String(fd), "--keyfd"), /more than/);
  } finally {
    closeFile(fd);
  }
});

Deno.test("secretOfFile() takes a pipe, as shells make one of a command, but not without end", async () => {
  using directory = new TempDirectory("secrets");
  const pipe = directory.join("pipe");
  new Deno.Command("mkfifo", { args: [pipe] }).outputSync();
  const writer = new Deno.Command("sh", { args: ["-c", 'echo of the pipe > "$0"', pipe] }).spawn();
  assert.equal(secretOfFile(pipe, "--password-file"), "of the pipe");
  await writer.status;
  assert.throws(() => secretOfFile("/dev/zero", "--password-file"), UsageError);
});

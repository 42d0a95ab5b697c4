import assert from "node:assert/strict";
import { runProgram } from "./_program.ts";
import configuration from "#version" with { type: "json" };

const COMMANDS = ["mount", "unmount", "stat", "cleanup", "show", "completion", "pxar", "pbs"];
const PXAR_COMMANDS = "create extract ls list cat find stat diff cp merge verify mount keygen"
  .split(" ");
const NO_PERMISSIONS = { permissions: ["--allow-read"] };

Deno.test("pbkfs prints its help when no command is given", async () => {
  const { code, stdout } = await runProgram([], NO_PERMISSIONS);
  assert.equal(code, 0);
  for (const command of COMMANDS) assert.match(stdout, new RegExp(`^  ${command} `, "m"));
  assert.match(stdout, /EXIT STATUS:/);
});

Deno.test("pbkfs --version prints version and kind of executable", async () => {
  const { code, stdout } = await runProgram(["--version"], NO_PERMISSIONS);
  assert.equal(code, 0);
  assert.equal(stdout, `pbkfs ${configuration.version} (source)\n`);
});

for (const command of [...COMMANDS, ...PXAR_COMMANDS.map((name) => `pxar ${name}`)]) {
  Deno.test(`pbkfs ${command} --help shows examples and exit status`, async () => {
    const { code, stdout, stderr } = await runProgram(
      [...command.split(" "), "--help"],
      NO_PERMISSIONS,
    );
    assert.equal(code, 0);
    assert.equal(stderr, "");
    assert.match(stdout, /EXAMPLES:\n {2}\S/);
    assert.match(stdout, /EXIT STATUS:\n {2}0 /);
    assert.doesNotMatch(stdout, /handshake|backup-path/);
  });
}

Deno.test("pbkfs mount --help names every flag of the interface", async () => {
  const { stdout } = await runProgram(["mount", "--help"], NO_PERMISSIONS);
  const flags = "-B, --pbk-store|-D, --mnt-path|-d, --diff-dir|-I, --instance|-i, --backup-id|" +
    "--force|--console|--wait|--timeout|--perf-unsafe|--no-wal|--log-file|--log-format|--log-sink|" +
    "--debug|--allow-other|--no-allow-other|--owner|--config|--workers|--no-lock";
  for (const flag of flags.split("|")) assert.ok(stdout.includes(`  ${flag} `), flag);
});

const USAGE_ERRORS: readonly [string, RegExp][] = [
  ["nope", /unknown command 'nope'/],
  ["help nope", /unknown command 'nope'/],
  ["mount --nope", /unknown option '--nope'/],
  ["show --format xml", /argument 'xml' is invalid/],
  ["show extra", /too many arguments/],
  ["mount", /-D\/--mnt-path is required/],
  ["mount -B /b", /-D\/--mnt-path is required/],
  ["mount -B /b -D /m", /-d\/--diff-dir is required/],
  ["mount -B /b -D /m -d /d --workers 0", /--workers/],
  ["mount -B /b -D /m -d /d --timeout soon", /--timeout/],
  ["mount -B /b -D /m -d /d --config nonsense", /--config/],
  ["unmount", /-D\/--mnt-path is required/],
  ["stat", /-D\/--mnt-path is required/],
  ["cleanup", /-d\/--diff-dir is required/],
  ["show", /-B\/--pbk-store is required: .*BACKUP_PATH/],
];

for (const [line, message] of USAGE_ERRORS) {
  Deno.test(`pbkfs ${line} is wrong usage`, async () => {
    const { code, stdout, stderr } = await runProgram(line.split(" "));
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^pbkfs error: /);
    assert.match(stderr, message);
  });
}

Deno.test("pbkfs prints the usage of a command with an unknown flag", async () => {
  const { stderr } = await runProgram(["mount", "--nope"]);
  assert.match(stderr, /^Usage: pbkfs mount /m);
});

Deno.test("pbkfs prints errors as one JSON object with --format json", async () => {
  for (const args of [["show", "--nope"], ["show"], ["show", "-B", "/nonexistent"]]) {
    const { code, stderr } = await runProgram([...args, "--format", "json"]);
    const error = JSON.parse(stderr);
    assert.equal(error.type, "error");
    assert.equal(error.code, code === 2 ? "usage" : "not-found");
    assert.equal(typeof error.message, "string");
  }
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test(`pbkfs completion ${shell} names commands and flags`, async () => {
    const { code, stdout } = await runProgram(["completion", shell], NO_PERMISSIONS);
    assert.equal(code, 0);
    for (const command of COMMANDS) assert.ok(stdout.includes(command), command);
    assert.match(stdout, /perf-unsafe/);
    assert.match(stdout, /allow-existing-dirs/);
    assert.doesNotMatch(stdout, /handshake/);
  });
}

Deno.test("pbkfs completion bash completes commands and flags in a shell", async () => {
  const { stdout: script } = await runProgram(["completion", "bash"], NO_PERMISSIONS);
  const complete = async (words: readonly string[]) => {
    const setUp = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})\n` +
      `COMP_CWORD=${words.length - 1}\n_pbkfs\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`;
    const { stdout } = await new Deno.Command("bash", {
      args: ["--norc", "-c", `${script}\n${setUp}`],
    }).output();
    return new TextDecoder().decode(stdout).trim().split("\n");
  };
  assert.deepEqual(await complete(["pbkfs", "mou"]), ["mount"]);
  assert.deepEqual(await complete(["pbkfs", "mount", "--perf"]), ["--perf-unsafe"]);
  assert.deepEqual(await complete(["pbkfs", "show", "--format", "j"]), ["json"]);
  assert.deepEqual(await complete(["pbkfs", "du", "--format", "j"]), ["json", "jsonl"]);
  assert.deepEqual(await complete(["pbkfs", "completion", "f"]), ["fish"]);
  assert.deepEqual(await complete(["pbkfs", "px"]), ["pxar"]);
  assert.deepEqual(await complete(["pbkfs", "pxar", "ex"]), ["extract"]);
  assert.deepEqual(await complete(["pbkfs", "pxar", "mount", "--pay"]), ["--payload"]);
  assert.deepEqual(await complete(["pbkfs", "mount", "--pay"]), [""]);
});

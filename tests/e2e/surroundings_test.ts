/**
 * The executable where the runtime itself would end in a trace: the entry stub answers.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;
/** Exit status of the entry stub. */
const CANNOT_EXECUTE = 126;

/** Runs the program, as `"$@"` of a shell script. */
function inShell(script: string, args: readonly string[]): Promise<CommandResult> {
  const command = ["bash", "-c", `ulimit -c 0; ${script}`, "bash", ...pbkfsCommand(args)];
  return runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
}

const { stdout: version } = await inShell('"$@"', ["--version"]);
// In the other form the runtime is the first to run.
const options = { ignore: !version.includes("entry stub") };

/** One line that says what is wrong. */
function assertRefused({ code, stderr }: CommandResult, reason: RegExp): void {
  assert.equal(code, CANNOT_EXECUTE, stderr);
  assert.match(stderr, reason);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
}

Deno.test("a deleted or unreachable working directory is named", options, async () => {
  using home = new TempDirectory("cwd");
  const script = `mkdir ${home.join("gone")}; cd ${home.join("gone")}; rmdir ../gone; "$@"`;
  assertRefused(await inShell(script, ["--version"]), /working directory does not exist any more/);
});

Deno.test(
  "a limit of address space is named where it is too low, and raised where it may be",
  options,
  async () => {
    const reason = /limit of address space \(ulimit -v\) is too low/;
    assertRefused(await inShell('ulimit -v 8000000; "$@"', ["--version"]), reason);
    const soft = await inShell('ulimit -Sv 8000000; "$@"', ["--version"]);
    assert.equal(soft.stdout, version, soft.stderr);
  },
);

Deno.test(
  "a limit of file sizes is named where it is too low, and an error for larger files",
  options,
  async () => {
    using home = new TempDirectory("fsize");
    const reason = /limit of file sizes \(ulimit -f\) is too low/;
    assertRefused(await inShell('ulimit -f 10; "$@"', ["--version"]), reason);
    Deno.writeFileSync(home.join("large"), crypto.getRandomValues(new Uint8Array(65_536)));
    const create = ["pxar", "create", home.join("x.pxar"), home.path];
    // The limit in force is the user's again when the program is loaded.
    const { code, stderr } = await inShell('ulimit -Sf 10; "$@"', create);
    assert.equal(code, 1);
    assert.match(stderr, /^pbkfs error: Cannot write ".*x\.pxar": EFBIG/m);
  },
);

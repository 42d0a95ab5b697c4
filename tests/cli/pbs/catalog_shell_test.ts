/**
 * `pbkfs pbs catalog` as a user runs it: as a script, and at a terminal.
 */

import assert from "node:assert/strict";
import { goldenDatastore } from "#tests/support/pbs_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ALL_PERMISSIONS, mustPbs, pbs, pbsOnTerminal } from "./_pbs.ts";

const REPOSITORY = ["--repository", `dir:${goldenDatastore()}`];
const SHELL = ["catalog", "shell", "ct/200", "root.pxar", ...REPOSITORY];

Deno.test("pbkfs pbs catalog shell runs a script from standard input", async () => {
  using home = new TempDirectory("shell");
  const target = home.join("out");
  const script = [
    "# a comment",
    "cd d0",
    "pwd",
    "ls",
    "cd /",
    "find /d?/f000?.txt --select",
    `restore-selected ${target}`,
    "exit",
    "this is never read",
  ].join("\n");
  const output = await mustPbs(SHELL, { stdin: script });
  assert.match(output, /^\/d0\n/);
  const found = output.split("\n").filter((line) => /^\/d.\/f000.\.txt$/.test(line));
  assert.ok(found.length > 0);
  for (const path of found) assert.ok(Deno.statSync(target + path).isFile, path);
});

Deno.test("pbkfs pbs catalog shell ends at the first command of a script that fails", async () => {
  const { code, stdout, stderr } = await pbs(SHELL, { stdin: "pwd\ncd nowhere\npwd\n" });
  assert.equal(stdout, "/\n");
  assert.match(stderr, /Cannot find "\/nowhere"/);
  assert.equal(code, 1);
});

Deno.test("pbkfs pbs catalog shell edits and completes lines at a terminal, and survives errors", async () => {
  const { code, stdout } = await pbsOnTerminal(SHELL, [
    // Typed wrong, taken back, completed.
    ["pxar:/ > ", "cd nowhere\r"],
    ["Cannot find", "cdd\x7f d\t"],
    ["cd d", "0\r"],
    ["pxar:/d0 > ", "pwd\r"],
    ["\n/d0", "\x1b[A\x15exi\t\r"],
  ], { permissions: ALL_PERMISSIONS });
  assert.equal(code, 0, stdout);
});

Deno.test("pbkfs pbs catalog dump lists everything, also as JSON", async () => {
  const text = await mustPbs(["catalog", "dump", "ct/200", ...REPOSITORY]);
  assert.match(text, /^d "\.\/root\.pxar\.didx"\n/);
  assert.match(
    text,
    /^f "\.\/root\.pxar\.didx\/d0\/f0000\.txt" \d+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m,
  );
  const lines = await mustPbs(["catalog", "dump", "ct/200", "--format", "jsonl", ...REPOSITORY]);
  const entries = lines.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(entries.length, text.trimEnd().split("\n").length);
  assert.deepEqual(Object.keys(entries.find((each) => each.type === "file")), [
    "archive",
    "path",
    "type",
    "size",
    "mtime",
  ]);
  const array = await mustPbs(["catalog", "dump", "ct/200", "--format", "json", ...REPOSITORY]);
  assert.deepEqual(JSON.parse(array), entries);
});

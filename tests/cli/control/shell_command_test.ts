import assert from "node:assert/strict";
import { shellWord, unmountCommand } from "#src/cli/control/shell_command.ts";
import { runCommand } from "#tests/support/process.ts";

Deno.test("shellWord() gives words that a shell reads as they were", async () => {
  const words = ["/mnt/pg", "/a b", "it's", "$(id)", '`x`;&|<>*?[~#!\\"', "", "new\nline", "♥"];
  const script = `printf '%s\\0' ${words.map(shellWord).join(" ")}`;
  const { stdout } = await runCommand(["sh", "-c", script], { timeoutMs: 10_000 });
  assert.deepEqual(stdout.split("\0").slice(0, -1), words);
});

Deno.test("unmountCommand() quotes what needs it only", () => {
  assert.equal(unmountCommand("/mnt/pg"), "pbkfs unmount -D /mnt/pg");
  assert.equal(unmountCommand("/mnt/a b", "--force"), "pbkfs unmount -D '/mnt/a b' --force");
});

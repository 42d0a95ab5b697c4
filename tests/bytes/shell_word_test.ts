import assert from "node:assert/strict";
import { shellWord } from "#src/bytes/shell_word.ts";
import { runCommand } from "#tests/support/process.ts";

Deno.test("shellWord() gives words that a shell reads as they were", async () => {
  const words = ["/mnt/pg", "/a b", "it's", "$(id)", '`x`;&|<>*?[~#!\\"', "", "new\nline", "♥"];
  const script = `printf '%s\\0' ${words.map(shellWord).join(" ")}`;
  const { stdout } = await runCommand(["sh", "-c", script], { timeoutMs: 10_000 });
  assert.deepEqual(stdout.split("\0").slice(0, -1), words);
});

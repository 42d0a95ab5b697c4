import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";

Deno.test("endNativeCodecs() frees what libraries hold: 200 threads that come and go leave nothing", async () => {
  const child = fileURLToPath(new URL("./_end_child.ts", import.meta.url));
  const command = denoRunCommand(["--allow-ffi", "--allow-read"], child);
  const { stdout } = await runCommand(command, { timeoutMs: 60_000 });
  const grown = Number(stdout);
  assert.ok(stdout !== "" && grown < 16 << 20, `${stdout.trim()} bytes`);
});

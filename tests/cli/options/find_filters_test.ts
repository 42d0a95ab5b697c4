import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";

/** Seconds since 1970 that a text means where TZ is `zone`; "wrong" where it means nothing. */
async function secondsOf(zone: string, text: string): Promise<string> {
  const child = fileURLToPath(new URL("./_find_time_child.ts", import.meta.url));
  const { stdout } = await runCommand(denoRunCommand(["--allow-ffi"], child, [text]), {
    timeoutMs: 30_000,
    env: { TZ: zone },
  });
  return stdout.trim();
}

Deno.test("times to search for are local by the system's zone, whatever its form", async () => {
  const zone = "CET-1CEST,M3.5.0,M10.5.0/3";
  assert.equal(await secondsOf(zone, "2024-07-01"), "1719784800");
  assert.equal(await secondsOf(zone, "2024-01-01 12:30"), "1704108600");
  assert.equal(await secondsOf(zone, "2024-01-01T12:30:15"), "1704108615");
  assert.equal(await secondsOf(zone, "2024-01-01T12:30:15Z"), "1704112215");
  assert.equal(await secondsOf(zone, "2024-01-01 12:30-02:30"), "1704121200");
});

Deno.test("times to search for have one form", async () => {
  for (const text of ["yesterday", "2024", "2024-13-01", "2024-01-01 25:00", "Jan 1 2024"]) {
    assert.equal(await secondsOf("UTC", text), "wrong", text);
  }
});

import assert from "node:assert/strict";
import config from "../deno.json" with { type: "json" };
import { runCommand } from "#tests/support/process.ts";

/** Brands and constants that types are made of: who uses the types need not name them. */
const UNNAMED = /'(brand|[A-Z_]+)'$/;

Deno.test("deno.json exports every type that is needed to use what it exports", async () => {
  const modules = Object.values(config.exports)
    .map((path) => new URL(`../${path}`, import.meta.url).pathname);
  const { stderr } = await runCommand([Deno.execPath(), "doc", "--lint", ...modules], {
    timeoutMs: 60_000,
    check: false,
    env: { NO_COLOR: "1" },
  });
  assert.match(stderr, /documentation lint error|Checked \d+ files/);
  const faults = stderr.split("\n").filter((line) => {
    return /^error\[(private-type-ref|missing-.*-type)\]/.test(line) && !UNNAMED.test(line);
  });
  assert.deepEqual(faults, []);
});

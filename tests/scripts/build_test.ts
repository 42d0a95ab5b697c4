import assert from "node:assert/strict";
import { cp, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** What a build reads of a checkout. */
const PARTS = ["deno.json", "deno.lock", "main.ts", "src", "ffi", "scripts"];

/**
 * Copies a tree so that its directories list their entries in another order, and with times of its
 * own.
 */
async function copyReversed(from: string, to: string): Promise<void> {
  if (Deno.statSync(from).isDirectory) {
    Deno.mkdirSync(to, { recursive: true });
    const names = [...Deno.readDirSync(from)].map(({ name }) => name);
    for (const name of names.reverse()) await copyReversed(join(from, name), join(to, name));
  } else {
    await Deno.copyFile(from, to);
  }
  await utimes(to, 1_000_000_000, 1_000_000_000);
}

/** Deno's cache without what it has of this checkout: packages and the bundler. */
async function copyCache(to: string): Promise<void> {
  const { stdout } = await runCommand(["deno", "info", "--json"], { timeoutMs: 60_000 });
  const { denoDir } = JSON.parse(stdout);
  for (const part of ["npm", "dl"]) {
    await cp(join(denoDir, part), join(to, part), { recursive: true });
  }
}

/** Builds in `checkout`. @returns the digest, which was compared with the one that is said */
async function build(checkout: string, umask: string, env: Record<string, string>) {
  await runCommand(["sh", "-c", `umask ${umask} && sh scripts/build`], {
    cwd: checkout,
    env,
    timeoutMs: 240_000,
  });
  const bytes = Deno.readFileSync(join(checkout, "dist/pbkfs"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const told = Deno.readTextFileSync(join(checkout, "dist/pbkfs.sha256"));
  assert.equal(told, `${digest}  pbkfs\n`);
  return { digest, bytes };
}

Deno.test("scripts/build makes the same bytes of the same sources anywhere and at any time", async () => {
  using here = new TempDirectory("build");
  using there = new TempDirectory("build");
  const first = here.join("pbkfs");
  for (const part of PARTS) await cp(join(CHECKOUT, part), join(first, part), { recursive: true });
  const usual = await build(first, "022", {});
  // A second build of the same checkout finds its caches warm.
  assert.equal((await build(first, "022", {})).digest, usual.digest);

  // Another place with a blank and a letter that is not ASCII, another depth, another everything.
  const second = there.join("a b", "ü", "deeper", "checkout");
  for (const part of PARTS.toReversed()) {
    await copyReversed(join(CHECKOUT, part), join(second, part));
  }
  Deno.writeTextFileSync(join(dirname(second), "package.json"), '{"type":"commonjs"}');
  await copyCache(there.join("cache", "deno"));
  const other = await build(second, "077", {
    HOME: there.join("home"),
    DENO_DIR: there.join("cache", "deno"),
    LANG: "tr_TR.UTF-8",
    LC_ALL: "tr_TR.UTF-8",
    TZ: "Asia/Kathmandu",
    USER: "somebody",
    HOSTNAME: "elsewhere",
    TMPDIR: there.path,
    NODE_ENV: "production",
    SOURCE_DATE_EPOCH: "1",
  });
  assert.equal(other.digest, usual.digest);

  // What stands behind the runtime is ours, and names no place.
  const own = other.bytes.subarray(Deno.statSync(Deno.execPath()).size);
  const program = new TextDecoder("latin1").decode(own);
  for (const place of [CHECKOUT, here.path, there.path, ".cache/deno"]) {
    assert.ok(!program.includes(place), `${place} is in the executable`);
  }
});

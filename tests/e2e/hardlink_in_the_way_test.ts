/**
 * Files with several names, the first of which cannot be restored because of what stands in its
 * place.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 60_000;
const CONTENT = "of the archive\n";
const FOREIGN = "of somebody else\n";

/** A directory with one file: `a/f`, `b/g`, `c/h`. */
function makeTree(scratch: TempDirectory): string {
  const tree = scratch.join("tree");
  for (const name of ["a", "b", "c"]) Deno.mkdirSync(`${tree}/${name}`, { recursive: true });
  Deno.writeTextFileSync(`${tree}/a/f`, CONTENT);
  Deno.linkSync(`${tree}/a/f`, `${tree}/b/g`);
  Deno.linkSync(`${tree}/a/f`, `${tree}/c/h`);
  return tree;
}

async function makeArchive(scratch: TempDirectory, name = "home.pxar"): Promise<string> {
  const archive = scratch.join(name);
  await pbkfs(["pxar", "create", archive, makeTree(scratch)], true);
  return archive;
}

/** A target with somebody else's file at `a/f`, which has a further name elsewhere. */
function makeTarget(scratch: TempDirectory): string {
  const target = Deno.makeTempDirSync({ dir: scratch.path });
  Deno.mkdirSync(`${target}/a`);
  Deno.writeTextFileSync(`${target}/a/f`, FOREIGN);
  return target;
}

/** Both further names have the content, in one file, and nothing is linked to what was there. */
function checkCopied(target: string): void {
  assert.equal(Deno.readTextFileSync(`${target}/a/f`), FOREIGN);
  assert.equal(Deno.statSync(`${target}/a/f`).nlink, 1);
  assert.equal(Deno.readTextFileSync(`${target}/b/g`), CONTENT);
  const [g, h] = ["b/g", "c/h"].map((name) => Deno.statSync(`${target}/${name}`).ino);
  assert.equal(g, h);
}

/** Only the first name, or its directory, is told of. */
function checkErrors({ code, stderr }: CommandResult, path: string): void {
  assert.equal(code, 1);
  const errors = stderr.split("\n").filter((line) => /^(error|warning):/.test(line));
  assert.equal(errors.length, 1, stderr);
  assert.ok(errors[0]!.includes(`"${path}"`), stderr);
}

Deno.test("pxar extract gives further names the content when the first name, or a directory above it, is taken", async () => {
  for (const name of ["home.pxar", "home.mpxar"]) {
    using scratch = new TempDirectory("taken");
    const archive = await makeArchive(scratch, name);
    for (const [options, path] of [[["--allow-existing-dirs"], "/a/f"], [[], "/a"]] as const) {
      const target = makeTarget(scratch);
      checkErrors(await pbkfs(["pxar", "extract", archive, target, ...options]), path);
      checkCopied(target);
      // By chosen paths, in the same way.
      const chosen = makeTarget(scratch);
      const paths = ["/a", "/b", "/c", "-o", chosen];
      checkErrors(await pbkfs(["pxar", "extract", archive, ...paths, ...options]), path);
      checkCopied(chosen);
    }
    const target = makeTarget(scratch);
    Deno.removeSync(`${target}/a/f`);
    Deno.mkdirSync(`${target}/a/f`);
    const over = ["--allow-existing-dirs", "--overwrite"];
    checkErrors(await pbkfs(["pxar", "extract", archive, target, ...over]), "/a/f");
    assert.equal(Deno.readTextFileSync(`${target}/c/h`), CONTENT);
  }
});

Deno.test("from a pipe the message says what to do about a further name whose first name is taken", async () => {
  using scratch = new TempDirectory("pipe");
  const archive = await makeArchive(scratch);
  const target = makeTarget(scratch);
  const script = 'cat "$1" | "$0" pxar extract - "$2" --allow-existing-dirs';
  const command = ["sh", "-c", script, ...pbkfsCommand([]), archive, target];
  const { code, stderr } = await runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
  assert.equal(code, 1);
  for (const name of ["/b/g", "/c/h"]) {
    assert.ok(
      stderr.includes(
        `error: Cannot restore "${name}": it is a hard link, and its content lies before it as "/a/f", ` +
          "where a file is in the way; make way, or read the archive from a file, not a pipe",
      ),
      stderr,
    );
    assert.throws(() => Deno.lstatSync(target + name));
  }
  assert.equal(Deno.statSync(`${target}/a/f`).nlink, 1);
});

Deno.test("pbs restore and the shell give further names the content when the first is taken", async () => {
  await using store = await PbsStore.create();
  await store.backup([`root.pxar:${makeTree(store.home)}`, "--backup-id", "h"]);
  const restored = makeTarget(store.home);
  const options = ["--allow-existing-dirs"];
  checkErrors(await store.run(["restore", "host/h", "root.pxar", restored, ...options]), "/a/f");
  checkCopied(restored);
  const target = makeTarget(store.home);
  const shell = ["catalog", "shell", "host/h", "root.pxar", ...options];
  checkErrors(await store.run(shell, { stdin: `restore ${target}\n` }), "/a/f");
  checkCopied(target);
});

Deno.test({
  name: "a further name on another file system becomes a copy, and the next one there a link to it",
  ignore: Deno.uid() !== 0,
  async fn() {
    using scratch = new TempDirectory("across");
    const archive = await makeArchive(scratch);
    const target = scratch.join("out");
    Deno.mkdirSync(`${target}/b`, { recursive: true });
    const run = (...command: string[]) => runCommand(command, { timeoutMs: TIMEOUT_MS });
    await run("mount", "-t", "tmpfs", "none", `${target}/b`);
    try {
      const options = ["--allow-existing-dirs"];
      const { code, stderr } = await pbkfs(["pxar", "extract", archive, target, ...options]);
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^warning: Cannot create hard link "\/b\/g": EXDEV .*; it becomes a copy of the file instead\n$/,
      );
      assert.equal(Deno.readTextFileSync(`${target}/b/g`), CONTENT);
      assert.equal(Deno.statSync(`${target}/a/f`).ino, Deno.statSync(`${target}/c/h`).ino);
    } finally {
      await run("umount", `${target}/b`);
    }
  },
});

Deno.test("with --overwrite-files alone, the names that a file had before follow it", async () => {
  using scratch = new TempDirectory("follow");
  const archive = await makeArchive(scratch);
  const target = scratch.join("out");
  await pbkfs(["pxar", "extract", archive, target], true);
  // This one is a name of something else.
  Deno.removeSync(`${target}/c/h`);
  Deno.writeTextFileSync(`${target}/c/h`, FOREIGN);
  const options = ["--allow-existing-dirs", "--overwrite-files"];
  checkErrors(await pbkfs(["pxar", "extract", archive, target, ...options]), "/c/h");
  assert.equal(Deno.statSync(`${target}/a/f`).ino, Deno.statSync(`${target}/b/g`).ino);
  assert.equal(Deno.readTextFileSync(`${target}/c/h`), FOREIGN);
});

Deno.test("with --strict the error at the end says what stands in the way and what helps", async () => {
  using scratch = new TempDirectory("strict");
  const archive = await makeArchive(scratch);
  const target = makeTarget(scratch);
  const strict = ["pxar", "extract", archive, target, "--strict"];
  const taken = await pbkfs(strict);
  assert.match(taken.stderr, /pbkfs error: .*"\/a": EEXIST.*: --allow-existing-dirs restores into/);
  Deno.removeSync(target, { recursive: true });
  Deno.mkdirSync(`${target}/a/f`, { recursive: true });
  const lasting = await pbkfs([...strict, "--allow-existing-dirs", "--overwrite"]);
  assert.match(
    lasting.stderr,
    /pbkfs error: .*in place of the directory "\/a\/f".*remove or rename/,
  );
});

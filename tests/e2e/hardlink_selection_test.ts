/**
 * Parts of archives and snapshots of which only the second name of a file is asked for.
 *
 * @module
 */

import assert from "node:assert/strict";
import { runCommand } from "#tests/support/process.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";

const CONTENT = "data\n";

/** A directory with `a/f`, which is `b/g` too, and a list that names the latter. */
function makeTree(scratch: TempDirectory): { tree: string; list: string } {
  const tree = scratch.join("tree");
  for (const name of ["a", "b"]) Deno.mkdirSync(`${tree}/${name}`, { recursive: true });
  Deno.writeTextFileSync(`${tree}/a/f`, CONTENT);
  Deno.linkSync(`${tree}/a/f`, `${tree}/b/g`);
  const list = scratch.join("list");
  Deno.writeTextFileSync(list, "/b/g\n");
  return { tree, list };
}

Deno.test("pxar extract restores a second name with its content, but for an archive from a pipe", async () => {
  using scratch = new TempDirectory("links");
  const { tree, list } = makeTree(scratch);
  for (const name of ["home.pxar", "home.mpxar"]) {
    const archive = scratch.join(name);
    await pbkfs(["pxar", "create", archive, tree], true);
    for (const options of [["--pattern", "/b/**"], ["--pattern", "/b"], ["--files-from", list]]) {
      const target = Deno.makeTempDirSync({ dir: scratch.path });
      await pbkfs(["pxar", "extract", archive, target, ...options], true);
      assert.equal(Deno.readTextFileSync(`${target}/b/g`), CONTENT);
      assert.throws(() => Deno.statSync(`${target}/a/f`));
    }
  }
  const target = Deno.makeTempDirSync({ dir: scratch.path });
  const run = (script: string) =>
    runCommand(["sh", "-c", script, ...pbkfsCommand([]), scratch.join("home.pxar"), target], {
      timeoutMs: 60_000,
      check: false,
    });
  const piped = await run('cat "$1" | "$0" pxar extract - "$2" --pattern /b');
  assert.equal(piped.code, 1);
  assert.match(
    piped.stderr,
    /^error: Cannot restore "\/b\/g": .*"\/a\/f", which is not selected; /,
  );
  const redirected = await run(
    '"$0" pxar extract - "$2" --pattern /b --overwrite < "$1"' +
      " --allow-existing-dirs",
  );
  assert.equal(redirected.code, 0, redirected.stderr);
  assert.equal(Deno.readTextFileSync(`${target}/b/g`), CONTENT);
});

Deno.test("pbs restore and the shell restore a second name with its content", async () => {
  await using store = await PbsStore.create();
  const { tree, list } = makeTree(store.home);
  for (const mode of ["legacy", "data"]) {
    const group = `host/${mode}`;
    await store.backup([
      `root.pxar:${tree}`,
      "--backup-id",
      mode,
      "--change-detection-mode",
      mode,
    ]);
    for (const options of [["--pattern", "/b"], ["--files-from", list]]) {
      const target = Deno.makeTempDirSync({ dir: store.home.path });
      await store.must([
        "restore",
        group,
        "root.pxar",
        target,
        ...options,
        "--allow-existing-dirs",
      ]);
      assert.equal(Deno.readTextFileSync(`${target}/b/g`), CONTENT);
    }
    const target = store.home.join(`shell-${mode}`);
    const stdin = `cd /b\nselect g\nrestore-selected ${target}\n`;
    const { code, stderr } = await store.run(["catalog", "shell", group, "root.pxar"], { stdin });
    assert.equal(code, 0, stderr);
    assert.equal(Deno.readTextFileSync(`${target}/b/g`), CONTENT);
  }
});

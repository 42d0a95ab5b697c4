/**
 * `pbkfs mount SOURCE MOUNTPOINT`: what it takes, and what it refuses.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";
import { mustPbs, ServedStore } from "./_served_store.ts";
import { makeArchive } from "./_writable_mount.ts";

const TREE = 'cd "$1"; mkdir d; echo inside >d/f; echo 15 >PG_VERSION';

/** Mounts, looks, unmounts. */
async function shown(
  place: ArchiveMount,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const mounted = await runCommand(pbkfsCommand(["mount", "--wait", ...args]), {
    timeoutMs: 60_000,
    check: false,
    env,
  });
  assert.equal(mounted.stderr, "");
  assert.equal(mounted.code, 0);
  const { stdout } = await place.sh('cd "$1"; cat d/f; touch new 2>&1 | grep -o "Read-only"; ls');
  const { code, stderr } = await pbkfs(["unmount", "-D", place.root]);
  assert.equal(code, 0, stderr);
  return stdout;
}

const READ_ONLY = "inside\nRead-only\nPG_VERSION\nd\n";

Deno.test("mount SOURCE MOUNTPOINT shows any source read-only", async (t) => {
  await using place = new ArchiveMount();
  const tree = place.home.join("tree");
  Deno.mkdirSync(tree);
  await bash(TREE, tree);
  buildDirectoryCatalog(place.home.join("catalog"), tree);
  await using store = await PbsStore.create();
  await store.backup([`root.pxar:${tree}`, "--backup-id", "x"]);
  const archive = await makeArchive(place.home, "x.pxar", TREE);
  const sources = [
    `${place.home.join("catalog")}#directory/latest`,
    archive,
    tree,
    `dir:${store.path}#host/x/latest/root.pxar`,
  ];
  const apart = place.home.join("apart");
  const split = place.home.join("x.mpxar");
  await pbkfs(["pxar", "create", split, tree, "--payload-output", apart]);
  for (const source of sources) {
    await t.step(source, async () => {
      assert.equal(await shown(place, [source, place.root]), READ_ONLY);
    });
  }
  await t.step("the payload of an archive that lies apart, remembered by a diff", async () => {
    const diff = ["--diff-dir", place.home.join("diff")];
    for (const source of [[`${split}#${apart}`], []]) {
      assert.match(await shown(place, [...source, place.root, ...diff]), /^inside\n/);
    }
  });
});

Deno.test("mount asks for what an encrypted snapshot on a server needs, and hands it to the worker", async () => {
  await using place = new ArchiveMount();
  await using served = await ServedStore.start();
  const tree = place.home.join("tree");
  const key = place.home.join("key");
  Deno.mkdirSync(tree);
  await bash(TREE, tree);
  await mustPbs(["key", "create", key, "--kdf", "none"]);
  await served.must(["backup", `root.pxar:${tree}`, "--backup-id", "x", "--keyfile", key]);
  const source = `pbs:${served.repository}#host/x/latest/root.pxar`;
  const diff = ["--diff-dir", place.home.join("diff")];
  const { environment } = served;
  assert.equal(await shown(place, [source, place.root, "--keyfile", key], environment), READ_ONLY);
  const writable = "inside\nPG_VERSION\nd\nnew\n";
  assert.equal(
    await shown(place, [source, place.root, ...diff, "--keyfile", key], environment),
    writable,
  );
  // Again by what the diff directory knows; the key is no part of that.
  assert.equal(await shown(place, [place.root, ...diff, "--keyfile", key], environment), writable);
  const refused = await runCommand(pbkfsCommand(["mount", source, place.root]), {
    timeoutMs: 60_000,
    check: false,
    env: environment,
  });
  assert.match(refused.stderr, /key/);
  assert.equal(refused.code, 1);
});

Deno.test("mount refuses what does not belong together, and says what does", async () => {
  await using place = new ArchiveMount();
  const tree = place.home.join("tree");
  Deno.mkdirSync(tree);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[tree], /--diff-dir is required.*SOURCE and MOUNTPOINT/],
    [[tree, place.root, "-B", tree], /Cannot use --pbk-store with SOURCE and MOUNTPOINT/],
    [[tree, place.root, "-i", "X"], /Cannot use --backup-id/],
    [[tree, place.root, "-D", tree], /Cannot use --mnt-path/],
    [[place.root, "-D", tree], /Cannot use --mnt-path/],
    [[tree, place.root, "--owner", "0"], /without --diff-dir: the mount is read-only/],
    [[tree, place.root, "--no-wal"], /without --diff-dir: the mount is read-only/],
    [[tree, place.root, "x"], /too many arguments/],
    [[place.home.path, place.root], /overlap/],
    [[], /--mnt-path is required/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await pbkfs(["mount", ...args]);
    assert.match(stderr, message);
    assert.equal(code, 2, stderr);
  }
  const missing = await pbkfs(["mount", place.home.join("none"), place.root]);
  assert.match(missing.stderr, /ENOENT/);
  assert.equal(missing.code, 1);
});

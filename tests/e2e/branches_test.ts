/**
 * Branches by the program: what they show, who may be mounted meanwhile, and what a kill leaves.
 */

import assert from "node:assert/strict";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { bash, describeTree, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { BranchScene, must, refuses } from "./_branch_scene.ts";
import { mustPbs, ServedStore } from "./_served_store.ts";

const IS_ROOT = Deno.uid() === 0;
const SPARSE_SIZE = 40_000_000;

const CHANGES = `
  cd "$1"; echo more >>plain; echo new >new; rm random; mkdir random; mv many moved; mkfifo pipe
  chmod 640 acl; ln -sfn elsewhere dangling; chown 7:8 moved/f2; echo x >moved/f3; rmdir empty
  printf X | dd of=sparse bs=1 seek=20000000 conv=notrunc status=none; truncate -s 35000001 sparse
  setfattr -n user.added -v v 'sp ace'; setfattr -n user.text -v other plain; ln new other; rm hard
  touch -d 2001-02-03T04:05:06.000000007Z 'sp ace'; sync`;

Deno.test({
  name: "A branch, and a diff that is read, show what a mount of the diff shows",
  ignore: !IS_ROOT,
  async fn() {
    await using scene = new BranchScene();
    const tree = scene.home.join("tree");
    Deno.mkdirSync(tree);
    await makeEverythingTree(tree, 100, SPARSE_SIZE);
    const archive = scene.home.join("x.pxar");
    await must(["pxar", "create", archive, tree]);
    await must(["mount", archive, scene.root("parent"), "-d", scene.diff("parent")]);
    await bash(CHANGES, scene.root("parent"));
    const before = await describeTree(scene.root("parent"));
    await scene.unmount("parent");
    const stored = await describeTree(`${scene.diff("parent")}/data`);
    await scene.mountBranch("branch", "parent");
    await must(["mount", scene.diff("parent"), scene.root("read")]);
    assertSame(await describeTree(scene.root("branch")), before);
    assertSame(await describeTree(scene.root("read")), before);
    await bash('cd "$1"; rm -r moved; echo again >>plain; mv sparse s', scene.root("branch"));
    const changed = await describeTree(scene.root("branch"));
    await scene.unmount("branch");
    // A branch of the branch.
    await scene.mountBranch("second", "branch");
    assertSame(await describeTree(scene.root("second")), changed);
    assertSame(await describeTree(scene.root("read")), before);
    assert.equal(await describeTree(`${scene.diff("parent")}/data`), stored);
  },
});

/** Compares descriptions; says only which lines differ. */
function assertSame(actual: string, expected: string): void {
  const [found, wanted] = [actual, expected].map((text) => new Set(text.split("\n")));
  assert.deepEqual(
    { added: [...found!.difference(wanted!)], missing: [...wanted!.difference(found!)] },
    { added: [], missing: [] },
  );
}

const LINKS = 'cd "$1"; ls; readlink pg_tblspc/1; readlink pg_tblspc/2 || true';

Deno.test("A diff over a copy of a data directory leads out of it no more than its mount does", async () => {
  await using scene = new BranchScene();
  const tree = scene.home.join("tree");
  Deno.mkdirSync(tree);
  await bash(
    `cd "$1"; echo 15 >PG_VERSION; mkdir pg_tblspc; ln -s /srv/space pg_tblspc/1
     echo '1 /srv/space' >tablespace_map; chmod 700 .`,
    tree,
  );
  await must(["mount", tree, scene.root("parent"), "-d", scene.diff("parent")]);
  const shown = await bash(LINKS, scene.root("parent"));
  assert.equal(shown, "PG_VERSION\npg_tblspc\nnot in this backup:/srv/space\n");
  await scene.unmount("parent");
  await must(["mount", scene.diff("parent"), scene.root("read")]);
  assert.equal(await bash(LINKS, scene.root("read")), shown);
  await scene.unmount("read");
  // What was made in the parent itself leads out of the branch.
  await scene.mountAgain("parent");
  Deno.symlinkSync("/srv/other", `${scene.root("parent")}/pg_tblspc/2`);
  await scene.unmount("parent");
  await scene.mountBranch("a", "parent");
  const branch = await bash(LINKS, scene.root("a"));
  assert.equal(branch, `${shown}not in this backup:/srv/other\n`);
});

/** A diff with one file in it, over a directory. */
async function makeParent(scene: BranchScene): Promise<void> {
  const tree = scene.home.join("tree");
  Deno.mkdirSync(`${tree}/d`, { recursive: true });
  Deno.writeTextFileSync(`${tree}/d/old`, "old\n");
  await must(["mount", tree, scene.root("parent"), "-d", scene.diff("parent")]);
  Deno.writeTextFileSync(`${scene.root("parent")}/d/new`, "parent\n");
}

Deno.test("pbkfs mount --branch-of refuses what it cannot be made of, and says what to do", async () => {
  await using scene = new BranchScene();
  await makeParent(scene);
  const parent = scene.diff("parent");
  await refuses(scene.branchArguments("a", "parent"), /already in use by process \d+.*unmount/);
  Deno.kill(findLockHolder(parent)!.pid!, "SIGKILL");
  await waitUntil(() => findLockHolder(parent) === undefined, 20_000, () => "the lock");
  await refuses(scene.branchArguments("a", "parent"), /did not end cleanly.*Mount it once more/);
  await scene.mountAgain("parent");
  await scene.unmount("parent");
  const root = await scene.mountBranch("a", "parent");
  assert.equal(Deno.readTextFileSync(`${root}/d/new`), "parent\n");
  const named = /it has a branch, ".*a\.diff".*pbkfs branch rm/;
  await refuses(["mount", "-d", parent, scene.root("parent")], named);
  await refuses(["cleanup", "-d", parent], named);
  await refuses(["branch", "rm", scene.diff("a")], /in use by process \d+.*pbkfs unmount/);
  await scene.unmount("a");
  await refuses(["mount", "-d", parent, scene.root("parent")], named);
  const inside = ["mount", "--branch-of", parent, "-d", `${parent}/x`, scene.root("b")];
  await refuses(inside, /overlap/, 2);
  const without = ["mount", "--branch-of", parent, scene.root("b")];
  await refuses(without, /-d\/--diff-dir is required/, 2);
  const twice = [...without.slice(0, 3), "-d", scene.diff("b"), "/tmp", scene.root("b")];
  await refuses(twice, /--branch-of with SOURCE/, 2);
  await refuses(
    [...without, "-d", scene.diff("b"), "-I", "main"],
    /--instance with --branch-of/,
    2,
  );
  await refuses(
    scene.branchArguments("b", "none"),
    /"[^"]*none\.diff": it is not a diff directory/,
  );
  assert.match(await must(["branch", "tree", parent]), /^dir:.*\n└─ .*parent.*\n {3}└─ .*a\.diff /);
  const [listed] = JSON.parse(await must(["branch", "list", parent, "--format", "json"]));
  assert.deepEqual([listed.path, listed.parent, listed.state], [scene.diff("a"), parent, "clean"]);
  await must(["branch", "rm", scene.diff("a")]);
  assert.equal(await must(["branch", "list", parent]), "");
  await scene.mountAgain("parent");
  await scene.unmount("parent");
});

Deno.test("A branch of a diff that lost WAL is refused, and one that lost WAL is the last one", async () => {
  await using scene = new BranchScene();
  const tree = scene.home.join("tree");
  Deno.mkdirSync(`${tree}/pg_wal`, { recursive: true });
  await must(["mount", tree, scene.root("parent"), "-d", scene.diff("parent")]);
  await scene.unmount("parent");
  await scene.mountBranch("a", "parent", ["--no-wal"]);
  await scene.unmount("a");
  await refuses(scene.branchArguments("b", "a"), /previously mounted with --no-wal/);
  await refuses(scene.branchArguments("a", "parent"), /previously mounted with --no-wal/);
  await must(["branch", "rm", scene.diff("a")]);
});

Deno.test("A branch of a diff over an encrypted snapshot on a server is let in as its parent is", async () => {
  await using served = await ServedStore.start();
  await using scene = new BranchScene();
  const tree = scene.home.join("tree");
  Deno.mkdirSync(tree);
  Deno.writeTextFileSync(`${tree}/old`, "old\n");
  const key = scene.home.join("key");
  await mustPbs(["key", "create", key, "--kdf", "none"]);
  await served.must(["backup", `root.pxar:${tree}`, "--backup-id", "it", "--keyfile", key]);
  const environment = { env: served.environment };
  const source = `pbs:${served.repository}#host/it/latest/root.pxar`;
  const place = [source, scene.root("parent"), "-d", scene.diff("parent")];
  await must(["mount", ...place, "--keyfile", key], environment);
  Deno.writeTextFileSync(`${scene.root("parent")}/new`, "new\n");
  await scene.unmount("parent");
  await refuses(scene.branchArguments("a", "parent"), /password|log in|encrypt/i);
  await must(scene.branchArguments("a", "parent", ["--keyfile", key]), environment);
  assert.equal(Deno.readTextFileSync(`${scene.root("a")}/old`), "old\n");
  assert.equal(Deno.readTextFileSync(`${scene.root("a")}/new`), "new\n");
  const read = ["mount", scene.diff("parent"), scene.root("read"), "--keyfile", key];
  await must(read, environment);
  assert.equal(Deno.readTextFileSync(`${scene.root("read")}/old`), "old\n");
  const info = await must(["info", scene.diff("parent"), "--keyfile", key], environment);
  assert.match(info, /Name: diff:/);
});

const KILLS = 6;

Deno.test("A branch is whole, or can be made again, whenever its making and its removal are killed", async (t) => {
  await using scene = new BranchScene();
  await makeParent(scene);
  await scene.unmount("parent");
  const random = new Random(20261129);
  for (let kill = 1; kill <= KILLS; kill++) {
    await t.step(`kill ${kill}`, async () => {
      await killAfter(random.between(0, 1500), [
        ...scene.branchArguments("a", "parent"),
        "--console",
      ]);
      const root = await scene.mountBranch("a", "parent");
      assert.equal(Deno.readTextFileSync(`${root}/d/new`), "parent\n");
      Deno.writeTextFileSync(`${root}/d/new`, "branch\n");
      await scene.unmount("a");
      assert.match(await must(["branch", "list", scene.diff("parent")]), /a\.diff .* clean /);
      await killAfter(random.between(0, 600), ["branch", "rm", scene.diff("a")]);
      if (hasRecord(scene.diff("a"))) await must(["branch", "rm", scene.diff("a")]);
      assert.equal(await must(["branch", "list", scene.diff("parent")]), "");
    });
  }
  const root = await scene.mountAgain("parent");
  assert.equal(Deno.readTextFileSync(`${root}/d/new`), "parent\n");
  await scene.unmount("parent");
});

async function killAfter(delayMs: number, args: readonly string[]): Promise<void> {
  const running = new RunningCommand(pbkfsCommand(args));
  const ended = running.ended.then(() => true);
  const delay = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), delayMs));
  if (!await Promise.race([ended, delay])) running.signalGroup("SIGKILL");
  await running.ended;
}

function hasRecord(diffPath: string): boolean {
  try {
    return Deno.statSync(`${diffPath}/.pbkfs-binding.json`).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * A tree with everything in it, archived and restored by the program, v1 and split: equal in every
 * attribute as root; as an ordinary user what can be restored is, and the exit code says that it is
 * not all.
 *
 * The trees are made and compared by the system's own tools, which share nothing with the program.
 */

import assert from "node:assert/strict";
import { bash, describeTree, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 300_000;
const SMALL_FILES = 20_000;
const SPARSE_SIZE = 4 * 2 ** 30;

async function pxar(...args: string[]): Promise<{ code: number; stderr: string }> {
  return await runCommand(pbkfsCommand(["pxar", ...args]), { timeoutMs: TIMEOUT_MS, check: false });
}

Deno.test("pxar create and extract give back a tree with everything in it", async (t) => {
  using place = new TempDirectory("round-trip");
  const tree = place.join("tree");
  await Deno.mkdir(tree);
  await makeEverythingTree(tree, SMALL_FILES, SPARSE_SIZE);
  const expected = await describeTree(tree);
  assert.ok(expected.split("\n").length > SMALL_FILES, "the tree is described");

  for (const [form, ...options] of [["v1"], ["v2", "--payload-output", place.join("v2.ppxar")]]) {
    await t.step(`${form} as root`, async () => {
      const archive = place.join(form === "v1" ? "v1.pxar" : "v2.mpxar");
      const created = await pxar("create", archive, tree, ...options);
      assert.equal(created.code, 0, created.stderr);
      const target = place.join(`restored-${form}`);
      const extracted = await pxar("extract", archive, target);
      assert.equal(extracted.code, 0, extracted.stderr);
      const actual = (await describeTree(target)).split("\n");
      const wanted = expected.split("\n");
      const first = wanted.findIndex((line, index) => line !== actual[index]);
      assert.equal(actual[first], wanted[first], "first difference");
      assert.equal(actual.length, wanted.length);
      const blocks = Number(await bash('stat -c %b "$1/sparse"', target));
      assert.ok(blocks * 512 < 64 << 20, `sparse file takes ${blocks} blocks`);
      await bash('chattr -R -f -ai "$1" || true; rm -rf "$1"', target);
    });
  }

  await t.step("v1 as an ordinary user", async () => {
    const target = place.join("as-nobody");
    await bash(
      'chmod 755 "$2"; chmod 644 "$3"; install -d -o nobody "$1"',
      target,
      place.path,
      place.join("v1.pxar"),
    );
    const command = pbkfsCommand(["pxar", "extract", place.join("v1.pxar"), `${target}/out`]);
    const { code, stderr } = await runCommand(
      ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", ...command],
      {
        timeoutMs: TIMEOUT_MS,
        check: false,
        env: { HOME: target, PATH: Deno.env.get("PATH") ?? "" },
      },
    );
    assert.equal(code, 1, stderr);
    assert.match(stderr, /EPERM/);
    const same = await bash(
      'cd "$1"; for f in plain random many/f77 link; do cmp "$f" "$2/out/$f"; done; echo same',
      tree,
      target,
    );
    assert.equal(same.trim(), "same");
  });
});

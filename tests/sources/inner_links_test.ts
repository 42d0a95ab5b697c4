import assert from "node:assert/strict";
import { attachSource, NO_WAIT_GATE, openSource } from "#src/sources/mod.ts";
import { findOutwardLinks, InnerLinksTree } from "#src/sources/inner_links.ts";
import { walk } from "#src/tree/walk.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { checkMountableTree } from "#tests/support/tree_conformance.ts";

const DATA = `cd "$1"; echo 15 >PG_VERSION; mkdir -p base/1 pg_tblspc/17 elsewhere log conf
  ln -s /mnt/space pg_tblspc/16; ln -s ../elsewhere pg_tblspc/18; ln -s ../../out pg_tblspc/19
  ln -s /fast/wal pg_wal; ln -s elsewhere pg_stat; ln -s /etc/hba.conf pg_hba.conf
  ln -s /var/log/pg log/now; echo "16 /mnt/space" >tablespace_map; echo x >base/1/1`;

Deno.test("Of a data directory in a writable mount nothing leads out that a server writes through", async () => {
  using home = new TempDirectory("links");
  await bash(DATA, home.path);
  using source = await openSource(`dir:${home.path}`);
  const tree = source.openTree();
  const links = findOutwardLinks(tree)!;
  const shown = new InnerLinksTree(tree, structuredClone(links));
  assert.deepEqual([...links.paths].sort(), [
    "pg_tblspc/16",
    "pg_tblspc/19",
    "pg_wal",
    "tablespace_map",
  ]);
  const targets: Record<string, string> = {};
  for (const { path, node } of walk(shown)) {
    if (node.kind === "symlink") {
      targets[path] = node.target;
      const again = shown.nodeById(node.id);
      assert.equal(again?.kind === "symlink" && again.target, node.target);
    }
  }
  assert.deepEqual(targets, {
    "pg_tblspc/16": "not in this backup:/mnt/space",
    "pg_tblspc/18": "../elsewhere",
    "pg_tblspc/19": "not in this backup:../../out",
    pg_wal: "not in this backup:/fast/wal",
    pg_stat: "elsewhere",
    "pg_hba.conf": "/etc/hba.conf",
    "log/now": "/var/log/pg",
  });
  assert.equal(shown.root.lookup("tablespace_map"), undefined);
  assert.ok(![...shown.root.entries()].some(({ name }) => name === "tablespace_map"));
  shown.close();
  const thread = { index: 0, gate: NO_WAIT_GATE, spawn: undefined };
  checkMountableTree(() => new InnerLinksTree(attachSource(source.description, thread), links));
});

Deno.test("What is no data directory, or has nothing that leads out, is shown as it is", async () => {
  for (
    const script of [
      'cd "$1"; mkdir pg_tblspc; ln -s /x pg_tblspc/1; ln -s /y pg_wal',
      'cd "$1"; echo 15 >PG_VERSION; mkdir pg_tblspc pg_wal; ln -s ../pg_wal pg_tblspc/1',
    ]
  ) {
    using home = new TempDirectory("links");
    await bash(script, home.path);
    using source = await openSource(`dir:${home.path}`);
    const tree = source.openTree();
    assert.equal(findOutwardLinks(tree), undefined);
    tree.close();
  }
});

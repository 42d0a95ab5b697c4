/**
 * What a server wants of a writable mount of an archive or snapshot: an owner of its files, and WAL
 * that is forgotten.
 */

import assert from "node:assert/strict";
import { bash } from "#tests/support/everything_tree.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";
import { makeArchive, WritableMount } from "./_writable_mount.ts";

const IS_ROOT = Deno.uid() === 0;
const OWNER = "1234:5678";
const DATA = `cd "$1"; mkdir -p pg_wal base/1; echo 15 >PG_VERSION; echo wal >pg_wal/0001
  head -c 100000 /dev/urandom >base/1/2; ln -s base link; setfacl -m u:7:rw base/1/2 2>/dev/null; :`;

const OWNERS = `find . -not -path "./.pbkfs*" -printf "%U:%G\\n" | sort -u`;

async function exercise(place: WritableMount): Promise<void> {
  await place.mustMount(["--owner", OWNER]);
  assert.equal(await place.out(OWNERS), `${OWNER}\n`);
  await place.out("echo more >>base/1/2; chmod 600 PG_VERSION; mkdir new");
  assert.equal(await place.out("stat -c %u:%g base/1/2 PG_VERSION"), `${OWNER}\n${OWNER}\n`);
  await place.mustUnmount();
  // It is remembered; another one counts for what was not changed before.
  await place.mustMount();
  assert.equal(await place.out(`stat -c %u:%g . base link pg_wal/0001`), `${OWNER}\n`.repeat(4));
  await place.mustUnmount();
  await place.mustMount(["--owner", "7"]);
  assert.equal(await place.out("stat -c %u:%g . link base/1/2"), `7:7\n7:7\n${OWNER}\n`);
  await place.mustUnmount();
}

Deno.test({
  name: "A writable mount of an archive has the owner that is asked for, also the next time",
  ignore: !IS_ROOT,
  async fn() {
    using home = new TempDirectory("writable");
    const archive = await makeArchive(home, "pg.pxar", DATA);
    await using place = new WritableMount(["pxar", "mount", archive]);
    await exercise(place);
  },
});

Deno.test({
  name: "A writable mount of a snapshot has the owner that is asked for, also the next time",
  ignore: !IS_ROOT,
  async fn() {
    await using store = await PbsStore.create();
    const tree = store.home.join("tree");
    Deno.mkdirSync(tree);
    await bash(DATA, tree);
    await store.backup([`root.pxar:${tree}`, "--backup-id", "x"]);
    const repository = ["--repository", `dir:${store.path}`];
    await using place = new WritableMount(["pbs", "mount", ...repository, "host/x", "root.pxar"]);
    await exercise(place);
  },
});

Deno.test("WAL of a writable mount of an archive can be forgotten, and its diff is not used again", async () => {
  using home = new TempDirectory("writable");
  const archive = await makeArchive(home, "pg.pxar", DATA);
  await using place = new WritableMount(["pxar", "mount", archive]);
  await place.mustMount(["--no-wal", ...(IS_ROOT ? ["--owner", OWNER] : [])]);
  if (IS_ROOT) assert.equal(await place.out(OWNERS), `${OWNER}\n`);
  await place.out("echo more >>pg_wal/0001; echo new >pg_wal/0002; echo kept >kept");
  assert.equal(await place.out("cat pg_wal/0001 pg_wal/0002"), "wal\nmore\nnew\n");
  await place.mustUnmount();
  const left = [...Deno.readDirSync(`${place.diff}/data`)].map(({ name }) => name);
  assert.ok(left.includes("kept"));
  assert.ok(!left.includes("pg_wal"));
  await place.refuses(/mounted with --no-wal and cannot be reused/);
  await place.refuses(/mounted with --no-wal and cannot be reused/, ["--force"]);
});

Deno.test("What is not a data directory has no WAL to be forgotten, and what is read-only no owner", async () => {
  using home = new TempDirectory("writable");
  const archive = await makeArchive(home, "x.pxar", `echo x >"$1/x"`);
  await using place = new WritableMount(["pxar", "mount", archive]);
  for (
    const [options, message] of [
      [
        ["--diff-dir", place.diff, "--no-wal"],
        /no directory pg_wal, so it is not a data directory/,
      ],
      [["--diff-dir", place.diff, "--owner", "no such"], /there is no such user/],
      [["--owner", "0"], /Cannot use --owner without --diff-dir/],
      [["--no-wal"], /Cannot use --no-wal without --diff-dir/],
    ] as const
  ) {
    const { code, stderr } = await pbkfs(["pxar", "mount", archive, place.root, ...options]);
    assert.match(stderr, message);
    assert.equal(code, 2, stderr);
  }
});

/**
 * Writable mounts of archives and of snapshots: what is written is kept in the diff directory, over
 * a kill and a remount, for the same source only; and PostgreSQL starts on both.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bash } from "#tests/support/everything_tree.ts";
import { initializeCluster, PostgresServer, serverHome } from "#tests/support/postgres.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { ArchiveMount, pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";
import { exercise, makeArchive, mountCommand, TREE, WritableMount } from "./_writable_mount.ts";

const IS_ROOT = Deno.uid() === 0;
const VERSION = 15;

Deno.test("A writable mount of an archive keeps what is written, and the archive as it is", async () => {
  using home = new TempDirectory("writable");
  const archive = await makeArchive(home);
  const before = await Deno.readFile(archive);
  await using place = new WritableMount(["pxar", "mount", archive]);
  await exercise(place);
  assert.deepEqual(await Deno.readFile(archive), before);
  const source = place.binding["source"] as Record<string, unknown>;
  assert.equal(source["kind"], "pxar");
  assert.equal(source["name"], `pxar:${archive}`);
});

Deno.test("A diff over an archive follows it to another place, and refuses others and changed ones", async () => {
  using home = new TempDirectory("writable");
  const archive = await makeArchive(home);
  const other = await makeArchive(home, "y.pxar", 'echo other >"$1/o"');
  await using place = new WritableMount(["pxar", "mount", archive]);
  await place.mustMount();
  await place.out("echo new >n");
  await place.mustUnmount();
  const before = place.binding;
  for (const options of [[], ["--force"]]) {
    await place.refuses(/already bound/, options, ["pxar", "mount", other]);
  }
  const moved = home.join("moved.pxar");
  Deno.renameSync(archive, moved);
  assert.equal((await place.tryMount([], ["pxar", "mount", moved])).code, 0);
  assert.equal(await place.out("cat n"), "new\n");
  await place.mustUnmount();
  const { owner_pid: _, last_used_at: __, source: ___, generation, ...kept } = place.binding;
  assert.notEqual(generation, before["generation"]);
  for (const [key, value] of Object.entries(kept)) assert.deepEqual(value, before[key], key);
  Deno.utimeSync(moved, new Date(), new Date(1));
  await place.refuses(/has changed since the diff directory was made/, [], [
    "pxar",
    "mount",
    moved,
  ]);
  const forced = await place.tryMount(["--force"], ["pxar", "mount", moved]);
  assert.equal(forced.code, 0, forced.stderr);
  assert.equal(await place.out("cat n"), "new\n");
  await place.mustUnmount();
  const cleaned = await pbkfs(["cleanup", "-d", place.diff]);
  assert.equal(cleaned.code, 0, cleaned.stderr);
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
});

Deno.test("--force and --config are for writable mounts", async () => {
  using home = new TempDirectory("writable");
  const archive = await makeArchive(home);
  await using place = new ArchiveMount();
  for (const option of [["--force"], ["--config", "a=b"]]) {
    const { code, stderr } = await place.mount(archive, option);
    assert.equal(code, 2);
    assert.match(stderr, /without --diff-dir: the mount is read-only/);
  }
});

Deno.test("Files with several names in an archive change under all of them, and are replaced, moved and removed", async () => {
  using home = new TempDirectory("writable");
  const archive = await makeArchive(home);
  await using place = new WritableMount(["pxar", "mount", archive]);
  await place.mustMount();
  const facts = "stat -c '%h %a' a b; stat -c %i a b | uniq | wc -l";
  await place.out("echo x | dd of=a oflag=append conv=notrunc; chmod 600 a");
  assert.equal(await place.out(`cat a b; ${facts}`), "linked\nx\nlinked\nx\n2 600\n2 600\n1\n");
  await place.mustUnmount();
  await place.mustMount();
  assert.equal(await place.out(`cat b a; ${facts}`), "linked\nx\nlinked\nx\n2 600\n2 600\n1\n");
  assert.equal(
    await place.out("ln a c && stat -c %h b && mv a m && cat m c"),
    "3\n" + "linked\nx\n".repeat(2),
  );
  assert.equal(
    await place.out("echo y >new && mv new b && cat m b; stat -c %h m"),
    "linked\nx\ny\n2\n",
  );
  await place.out("echo more >>m; rm b");
  await place.mustUnmount();
  await place.mustMount();
  assert.equal(
    await place.out("cat c; stat -c %h m; ls a b 2>&1 | grep -c 'No such'"),
    "linked\nx\nmore\n2\n2\n",
  );
  await place.mustUnmount();
});

Deno.test({
  name: "Special files, ACLs and attributes of an archive come up as they are",
  ignore: !IS_ROOT,
  async fn() {
    using home = new TempDirectory("writable");
    const archive = await makeArchive(
      home,
      "x.pxar",
      `cd "$1"; mkfifo ff; mknod null c 1 3; mknod white c 0 0; echo f >f; chmod 640 f
       setfacl -m u:daemon:rw f; setfattr -n user.k -v v f; setfacl -m u:daemon:rwx .`,
    );
    await using place = new WritableMount(["pxar", "mount", archive]);
    await place.mustMount();
    await place.out("chmod 600 ff null; (echo through >ff &); cat ff; echo more >>f");
    const white = await place.sh('chmod 600 "$1/white"', false);
    assert.match(white.stderr, /Operation not permitted/);
    await place.mustUnmount();
    await place.mustMount();
    assert.equal(
      await place.out("stat -c '%A %n %t:%T' ff null white"),
      "prw------- ff 0:0\ncrw------- null 1:3\ncrw-r--r-- white 0:0\n",
    );
    const acls = await place.out(
      "getfacl -c f . | grep daemon; getfattr --only-values -n user.k f",
    );
    assert.equal(acls, "user:daemon:rw-\nuser:daemon:rwx\nv");
    assert.equal(await place.out("cat f"), "f\nmore\n");
    await place.mustUnmount();
  },
});

Deno.test({
  name: "A writable mount of a snapshot keeps what is written, for that snapshot alone",
  ignore: !IS_ROOT,
  async fn() {
    await using store = await PbsStore.create();
    const tree = store.home.join("tree");
    Deno.mkdirSync(tree);
    await bash(TREE, tree);
    await store.backup([`root.pxar:${tree}`, "--backup-id", "x", "--backup-time", "1700000000"]);
    await using place = new WritableMount(mountCommand(store, "host/x"));
    await exercise(place);
    const name = "host/x/2023-11-14T22:13:20Z";
    const source = place.binding["source"] as Record<string, unknown>;
    assert.equal(source["name"], `pbs:${store.path}#${name}/root.pxar`);
    // What is said of a snapshot later does not make it another one.
    await store.must(["snapshot", "notes", "update", name, "note"]);
    await place.mustMount();
    await place.mustUnmount();
    await bash('echo changed >"$1/g"', tree);
    await store.backup([`root.pxar:${tree}`, "--backup-id", "x", "--backup-time", "1700000100"]);
    await place.refuses(/already bound/, ["--force"]);
    const first = await place.tryMount([], mountCommand(store, name));
    assert.equal(first.code, 0, first.stderr);
    assert.equal(await place.out("cat e/f"), "in\n");
    await place.mustUnmount();
    const inside = ["--repository", `dir:${store.path}`, "--diff-dir", `${store.path}/diff`];
    const overlap = await pbkfs(["pbs", "mount", name, "root.pxar", place.root, ...inside]);
    assert.match(overlap.stderr, /datastore .* overlap/);
    assert.equal(overlap.code, 2);
  },
});

Deno.test({
  name: "PostgreSQL starts on an archive and on a snapshot of a data directory",
  ignore: !IS_ROOT,
  async fn(t) {
    using home = serverHome("writable-pg");
    const data = home.join("data");
    await initializeCluster(VERSION, data);
    const archive = home.join("pg.pxar");
    const created = await pbkfs(["pxar", "create", archive, data]);
    assert.equal(created.code, 0, created.stderr);
    await using store = await PbsStore.create();
    await store.backup([`root.pxar:${data}`, "--backup-id", "pg"]);
    const commands = {
      archive: ["pxar", "mount", archive],
      snapshot: mountCommand(store, "host/pg"),
    };
    for (const [name, command] of Object.entries(commands)) {
      await t.step(name, async () => {
        await using place = new WritableMount(command);
        await place.mustMount(["--config", "work_mem=7MB"]);
        await withServer(place.root, async (server) => {
          assert.equal(await server.sql("show work_mem"), "7MB\n");
          await server.sql(
            "create table t as select n, md5(n::text) as m from generate_series(1, 50000) n",
          );
        });
        await place.mustUnmount();
        await place.mustMount();
        await withServer(place.root, async (server) => {
          assert.equal(
            await server.sql("select count(*), count(distinct m) from t"),
            "50000|50000\n",
          );
        });
        await place.mustUnmount();
      });
    }
    await store.check();
  },
});

async function withServer(
  dataDirectory: string,
  use: (server: PostgresServer) => Promise<void>,
): Promise<void> {
  const server = await PostgresServer.start({ version: VERSION, dataDirectory });
  try {
    await use(server);
    await server.stop();
  } finally {
    await server.kill();
  }
}

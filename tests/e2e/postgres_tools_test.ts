/**
 * What administrators run on a data directory, on a mount: base backups, rewinds, backups by the
 * rules of pg_probackup, rsync, tar, du; with a tablespace in the backup and without.
 *
 * @module
 */

import assert from "node:assert/strict";
import { CatalogBuilder } from "#tests/support/catalog_builder.ts";
import { assertPagesSound, assertRelationsSound } from "#tests/support/cluster_checks.ts";
import { DataDirectoryScene, names } from "#tests/support/data_directory_scene.ts";
import { MountPlace } from "#tests/support/pbkfs.ts";
import { initializeCluster, type PostgresServer, serverHome } from "#tests/support/postgres.ts";
import { allPrograms, hasAllPrograms } from "#tests/support/postgres_binaries.ts";
import { runCommand } from "#tests/support/process.ts";
import { walkInChild } from "#tests/support/walk.ts";

const TIMEOUT_MS = 120_000;

/** A rewind wants the WAL since the clusters parted, on both sides. */
const KEEP_WAL = { wal_keep_size: "256MB" };

const TABLES = (space: string) => `
  create table near as select i, repeat(md5(i::text), 8) t from generate_series(1, 4000) i;
  create table far (i int primary key using index tablespace ${space}, t text) tablespace ${space};
  insert into far select i, repeat(md5(i::text), 8) from generate_series(1, 4000) i;
`;

const QUERY = `
  select 'near', count(*), sum(i), md5(string_agg(t, '' order by i)) from near;
  select 'far', count(*), sum(i), md5(string_agg(t, '' order by i)) from far;
  select relname, relfilenode > 0 from pg_class where relname like '%\\_only' order by 1;
`;

/** Makes a cluster, backs it up, and mounts the backup. */
async function prepare(scene: DataDirectoryScene, hasTablespace: boolean): Promise<void> {
  const { version, home, place } = scene;
  const original = home.join("original");
  await initializeCluster(version, original);
  const catalog = home.join("catalog");
  const space = await scene.directory("space");
  const backupId = await scene.served(async (server) => {
    if (hasTablespace) await server.sql(`create tablespace space location '${space}'`);
    await server.sql(TABLES(hasTablespace ? "space" : "pg_default"));
    const builder = await CatalogBuilder.create(catalog, server);
    if (hasTablespace) scene.oid = await tablespaceOid(server);
    return (await builder.backup()).id;
  }, original);
  await place.mountForServer({ store: catalog, instance: "main", backupId });
  // Nothing may depend on the original.
  await runCommand(["rm", "-rf", original, space], { timeoutMs: TIMEOUT_MS });
  scene.assertLink();
}

async function tablespaceOid(server: PostgresServer): Promise<string> {
  return (await server.sql("select oid from pg_tablespace where spcname = 'space'")).trim();
}

/** `pg_basebackup` into files and directories: a copy with all of the data, once. */
async function takePlainBackup(scene: DataDirectoryScene, server: PostgresServer): Promise<string> {
  const copy = scene.home.join("copy");
  const moved = scene.home.join("copy-space");
  const mapping = scene.oid === undefined ? [] : ["-T", `${scene.spacePath}=${moved}`];
  await scene.program("pg_basebackup", [
    ...server.connection,
    "-D",
    copy,
    "-c",
    "fast",
    ...mapping,
  ]);
  await scene.program("pg_verifybackup", [copy]);
  assert.ok(!names(copy).includes(".pbkfs"));
  if (scene.oid !== undefined) {
    assert.equal(Deno.readLinkSync(`${copy}/pg_tblspc/${scene.oid}`), moved);
  }
  return copy;
}

/** `pg_basebackup -Ft`: the tablespace in an archive of its own, and nowhere else. */
async function takeTarBackup(scene: DataDirectoryScene, server: PostgresServer): Promise<string> {
  const { home, oid } = scene;
  const tars = home.join("tars");
  await scene.program("pg_basebackup", [...server.connection, "-Ft", "-D", tars, "-c", "fast"]);
  const parts = oid === undefined ? [] : [`${oid}.tar`];
  assert.deepEqual(names(tars), [...parts, "backup_manifest", "base.tar", "pg_wal.tar"]);
  const { stdout } = await scene.asServer(["tar", "-tf", `${tars}/base.tar`]);
  assert.doesNotMatch(stdout, /\.pbkfs|pg_tblspc\/\d+\//);
  const restored = await scene.directory("restored");
  await scene.asServer(["tar", "-xf", `${tars}/base.tar`, "-C", restored]);
  await scene.asServer(["tar", "-xf", `${tars}/pg_wal.tar`, "-C", `${restored}/pg_wal`]);
  if (oid !== undefined) {
    const space = await scene.directory("restored-space");
    await scene.asServer(["tar", "-xf", `${tars}/${oid}.tar`, "-C", space]);
    const map = Deno.readTextFileSync(`${restored}/tablespace_map`);
    assert.equal(map, `${oid} ${scene.spacePath}\n`);
    Deno.writeTextFileSync(`${restored}/tablespace_map`, `${oid} ${space}\n`);
  }
  return restored;
}

/** A backup of the mounted server by the rules of pg_probackup, mounted in its turn. */
async function backUpAgain(
  scene: DataDirectoryScene,
  server: PostgresServer,
  expected: string,
): Promise<void> {
  const catalog = scene.home.join("second-catalog");
  const { id, paths } = await (await CatalogBuilder.create(catalog, server)).backup();
  assert.ok(![...paths].some((path) => path.startsWith(".pbkfs")));
  if (scene.oid !== undefined) {
    const map = `${catalog}/backups/main/${id}/database/tablespace_map`;
    assert.equal(Deno.readTextFileSync(map), `${scene.oid} ${scene.spacePath}\n`);
  }
  await using second = new MountPlace("again");
  await second.mountForServer({ store: catalog, instance: "main", backupId: id });
  assert.equal(await scene.served((again) => again.sql(QUERY), second.root), expected);
  await second.unmount();
}

/** Tablespaces are made and dropped on the mount, that of the backup too. */
async function changeTablespaces(scene: DataDirectoryScene): Promise<void> {
  const own = await scene.directory("own");
  await scene.served(async (server) => {
    await server.sql(`
      create tablespace own location '${own}';
      create table moved_only tablespace own as select generate_series(1, 1000) i;
      checkpoint;
    `);
  });
  await scene.served(async (server) => {
    assert.equal(await server.sql("select count(*) from moved_only"), "1000\n");
    const links = names(`${scene.place.root}/pg_tblspc`);
    assert.equal(links.length, scene.oid === undefined ? 1 : 2);
    await server.sql("drop table moved_only; drop tablespace own;");
    if (scene.oid !== undefined) {
      await server.sql(`
        alter table all in tablespace space set tablespace pg_default;
        alter index all in tablespace space set tablespace pg_default;
        drop tablespace space;
      `);
    }
    assert.deepEqual(names(`${scene.place.root}/pg_tblspc`), []);
    await server.sql("checkpoint");
  });
  await scene.served(assertRelationsSound);
}

/**
 * The mount goes on from a base backup, both change, and the mount is taken back to what became of
 * the copy. Returns with the server of the mount stopped.
 */
async function rewind(
  scene: DataDirectoryScene,
  server: PostgresServer,
  { copy, expected }: { readonly copy: string; readonly expected: string },
): Promise<void> {
  const space = scene.oid === undefined ? "pg_default" : "space";
  await server.sql(`
    create table mount_only tablespace ${space} as select generate_series(1, 5000) i;
    update far set t = 'of the mount' where i % 3 = 0;
    update near set t = 'of the mount' where i % 3 = 0;
    checkpoint;
  `);
  await server.stop();
  Deno.writeTextFileSync(`${copy}/recovery.signal`, "");
  // Nothing to fetch: the copy ends recovery on a timeline of its own.
  const source = await scene.start(copy, { ...KEEP_WAL, restore_command: "false" });
  let rows: string;
  try {
    assert.equal(await source.sql(QUERY), expected, "the plain base backup");
    await source.sql(`
      create table copy_only tablespace ${space} as select generate_series(1, 3000) i;
      update far set t = 'of the copy' where i % 5 = 0;
      delete from near where i > 3000;
      checkpoint;
    `);
    rows = await source.sql(QUERY);
    const [, socket, , port, , user] = source.connection;
    const { stdout, stderr } = await scene.program("pg_rewind", [
      "--progress",
      `--source-server=host=${socket} port=${port} user=${user} dbname=postgres`,
      `--target-pgdata=${scene.place.root}`,
    ]);
    assert.doesNotMatch(stdout + stderr, /\.pbkfs/);
    await source.stop();
  } catch (error) {
    await source.kill();
    throw error;
  }
  scene.assertLink();
  await scene.asServer(["touch", `${scene.place.root}/recovery.signal`]);
  const settings = { ...KEEP_WAL, restore_command: `cp ${copy}/pg_wal/%f %p` };
  await scene.served(
    async (rewound) => {
      assert.equal(await rewound.sql(QUERY), rows);
      await assertRelationsSound(rewound);
      await rewound.sql("insert into far select i, 'after' from generate_series(5001, 5100) i");
    },
    scene.place.root,
    settings,
  );
}

/**
 * The other way round: the copy changes once more and is taken to where the mount is, from its
 * files.
 */
async function rewindCopy(scene: DataDirectoryScene, copy: string): Promise<void> {
  const { root } = scene.place;
  const changes = "update far set t = 'of the copy again' where i % 7 = 0; checkpoint";
  await scene.served((server) => server.sql(changes), copy, KEEP_WAL);
  const rows = await scene.served((server) => server.sql(QUERY), root, KEEP_WAL);
  const places = [`--source-pgdata=${root}`, `--target-pgdata=${copy}`];
  const { stdout, stderr } = await scene.program("pg_rewind", ["--progress", ...places]);
  assert.match(stderr, /Done!/);
  assert.doesNotMatch(stdout + stderr, /\.pbkfs/);
  assert.ok(!names(copy).includes(".pbkfs"));
  await scene.asServer(["touch", `${copy}/recovery.signal`]);
  const settings = { restore_command: `cp ${root}/pg_wal/%f %p` };
  assert.equal(await scene.served((server) => server.sql(QUERY), copy, settings), rows);
}

/**
 * Programs that copy, list and measure find every file once, and `rsync --delete` removes none that
 * they left out.
 */
async function copyByFiles(scene: DataDirectoryScene): Promise<void> {
  const { place, home, oid } = scene;
  const before = await walkInChild(place.root);
  const hidden = oid === undefined ? [] : await walkInChild(scene.spacePath);
  const shell = async (script: string) => {
    const command = ["sh", "-ec", script, place.root, home.path];
    return (await runCommand(command, { timeoutMs: TIMEOUT_MS, cwd: "/" })).stdout;
  };
  const archived = (await shell('tar -cf - -C "$0" . | tar -tf -')).trimEnd().split("\n");
  const inTar = archived.map((path) => path.replace(/^\.\/|\/$/g, "")).filter((path) =>
    path !== ""
  );
  assert.deepEqual(inTar.sort(), before.map(({ path }) => path).sort());
  assert.doesNotMatch(await shell('du -a "$0"; find "$0"; ls -aR "$0"'), /\.pbkfs/);
  await shell('rsync -a --delete "$0/" "$1/synced/"');
  assert.deepEqual(await walkInChild(home.join("synced")), before);
  // Back again: what the copy does not have goes, and only that.
  await shell('echo x >"$0/stray" && rsync -a --checksum --delete "$1/synced/" "$0/"');
  assert.deepEqual(await walkInChild(place.root), before);
  if (oid !== undefined) assert.deepEqual(await walkInChild(scene.spacePath), hidden);
  await place.statistics();
}

/** The diff is mounted at another path, then without naming any; in the end where it was. */
async function moveMount(scene: DataDirectoryScene): Promise<void> {
  const { place, home, oid } = scene;
  const store = home.join("catalog");
  const link = `pg_tblspc/${oid}`;
  const count = "select count(*) from far";
  // The diff has the link now.
  if (oid !== undefined) {
    await scene.asServer(["touch", "-h", "-d", "2020-01-01", `${place.root}/${link}`]);
  }
  const rows = await scene.served((server) => server.sql(count));
  await place.unmount();
  await using other = new MountPlace("other", place.diff);
  for (const options of [[], ["--relative-tablespaces"]]) {
    await other.mountForServer({ store, options });
    if (oid !== undefined) {
      const base = options.length === 0 ? other.root : "..";
      assert.equal(Deno.readLinkSync(`${other.root}/${link}`), `${base}/.pbkfs/tblspc/${oid}`);
    }
    assert.equal(await scene.served((server) => server.sql(count), other.root), rows);
    await other.unmount();
  }
  await place.mountForServer({ store });
  scene.assertLink();
}

/** Somebody empties the data directory: the tablespace is not part of it, and the mount goes on. */
async function removeAll(scene: DataDirectoryScene): Promise<void> {
  const { place, oid } = scene;
  const hidden = oid === undefined ? [] : await walkInChild(scene.spacePath);
  const options = { timeoutMs: TIMEOUT_MS, check: false };
  await runCommand(["find", place.root, "-mindepth", "1", "-delete"], { timeoutMs: TIMEOUT_MS });
  assert.deepEqual(names(place.root), []);
  for (const command of ["rmdir", "unlink"]) {
    const { stderr } = await runCommand([command, `${place.root}/.pbkfs`], options);
    assert.match(stderr, /not permitted|Is a directory/);
  }
  const moved = ["mv", `${place.root}/.pbkfs`, `${place.root}/moved`];
  assert.match((await runCommand(moved, options)).stderr, /not permitted/);
  if (oid !== undefined) assert.deepEqual(await walkInChild(scene.spacePath), hidden);
  await place.statistics();
}

for (const version of [15, 17] as const) {
  for (const hasTablespace of [true, false]) {
    Deno.test({
      name: `tools of PostgreSQL ${version} take a mount ${
        hasTablespace ? "with a tablespace" : "without tablespaces"
      } for a data directory`,
      // Needs programs of the server's own version, from packages of the distribution or by pip.
      ignore: !hasAllPrograms(version),
      async fn(test) {
        // What follows a failed step would fail for other reasons.
        const step = async (name: string, run: () => Promise<void>) => {
          assert.ok(await test.step(name, run), name);
        };
        using home = serverHome("tools");
        await using place = new MountPlace("tools");
        const scene = new DataDirectoryScene(version, await allPrograms(version), home, place);
        await prepare(scene, hasTablespace);
        const server = await scene.start(place.root, KEEP_WAL);
        try {
          const expected = await server.sql(QUERY);
          let copy = "";
          await step("pg_basebackup, plain", async () => {
            copy = await takePlainBackup(scene, server);
          });
          await step("pg_basebackup, tar", async () => {
            const restored = await takeTarBackup(scene, server);
            const rows = await scene.served((other) => other.sql(QUERY), restored);
            assert.equal(rows, expected);
          });
          await step("pg_probackup", () => backUpAgain(scene, server, expected));
          await step("pg_rewind", () => rewind(scene, server, { copy, expected }));
          await step("pg_rewind from the mount", () => rewindCopy(scene, copy));
        } catch (error) {
          await server.kill();
          throw error;
        }
        await step("rsync, tar, du", () => copyByFiles(scene));
        await step("another mount point", () => moveMount(scene));
        await step("tablespaces come and go", () => changeTablespaces(scene));
        const last = await scene.served(async (running) => {
          const kept = await running.sql("select count(*) from far where t = 'after'");
          assert.equal(kept, "100\n");
          return running;
        });
        await assertPagesSound(last);
        await step("everything is removed", () => removeAll(scene));
        await place.unmount();
      },
    });
  }
}

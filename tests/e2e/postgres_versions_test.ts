/**
 * PostgreSQL 14, 16 and 17 on mounts of catalogs that are made on the spot from real clusters; 17
 * also on a split archive and a snapshot.
 *
 * @module
 */

import assert from "node:assert/strict";
import { CatalogBuilder } from "#tests/support/catalog_builder.ts";
import {
  assertPagesSound,
  assertPgbenchBalanced,
  assertRelationsSound,
  runPgbench,
} from "#tests/support/cluster_checks.ts";
import { MountPlace, runPbkfs } from "#tests/support/pbkfs.ts";
import {
  initializeCluster,
  PostgresServer,
  SERVER_USER,
  serverHome,
} from "#tests/support/postgres.ts";
import type { PostgresVersion } from "#tests/support/postgres_binaries.ts";
import { storeState } from "#tests/support/walk.ts";
import { PbsStore } from "./_pbs_store.ts";
import { WritableMount } from "./_writable_mount.ts";

const TABLES = `
  create table kept (i int primary key, t text);
  insert into kept select i, repeat(md5(i::text), 20) from generate_series(1, 20000) i;
  create table shrunk as select i, repeat('x', 500) t from generate_series(1, 3000) i;
  create table dropped as select 1 i;
  create unlogged table unlogged as select 1 i;
  create sequence numbers start 5;
`;

const CHANGES = `
  update kept set t = 'changed ' || i where i % 97 = 0;
  delete from shrunk where i > 500;
  vacuum shrunk;
  drop table dropped;
  create table added as select i from generate_series(1, 1000) i;
`;

const QUERY = `
  select count(*), sum(i), md5(string_agg(t, '' order by i)) from kept;
  select count(*), sum(i), pg_relation_size('shrunk') from shrunk;
  select to_regclass('dropped'), count(*) from unlogged;
  select count(*), sum(i) from added;
  set enable_seqscan = off; select count(*) from kept where i between 100 and 10000;
`;

/**
 * Starts the source cluster, takes FULL and DELTA, and returns what queries must give on the DELTA.
 */
async function buildChain(
  version: PostgresVersion,
  dataDirectory: string,
  catalog: string,
): Promise<{ backupId: string; expected: string }> {
  await initializeCluster(version, dataDirectory);
  const server = await PostgresServer.start({ version, dataDirectory });
  try {
    await server.sql(TABLES);
    await server.client("pgbench", ["-i", "-q", "-s", "1", "postgres"], 60_000);
    const builder = await CatalogBuilder.create(catalog, server);
    const full = await builder.backup({
      compressionOf: (path) => path.startsWith("base/1/") ? "none" : "zlib",
    });
    await server.sql(CHANGES);
    // What happens while the backup runs must come back by recovery from the backup's WAL.
    const beforeStop = async () => {
      await server.sql("insert into added values (123456); delete from unlogged");
    };
    const delta = await builder.backup({ parent: full, beforeStop });
    return { backupId: delta.id, expected: await server.sql(QUERY) };
  } finally {
    await server.stop();
  }
}

/** The stopped cluster as a split archive and as a snapshot: a server works on both. */
async function checkOtherKinds(
  version: PostgresVersion,
  dataDirectory: string,
  expected: string,
): Promise<void> {
  await using store = await PbsStore.create();
  await store.backup([`pg.pxar:${dataDirectory}`, "--backup-id", "pg"]);
  const [metadata, payload] = ["pg.mpxar", "pg.ppxar"].map((name) => store.home.join(name));
  await runPbkfs(["pxar", "create", metadata!, dataDirectory, "--payload-output", payload!]);
  for (const source of [metadata!, `${store.path}#host/pg/latest/pg.pxar`]) {
    await using place = new WritableMount(["mount", "--wait", source]);
    await place.mustMount(Deno.uid() === 0 ? ["--owner", SERVER_USER] : []);
    const server = await PostgresServer.start({ version, dataDirectory: place.root });
    try {
      assert.equal(await server.sql(QUERY), expected, source);
      await runPgbench(server, 1);
      await assertPgbenchBalanced(server);
    } finally {
      await server.stop();
    }
    await assertPagesSound(server);
    await place.mustUnmount();
  }
}

for (const version of [14, 16, 17] as const) {
  Deno.test(`PostgreSQL ${version} runs on the mount of a backup of its own`, async () => {
    using home = serverHome(`version${version}`);
    const catalog = home.join("catalog");
    const { backupId, expected } = await buildChain(version, home.join("data"), catalog);
    const before = await storeState(catalog);
    await using place = new MountPlace("version");
    await place.mountForServer({ store: catalog, instance: "main", backupId });
    const first = await PostgresServer.start({ version, dataDirectory: place.root });
    let rows = "";
    try {
      assert.equal(await first.sql(QUERY), expected);
      await assertRelationsSound(first);
      await runPgbench(first, 2);
      await assertPgbenchBalanced(first);
      rows = await first.sql("select count(*), sum(delta) from pgbench_history");
    } finally {
      await first.stop();
    }
    await assertPagesSound(first);
    await place.unmount();
    await place.mountForServer({ store: catalog });
    const second = await PostgresServer.start({ version, dataDirectory: place.root });
    try {
      assert.equal(await second.sql("select count(*), sum(delta) from pgbench_history"), rows);
      await assertRelationsSound(second);
    } finally {
      await second.stop();
    }
    await place.unmount();
    assert.equal(await storeState(catalog), before, "the store is unchanged");
    if (version === 17) await checkOtherKinds(version, home.join("data"), expected);
  });
}

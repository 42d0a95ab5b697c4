/**
 * PostgreSQL on branches: each has what its parent had, and what it wrote itself, and nothing else.
 */

import assert from "node:assert/strict";
import { assertPgbenchBalanced, assertRelationsSound } from "#tests/support/cluster_checks.ts";
import { fixtureBackupIds, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { PostgresServer, SERVER_USER } from "#tests/support/postgres.ts";
import { storeState } from "#tests/support/walk.ts";
import { BranchScene, must } from "./_branch_scene.ts";

const BRANCHES = 10;
const TRANSACTIONS = "40";
/** Many run at once. */
const SETTINGS = { shared_buffers: "8MB", max_connections: "10", autovacuum: "off" };

/** Mounts the last backup of a chain; everything belongs to the server's user. */
async function mountBackup(scene: BranchScene, fixtureName: string): Promise<string> {
  const fixture = (await pgprobackupFixture(fixtureName))!;
  const owner = Deno.uid() === 0 ? ["--owner", SERVER_USER] : [];
  const root = scene.root("parent");
  const backup = ["-B", fixture.catalog, "-I", "main", "-i", fixtureBackupIds(fixture).at(-1)!];
  const place = ["-D", root, "-d", scene.diff("parent"), "--wait", "--no-lock"];
  await must(["mount", ...backup, ...place, ...owner]);
  return root;
}

/** Starts a server, and stops it when it was used. */
async function serve<Result>(
  dataDirectory: string,
  use: (server: PostgresServer) => Promise<Result>,
): Promise<Result> {
  const options = { version: 15, dataDirectory, settings: SETTINGS, timeoutMs: 180_000 } as const;
  const server = await PostgresServer.start(options);
  try {
    const result = await use(server);
    await server.stop("fast", 180_000);
    return result;
  } catch (error) {
    await server.kill();
    throw error;
  }
}

/** Writes a row that tells who it was, and has pgbench work. */
async function work(server: PostgresServer, name: string): Promise<void> {
  await server.sql(`insert into who values ('${name}')`);
  const load = ["-n", "-c", "2", "-t", TRANSACTIONS, "postgres"];
  const { stdout } = await server.client("pgbench", load, 180_000);
  assert.match(stdout, /number of failed transactions: 0 /);
}

const WHO = "select string_agg(name, ',' order by name) from who";
const COUNT = "select count(*) from pgbench_history";

Deno.test(`PostgreSQL 15 runs on ${BRANCHES} branches of one diff at once, which stays as it is`, async () => {
  await using scene = new BranchScene();
  const parent = await mountBackup(scene, "b-stream-zlib");
  const count = await serve(parent, async (server) => {
    await server.sql("create table who (name text)");
    await server.client("pgbench", ["-i", "-q", "-s", "1", "postgres"], 120_000);
    await work(server, "parent");
    return Number(await server.sql(COUNT));
  });
  await scene.unmount("parent");
  const data = `${scene.diff("parent")}/data`;
  const before = await storeState(data);
  const names = Array.from({ length: BRANCHES }, (_, index) => `branch${index}`);
  for (const name of names) await scene.mountBranch(name, "parent", ["--no-lock"]);
  const servers: Promise<void>[] = names.map((name) =>
    serve(scene.root(name), async (server) => {
      await work(server, name);
      assert.equal(await server.sql(WHO), `${name},parent\n`);
      assert.equal(Number(await server.sql(COUNT)), count + 2 * Number(TRANSACTIONS));
      await assertPgbenchBalanced(server);
    })
  );
  const failed = (await Promise.allSettled(servers)).filter(({ status }) => status === "rejected");
  assert.deepEqual(failed, []);
  const listed = JSON.parse(
    await must(["branch", "list", scene.diff("parent"), "--format", "json"]),
  );
  assert.deepEqual(listed.map(({ state }: { state: string }) => state), names.map(() => "mounted"));
  for (const name of names) await scene.unmount(name);
  assert.equal(await storeState(data), before);
  // What was written to one lasts, and so does what is made of it.
  const second = await scene.mountBranch("second", "branch3", ["--no-lock"]);
  await serve(second, async (server) => {
    await work(server, "second");
    assert.equal(await server.sql(WHO), "branch3,parent,second\n");
    await assertRelationsSound(server);
  });
  await scene.unmount("second");
  const first = await scene.mountAgain("branch0", ["--no-lock"]);
  await serve(first, async (server) => {
    assert.equal(await server.sql(WHO), "branch0,parent\n");
  });
  await scene.unmount("branch0");
  await must(["branch", "rm", "-r", ...names.map((name) => scene.diff(name))]);
  assert.equal(await must(["branch", "list", scene.diff("parent")]), "");
  const again = await scene.mountAgain("parent", ["--no-lock"]);
  await serve(again, async (server) => {
    assert.equal(await server.sql(WHO), "parent\n");
    assert.equal(Number(await server.sql(COUNT)), count);
  });
  await scene.unmount("parent");
});

Deno.test("Tablespaces of a branch of a branch lie in its own mount", async () => {
  await using scene = new BranchScene();
  const parent = await mountBackup(scene, "f-tablespace-external");
  const space = (await serve(parent, async (server) => {
    const name = await server.sql(
      "select spcname from pg_tablespace where spcname !~ '^pg_' limit 1",
    );
    await server.sql(`create table spaced tablespace ${name.trim()} as select 'parent' as name`);
    return name;
  })).trim();
  await scene.unmount("parent");
  await scene.mountBranch("first", "parent", ["--no-lock"]);
  await serve(scene.root("first"), (server) => server.sql("insert into spaced values ('first')"));
  await scene.unmount("first");
  await scene.mountBranch("second", "first", ["--no-lock"]);
  await serve(scene.root("second"), async (server) => {
    await server.sql(`insert into spaced values ('second');
      create table another tablespace ${space} as select generate_series(1, 10000) as number`);
    const location = await server.sql(
      `select pg_tablespace_location(oid) from pg_tablespace where spcname = '${space}'`,
    );
    assert.ok(location.startsWith(`${scene.root("second")}/.pbkfs/`), location);
    const sql = "select string_agg(name, ',' order by name) from spaced";
    assert.equal(await server.sql(sql), "first,parent,second\n");
    await assertRelationsSound(server);
  });
  await scene.unmount("second");
});

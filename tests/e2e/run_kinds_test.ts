/** `run` and `drill` on what is no backup of pg_probackup: archives, snapshots, directories. */

import assert from "node:assert/strict";
import { shellWord } from "#src/bytes/shell_word.ts";
import {
  asServerUser,
  initializeCluster,
  PostgresServer,
  serverHome,
} from "#tests/support/postgres.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { runPbkfs } from "#tests/support/pbkfs.ts";
import type { TempDirectory } from "#tests/support/temp_directory.ts";
import { RUN_TIMEOUT_MS, RunPlace } from "./_run_place.ts";
import { ServedStore } from "./_served_store.ts";

const SUM = "select current_user, sum(value) from made_there";
const ASK = ["--", "psql", "-XAtc", SUM];
const ANSWER = "the boss|500500\n";

/** Gives the superuser that initdb has made another name; nobody may do so to himself. */
const RENAME = `create role other superuser login;
\\connect - other
alter role postgres rename to "the boss";
\\connect - "the boss"
drop role other`;

/**
 * A host whose data directory was copied while the server ran, three levels down. Its superuser is
 * not called `postgres`.
 */
async function makeHost(home: TempDirectory): Promise<string> {
  const data = home.join("root/var/data");
  for (const path of ["root", "root/var"]) {
    Deno.mkdirSync(home.join(path));
    Deno.chmodSync(home.join(path), 0o777);
  }
  await initializeCluster(15, data);
  const server = await PostgresServer.start({ version: 15, dataDirectory: data });
  await server.sql("create table made_there as select generate_series(1, 1000) as value");
  await server.sql(RENAME);
  await server.kill();
  const conf = `${data}/postgresql.auto.conf`;
  // What the other host had, and this one has not.
  Deno.writeTextFileSync(
    conf,
    "shared_preload_libraries = 'no_such_library'\narchive_mode = on\nlc_messages = 'xx_XX'\n" +
      "primary_conninfo = 'host=nowhere'\nrecovery_target_time = '2001-01-01'\nport = 1\n",
  );
  Deno.writeTextFileSync(`${data}/standby.signal`, "");
  Deno.writeTextFileSync(`${data}/postgresql.conf`, "include_dir = '/no/such/place'\n");
  return home.join("root");
}

Deno.test("run starts a server on a directory, an archive, and snapshots, here and on a server", async (t) => {
  using home = serverHome("kinds");
  const root = await makeHost(home);
  using place = new RunPlace();
  const archive = home.join("root.pxar");
  await runPbkfs(["pxar", "create", archive, root]);
  await using served = await ServedStore.start();
  await served.must(["backup", `root.pxar:${root}`, "--backup-id", "db"]);
  const item = "#host/db/latest/root.pxar";
  const sources = {
    "a data directory": [`${root}/var/data`],
    "an archive": [archive, "--data-dir", "var/data"],
    "a snapshot": [`pbs:${served.path}${item}`, "--data-dir", "var/data"],
  };
  for (const [name, [source, ...options]] of Object.entries(sources)) {
    await t.step(name, async () => {
      const { stdout, stderr } = await runCommand(
        place.command("run", source!, ...options, ...ASK),
        { timeoutMs: RUN_TIMEOUT_MS, check: false, env: served.environment },
      );
      assert.equal(stdout, ANSWER, stderr);
      assert.deepEqual(place.remains(), []);
    });
  }
  await t.step("a snapshot of a server, which nobody vouches for but who sits there", async () => {
    const source = `pbs:${served.repository}${item}`;
    const words = place.command("run", source, "--data-dir", "var/data", ...ASK);
    const line = words.map(shellWord).join(" ");
    const { PBS_FINGERPRINT: fingerprint, ...env } = served.environment;
    const terminal = new RunningCommand(["script", "-qec", line, "/dev/null"], {
      interactive: true,
      env: { ...env, XDG_CONFIG_HOME: home.join("config"), PAGER: "cat" },
    });
    const said = () => terminal.stdout;
    await waitUntil(
      () => said().includes("want to continue connecting? (y/n): "),
      RUN_TIMEOUT_MS,
      said,
    );
    assert.ok(said().includes(`fingerprint: ${fingerprint}`));
    terminal.write("y\n");
    await terminal.wait(RUN_TIMEOUT_MS);
    assert.match(said(), /500500\r$/m);
    assert.deepEqual(place.remains(), []);
  });
  await t.step("and a drill of an archive is green", async () => {
    const { stdout, code } = await place.run("drill", archive, "--data-dir", "var/data");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^GREEN/);
  });
  await t.step("without the data directory's place it is told what is missing", async () => {
    const { stderr, code } = await place.run("run", archive, ...ASK);
    assert.match(stderr, /is not a data directory.*--data-dir/);
    assert.equal(code, 2);
  });
});

Deno.test("a data directory with links to places outside of the backup is refused", async () => {
  using home = serverHome("kinds");
  const data = home.join("data");
  await initializeCluster(15, data);
  await runCommand(asServerUser(["mkdir", home.join("elsewhere")]), { timeoutMs: 10_000 });
  using place = new RunPlace();
  const before = [...Deno.readDirSync(home.join("elsewhere"))].length;
  for (const [from, to] of [["pg_tblspc/16400", "elsewhere"], ["pg_wal", "moved"]]) {
    if (from === "pg_wal") Deno.renameSync(`${data}/pg_wal`, home.join("moved"));
    Deno.symlinkSync(home.join(to!), `${data}/${from}`);
    const { stderr, code } = await place.run("run", data, ...ASK);
    assert.match(stderr, new RegExp(`"${from}" leads to .*${to}.*not in the backup`));
    assert.equal(code, 1);
    Deno.removeSync(`${data}/${from}`);
  }
  assert.equal([...Deno.readDirSync(home.join("elsewhere"))].length, before);
  assert.deepEqual(place.remains(), []);
});

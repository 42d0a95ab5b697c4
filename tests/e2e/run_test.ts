/** `pbkfs run`: a command beside a server on a backup, and nothing of it left. */

import assert from "node:assert/strict";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { serverBinaries } from "#tests/support/postgres_binaries.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { lastBackupOf, RUN_TIMEOUT_MS, RunPlace } from "./_run_place.ts";

Deno.test("run gives a command a server on the backup, its exit code, and nothing remains", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("a-stream-none"))!;
  const table = "select count(*) from pgbench_accounts";
  const asked = await place.run("run", source, "--", "psql", "-XAtc", table);
  assert.deepEqual([asked.code, asked.stdout, asked.stderr], [0, "100000\n", ""]);
  const dumped = await place.run("run", source, "--", "pg_dump", "-t", "pgbench_branches");
  assert.match(dumped.stdout, /^COPY public\.pgbench_branches .*\n1\t/m);
  assert.equal(dumped.code, 0);
  const script = 'echo "$PGHOST|$PGPORT|$PGUSER|$PGDATABASE"; pwd; cat; exit 7';
  const left = await runCommand(place.command("run", source, "--", "sh", "-c", script), {
    timeoutMs: RUN_TIMEOUT_MS,
    check: false,
    cwd: place.home.path,
    stdin: "what is typed",
  });
  assert.equal(left.code, 7);
  assert.match(left.stdout, new RegExp(`^${place.work}/[^|]*\\|5432\\|postgres\\|postgres\n`));
  assert.ok(left.stdout.endsWith(`\n${place.home.path}\nwhat is typed`), left.stdout);
  assert.deepEqual(place.remains(), []);
});

Deno.test("run takes no writes unless told to, and keeps them where told to", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("c-stream-pglz"))!;
  const write = ["--", "psql", "-XAtc", "create table made_here as select 42 as value"];
  const refused = await place.run("run", source, ...write);
  assert.match(refused.stderr, /read-only transaction/);
  assert.equal(refused.code, 1);
  const diff = place.home.join("diff");
  const kept = await place.run("run", source, "--writable", "--keep-diff", diff, ...write);
  assert.equal(kept.code, 0, kept.stderr);
  assert.deepEqual(place.remains(), []);
  const again = ["--keep-diff", diff, "--", "psql", "-XAtc", "select value from made_here"];
  assert.equal((await place.run("run", source, ...again)).stdout, "42\n");
  assert.deepEqual(place.remains(), []);
});

Deno.test("run recovers a backup without WAL of its own from the archive of its catalog", async (t) => {
  const source = await lastBackupOf("e-archive-zlib");
  if (source === undefined) return;
  using place = new RunPlace();
  const ask = [
    "--",
    "psql",
    "-XAtc",
    "select pg_is_in_recovery(), sum(abalance) is null from pgbench_accounts",
  ];
  for (const options of [[], ["--recovery-target", "latest"]]) {
    await t.step(options.join(" ") || "to the end of the backup", async () => {
      const { stdout, stderr } = await place.run("run", source, ...options, ...ask);
      assert.equal(stdout, "f|f\n", stderr);
    });
  }
  const far = await place.run(
    "run",
    source,
    "--recovery-target-time",
    "2035-01-01 00:00:00+00",
    ...ask,
  );
  assert.match(far.stderr, /recovery ended before configured recovery target was reached/);
  assert.equal(far.code, 1);
  assert.deepEqual(place.remains(), []);
});

Deno.test("run finds tablespaces, and the programs of the backup's version", async () => {
  using place = new RunPlace();
  const ask = ["--", "psql", "-XAtc", "show server_version_num"];
  const tablespaces = await lastBackupOf("f-tablespace-external");
  if (tablespaces !== undefined) {
    assert.match((await place.run("run", tablespaces, ...ask)).stdout, /^15/);
  }
  const newer = await lastBackupOf("j-pg17-stream");
  if (newer !== undefined) {
    const wrong = await place.run("run", newer, "--pg-bin", await serverBinaries(15), ...ask);
    assert.match(wrong.stderr, /data directory of PostgreSQL 17: it has PostgreSQL 15/);
    assert.equal(wrong.code, 2);
    const right = await place.run("run", newer, "--pg-bin", await serverBinaries(17), ...ask);
    assert.match(right.stdout, /^17/, right.stderr);
  }
  assert.deepEqual(place.remains(), []);
});

Deno.test("run says what is wrong before there is a server", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("a-stream-none"))!;
  const cases: [string[], RegExp, number][] = [
    [[source, "--", "no-such-program"], /Cannot find the program "no-such-program"/, 1],
    [[source, "--config", "port=1", "--", "true"], /Cannot set "port"/, 2],
    [[source, "--config", "no_such=1", "--", "true"], /unrecognized configuration parameter/, 1],
    [[source, "--recovery-target", "latest", "--recovery-target-xid", "1"], /one target/, 2],
    [[source.replace(/#.*/, "#main/NONE01"), "--", "true"], /NONE01/, 1],
  ];
  for (const [[name, ...words], message, code] of cases) {
    const result = await place.run("run", name!, ...words);
    assert.match(result.stderr, message);
    assert.equal(result.code, code, result.stderr);
  }
  assert.deepEqual(place.remains(), []);
});

Deno.test("a run that is told to end ends its command and removes everything", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("a-stream-none"))!;
  // At a random moment of the start, and while the command runs.
  for (const delayMs of [Math.random() * 800, undefined]) {
    const running = new RunningCommand(
      place.command("run", source, "--", "sh", "-c", "echo up; exec sleep 60"),
    );
    if (delayMs === undefined) {
      await waitUntil(
        () => Promise.resolve(running.stdout === "up\n"),
        RUN_TIMEOUT_MS,
        () => running.stderr,
      );
    } else {
      await new Promise((resolve) => setTimeout(resolve, 300 + delayMs));
    }
    Deno.kill(running.pid!, "SIGTERM");
    const { code } = await running.wait(RUN_TIMEOUT_MS);
    assert.notEqual(code, 0);
    assert.deepEqual(place.remains(), [], `${delayMs}`);
  }
});

Deno.test("what a killed run leaves, the next one removes", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("a-stream-none"))!;
  for (let round = 0; round < 3; round++) {
    const running = new RunningCommand(place.command("run", source, "--", "sleep", "5"));
    await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 2500));
    Deno.kill(running.pid!, "SIGKILL");
    await running.wait(RUN_TIMEOUT_MS);
  }
  const { stdout, stderr } = await place.run("run", source, "--", "psql", "-XAtc", "select 1");
  assert.equal(stdout, "1\n", stderr);
  assert.deepEqual(place.remains(), []);
});

Deno.test("cleanup removes what a killed run leaves, and nothing that is in use", async () => {
  using place = new RunPlace();
  const source = (await lastBackupOf("a-stream-none"))!;
  const start = async () => {
    const command = place.command("run", source, "--", "sh", "-c", "echo up; exec sleep 4");
    const running = new RunningCommand(command);
    const isUp = () => Promise.resolve(running.stdout === "up\n");
    await waitUntil(isUp, RUN_TIMEOUT_MS, () => running.stderr);
    return running;
  };
  const killed = await start();
  const [left] = [...Deno.readDirSync(place.work)];
  const used = await start();
  Deno.kill(killed.pid!, "SIGKILL");
  await waitUntil(
    async () => {
      const cleanup = pbkfsCommand(["cleanup", "--work-dir", place.work]);
      await runCommand(cleanup, { timeoutMs: RUN_TIMEOUT_MS });
      return ![...Deno.readDirSync(place.work)].some(({ name }) => name === left!.name);
    },
    RUN_TIMEOUT_MS,
    () => place.remains().join("\n"),
  );
  assert.equal((await used.wait(RUN_TIMEOUT_MS)).code, 0, "the other one is left alone");
  assert.deepEqual(place.remains(), []);
});

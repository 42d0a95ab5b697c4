/**
 * PostgreSQL on restored backups: the data is right at once, at the end of the archive, and at a
 * point in between.
 *
 * @module
 */

import assert from "node:assert/strict";
import { assertPagesSound, assertRelationsSound } from "#tests/support/cluster_checks.ts";
import { pbkfsCommand, runPbkfs } from "#tests/support/pbkfs.ts";
import {
  copyCatalog,
  fixtureBackupIds,
  type PgProbackupFixture,
  pgprobackupFixture,
} from "#tests/support/pgprobackup_fixtures.ts";
import { asServerUser, PostgresServer, SERVER_USER } from "#tests/support/postgres.ts";
import type { PostgresVersion } from "#tests/support/postgres_binaries.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 120_000;
const PROMOTE = ["--recovery-target-action", "promote"];

/** A catalog that the server's user may read, and a place for what is restored. */
class Scene implements Disposable {
  readonly home = new TempDirectory("restore-postgres");
  readonly catalog = this.home.join("catalog");
  readonly ids: readonly string[];

  constructor(readonly fixture: PgProbackupFixture) {
    Deno.chmodSync(this.home.path, 0o755);
    copyCatalog(fixture.catalog, this.catalog);
    this.ids = fixtureBackupIds(fixture);
  }

  static async of(name: string): Promise<Scene> {
    const fixture = await pgprobackupFixture(name);
    assert.ok(fixture);
    return new Scene(fixture);
  }

  expected(name: string): string {
    return Deno.readTextFileSync(`${this.fixture.expected}/${name}`);
  }

  /** Restores as root for the server's user, who is the owner of the directory. */
  async restore(backupId: string, ...options: readonly string[]): Promise<string> {
    const target = Deno.makeTempDirSync({ dir: this.home.path, prefix: "data-" });
    if (Deno.uid() === 0) {
      for (const path of [target, this.catalog]) {
        const command = ["chown", "-R", SERVER_USER, path];
        await runCommand(command, { timeoutMs: TIMEOUT_MS });
      }
    }
    const source = `${this.catalog}#main/${backupId}`;
    await runPbkfs(["restore", source, target, ...options], TIMEOUT_MS);
    return target;
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

/** What queries give on a server that has recovered. */
async function query(
  dataDirectory: string,
  queries: string,
  version: PostgresVersion = 15,
): Promise<string> {
  const server = await PostgresServer.start({ version, dataDirectory });
  try {
    const answer = await server.sql(queries);
    await assertRelationsSound(server);
    await server.stop();
    await assertPagesSound(server);
    return answer;
  } catch (error) {
    await server.kill();
    throw error;
  }
}

for (const [name, version] of [["b-stream-zlib", 15], ["j-pg17-stream", 17]] as const) {
  Deno.test(`PostgreSQL ${version} starts on a restored backup of ${name}`, async () => {
    using scene = await Scene.of(name);
    const backupId = scene.ids.at(-1)!;
    const target = await scene.restore(backupId);
    const answer = await query(target, scene.expected("queries.sql"), version);
    assert.equal(answer, scene.expected(`sql-${backupId}.txt`));
  });
}

Deno.test("a backup without WAL recovers from the catalog's archive", async (test) => {
  using scene = await Scene.of("e-archive-zlib");
  const [full, second] = scene.ids;
  const queries = scene.expected("queries.sql");
  await test.step("to its end", async () => {
    const target = await scene.restore(full!);
    assert.equal(await query(target, queries), scene.expected(`sql-${full}.txt`));
  });
  await test.step("as soon as it is consistent", async () => {
    const target = await scene.restore(second!, "--recovery-target", "immediate", ...PROMOTE);
    assert.equal(await query(target, queries), scene.expected(`sql-immediate-${second}.txt`));
  });
  await test.step("to a place in the WAL", async () => {
    // The second backup ends there: what it shows is there, and nothing else.
    const control = Deno.readTextFileSync(
      `${scene.catalog}/backups/main/${second}/backup.control`,
    );
    const lsn = /^stop-lsn = (\S+)$/m.exec(control)![1]!;
    const target = await scene.restore(full!, "--recovery-target-lsn", lsn, ...PROMOTE);
    const answer = await query(target, queries);
    assert.equal(
      withoutSequence(answer),
      withoutSequence(scene.expected(`sql-immediate-${second}.txt`)),
    );
  });
  await test.step("to a time", async () => {
    const control = Deno.readTextFileSync(
      `${scene.catalog}/backups/main/${second}/backup.control`,
    );
    const time = /^recovery-time = '(.*)'$/m.exec(control)![1]!;
    const target = await scene.restore(full!, "--recovery-target-time", time, ...PROMOTE);
    const answer = await query(target, queries);
    assert.equal(
      withoutSequence(answer),
      withoutSequence(scene.expected(`sql-immediate-${second}.txt`)),
    );
  });
});

/** Sequences log ahead: their value depends on where recovery began. */
function withoutSequence(answer: string): string {
  return answer.replace(/^seq\|\d+$/m, "seq");
}

Deno.test("a damaged segment ends the server, a missing one the recovery", async () => {
  using scene = await Scene.of("e-archive-zlib");
  const [full] = scene.ids;
  const archive = `${scene.catalog}/wal/main`;
  // The second of the two that the backup needs is missing: nothing is written then.
  const needed = `${archive}/000000010000000000000020.gz`;
  Deno.renameSync(needed, `${scene.home.path}/aside`);
  const refused = scene.home.join("refused");
  await assert.rejects(
    runPbkfs(["restore", `${scene.catalog}#main/${full}`, refused], TIMEOUT_MS),
    (error: Error) => {
      assert.ok(error.message.includes(`0000000020 of the WAL is missing in "${archive}"`));
      assert.match(error.message, /--restore-command/);
      return true;
    },
  );
  assert.throws(() => Deno.statSync(refused), Deno.errors.NotFound);
  Deno.renameSync(`${scene.home.path}/aside`, needed);
  const segments = [...Deno.readDirSync(archive)].map(({ name }) => name)
    .filter((name) => /^[0-9A-F]{24}\.gz$/.test(name)).sort();
  const last = `${archive}/${segments.at(-1)}`;
  const bytes = Deno.readFileSync(last);
  Deno.writeFileSync(last, bytes.subarray(0, bytes.length / 2));
  const target = await scene.restore(full!);
  await assert.rejects(
    PostgresServer.start({ version: 15, dataDirectory: target, timeoutMs: TIMEOUT_MS }),
    /ended at its start[^]*could not restore file/,
  );
  Deno.removeSync(last);
  const server = await PostgresServer.start({ version: 15, dataDirectory: target });
  await server.stop();

  const get = (name: string) =>
    runCommand(
      asServerUser(pbkfsCommand(["wal", "get", "-B", scene.catalog, "--instance", "main"]))
        .concat([name, `${target}/fetched`]),
      { timeoutMs: TIMEOUT_MS, check: false },
    );
  assert.equal((await get("00000009.history")).code, 1);
  assert.equal((await get("x")).code, 126);
});

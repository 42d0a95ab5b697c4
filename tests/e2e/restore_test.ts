/**
 * Every backup of every golden catalog, restored: names, modes, sizes and contents are those of the
 * tool that made it; also when the restore is killed again and again, onto what was there before,
 * and on a full disk.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pbkfsCommand, runPbkfs } from "#tests/support/pbkfs.ts";
import {
  copyCatalog,
  fixtureBackupIds,
  type PgProbackupFixture,
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import { type CommandResult, runCommand, RunningCommand } from "#tests/support/process.ts";
import {
  assertSameTree,
  expectedTree,
  normalized,
  readManifest,
} from "#tests/support/restored_tree.ts";
import { SmallDisk } from "#tests/support/small_disk.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { type ManifestEntry, walkManifest } from "#tests/support/tree_manifest.ts";

const KILLS = 20;
const TIMEOUT_MS = 300_000;
/** In the target while a restore is not finished. */
const RECORD = ".pbkfs-restore";

/** Where a fixture's tablespaces and external directories go. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  "f-tablespace-external": [
    "-T=/srv/pgbk/ts1=HOME/ts1",
    "-T=/srv/pgbk/ts2=HOME/ts2",
  ],
};

/** A backup of a fixture, and a place to restore it to. */
class Restoring implements Disposable {
  readonly home = new TempDirectory("restore");
  readonly target = this.home.join("target");

  constructor(
    readonly fixture: PgProbackupFixture,
    readonly backupId: string,
    readonly catalog = fixture.catalog,
  ) {}

  args(...options: readonly string[]): string[] {
    const source = `pgpro:${this.catalog}#main/${this.backupId}`;
    return ["restore", source, this.target, ...this.#mapping(), ...options];
  }

  async run(...options: readonly string[]): Promise<Record<string, unknown>> {
    const { stdout } = await runPbkfs([...this.args(...options), "--format", "json"], TIMEOUT_MS);
    return JSON.parse(stdout);
  }

  async fail(...options: readonly string[]): Promise<CommandResult & { error: { code: string } }> {
    const command = pbkfsCommand([...this.args(...options), "--format", "json"]);
    const result = await runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
    assert.notEqual(result.code, 0, result.stdout);
    return { ...result, error: JSON.parse(result.stderr.trim().split("\n").at(-1)!) };
  }

  /** Compares with the manifest. */
  assertRestored(): void {
    const { expected } = this.fixture;
    const manifest = readManifest(`${expected}/manifest-${this.backupId}.jsonl`);
    const found = new Map<string, ManifestEntry>();
    for (const entry of walkManifest(this.target)) found.set(entry.path, normalized(entry));
    for (const [path, { type }] of [...found]) {
      if (type !== "link") continue;
      const link = Deno.readLinkSync(`${this.target}/${path}`);
      assert.ok(link.startsWith(`${this.home.path}/ts`), link);
      for (const entry of walkManifest(link)) {
        found.set(`${path}/${entry.path}`, normalized({ ...entry, path: `${path}/${entry.path}` }));
      }
    }
    found.delete("recovery.signal");
    assertSameTree(found, expectedTree(manifest));
    assert.equal(Deno.statSync(this.target).mode! & 0o7777, 0o700);
  }

  #mapping(): string[] {
    const places = PLACES[this.fixture.name] ?? [];
    const mapping = places.map((place) => place.replace("HOME", this.home.path));
    if (this.fixture.name !== "f-tablespace-external") return mapping;
    const control = Deno.readTextFileSync(
      `${this.catalog}/backups/main/${this.backupId}/backup.control`,
    );
    const directories = /^external-dirs = '(.*)'$/m.exec(control)![1]!.split(":");
    const externals = directories.map((path, index) =>
      `--external-mapping=${path}=${this.home.path}/external${index}`
    );
    return [...mapping, ...externals].map((word) => word.replace(/^-T=/, "--tablespace-mapping="));
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

async function fixtureOf(name: string): Promise<PgProbackupFixture> {
  const fixture = await pgprobackupFixture(name);
  assert.ok(fixture);
  return fixture;
}

// Catalogs for benchmarks come without expected results.
for (const name of pgprobackupFixtureNames().filter((each) => !each.startsWith("bench-"))) {
  Deno.test(`restore makes every backup of ${name} what its own tool makes`, async (test) => {
    const fixture = await fixtureOf(name);
    for (const backupId of fixtureBackupIds(fixture)) {
      await test.step(backupId, async () => {
        using restoring = new Restoring(fixture, backupId);
        const summary = await restoring.run();
        restoring.assertRestored();
        assert.equal(summary["resumed"], false);
        if (name === "f-tablespace-external") assertExternal(restoring);
      });
    }
  });
}

/** The manifest calls external directories by their last names, in the order of their paths. */
function assertExternal({ fixture, backupId, home }: Restoring): void {
  const expected = readManifest(`${fixture.expected}/manifest-external-${backupId}.jsonl`);
  const names = [...new Set(expected.map(({ path }) => path.split("/")[0]!))].sort();
  const found = names.flatMap((name, index) =>
    [...walkManifest(home.join(`external${index}`))]
      .map((entry) => ({ ...entry, path: `${name}/${entry.path}` }))
  );
  const order = (a: ManifestEntry, b: ManifestEntry) => a.path < b.path ? -1 : 1;
  assert.deepEqual(
    found.sort(order),
    expected.filter(({ path }) => path.includes("/")).sort(order),
  );
}

/** Starts a restore and kills it after so long. @returns whether it was killed */
async function killAfter(restoring: Restoring, timeMs: number): Promise<boolean> {
  const running = new RunningCommand(pbkfsCommand(restoring.args()));
  const timer = setTimeout(() => running.signalGroup("SIGKILL"), timeMs);
  const { code } = await running.wait(TIMEOUT_MS);
  clearTimeout(timer);
  return code === 128 + 9;
}

const killed = Deno.env.get("PBKFS_RESTORE_KILLS") === "all"
  ? pgprobackupFixtureNames().filter((each) => !/^(bench|i)-/.test(each))
  : ["b-stream-zlib"];
for (const name of killed) {
  Deno.test(`a restore of ${name} that is killed at ${KILLS} random moments goes on`, async () => {
    const fixture = await fixtureOf(name);
    const backupId = fixtureBackupIds(fixture).at(-1)!;
    using home = new TempDirectory("restore-catalog");
    // A killed process leaves its lock behind.
    const catalog = home.join("catalog");
    copyCatalog(fixture.catalog, catalog);
    const start = performance.now();
    {
      using restoring = new Restoring(fixture, backupId, catalog);
      await restoring.run();
    }
    const usualMs = performance.now() - start;
    let kills = 0;
    for (let round = 0; kills < KILLS && round < 5 * KILLS; round++) {
      using restoring = new Restoring(fixture, backupId, catalog);
      // Each target is killed twice: a restore that goes on is one that can be killed.
      for (let attempt = 0; attempt < 2 && !isFinished(restoring.target); attempt++) {
        if (await killAfter(restoring, Math.random() * usualMs)) kills += 1;
        assertCannotStart(restoring.target);
      }
      if (!isFinished(restoring.target)) await restoring.run();
      restoring.assertRestored();
    }
    assert.ok(kills >= KILLS, `${kills} kills`);
  });
}

/** Nothing is left of its record. */
function isFinished(target: string): boolean {
  return exists(`${target}/global/pg_control`) && !exists(`${target}/${RECORD}`);
}

/** Either the restore is complete, or there is nothing that a server would start on. */
function assertCannotStart(target: string): void {
  if (!exists(`${target}/global/pg_control`)) return;
  if (!exists(`${target}/${RECORD}`)) return;
  assert.match(Deno.readTextFileSync(`${target}/${RECORD}`), /"complete":true/);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Overwrites a page of a relation, appends to another file, adds a file, and removes one. */
function spoil(target: string): void {
  using relation = Deno.openSync(`${target}/base/5/16396`, { write: true });
  relation.seekSync(3 * 8192, Deno.SeekMode.Start);
  relation.writeSync(new Uint8Array(8192).fill(7));
  Deno.writeTextFileSync(`${target}/postgresql.conf`, "# more\n", { append: true });
  Deno.mkdirSync(`${target}/base/999/deep`, { recursive: true });
  Deno.writeTextFileSync(`${target}/base/999/deep/file`, "not in the backup");
  Deno.removeSync(`${target}/PG_VERSION`);
  Deno.chmodSync(`${target}/base/5/1259`, 0o644);
}

Deno.test("an incremental restore writes what differs, and nothing else", async () => {
  const fixture = await fixtureOf("a-stream-none");
  const [full, , , delta] = fixtureBackupIds(fixture);
  using restoring = new Restoring(fixture, delta!);
  const whole = await restoring.run();
  const untouched = `${restoring.target}/base/5/2619`;
  const { mtime } = Deno.statSync(untouched);
  spoil(restoring.target);
  // A second name of a file, as of a copy made with hard links, is nobody's to write to.
  Deno.linkSync(`${restoring.target}/base/5/16396`, restoring.home.join("linked"));
  const again = await restoring.run("--incremental");
  restoring.assertRestored();
  assert.deepEqual(Deno.statSync(untouched).mtime, mtime);
  assert.equal(Deno.readFileSync(restoring.home.join("linked"))[3 * 8192], 7);
  assert.equal(again["removed"], 1);
  // The relation that had two names is written anew, the other files by their blocks.
  const relationSize = Deno.statSync(`${restoring.target}/base/5/16396`).size;
  const others = (again["bytes_written"] as number) - relationSize;
  assert.ok(others > 0 && others <= 5 * 8192, `${others} bytes`);
  assert.equal(
    (again["bytes_written"] as number) + (again["bytes_unchanged"] as number),
    whole["bytes_written"],
  );

  // To an older backup of the same cluster.
  using older = new Restoring(fixture, full!);
  Deno.renameSync(restoring.target, older.target);
  const back = await older.run("--incremental");
  older.assertRestored();
  assert.ok((back["bytes_unchanged"] as number) > (back["bytes_written"] as number));
});

Deno.test("an incremental restore that is killed goes on", async () => {
  const fixture = await fixtureOf("b-stream-zlib");
  const ids = fixtureBackupIds(fixture);
  using home = new TempDirectory("restore-catalog");
  const catalog = home.join("catalog");
  copyCatalog(fixture.catalog, catalog);
  using first = new Restoring(fixture, ids[0]!, catalog);
  const start = performance.now();
  await first.run();
  const usualMs = performance.now() - start;
  using second = new Restoring(fixture, ids.at(-1)!, catalog);
  Deno.renameSync(first.target, second.target);
  let kills = 0;
  for (let attempt = 0; attempt < 4; attempt++) {
    const command = pbkfsCommand(second.args("--incremental"));
    const running = new RunningCommand(command);
    const timer = setTimeout(() => running.signalGroup("SIGKILL"), Math.random() * usualMs);
    if ((await running.wait(TIMEOUT_MS)).code === 128 + 9) kills += 1;
    clearTimeout(timer);
  }
  await second.run("--incremental");
  second.assertRestored();
  assert.ok(kills > 0);
});

Deno.test("a restore refuses directories that are not its own", async () => {
  const fixture = await fixtureOf("a-stream-none");
  const [full, delta] = fixtureBackupIds(fixture);
  using restoring = new Restoring(fixture, full!);
  const { target } = restoring;
  Deno.mkdirSync(target);
  Deno.writeTextFileSync(`${target}/mine`, "x");
  assert.equal((await restoring.fail()).error.code, "exists");
  // Nor is it a cluster.
  assert.equal((await restoring.fail("--incremental")).error.code, "exists");
  assert.equal(Deno.readTextFileSync(`${target}/mine`), "x");
  Deno.removeSync(`${target}/mine`);

  await restoring.run();
  // A cluster with another system identifier.
  using other = new Restoring(await fixtureOf("j-pg17-stream"), "TOTZH9");
  Deno.renameSync(target, other.target);
  assert.equal((await other.fail("--incremental")).error.code, "exists");
  // A server runs there, as far as the file and the processes say.
  Deno.writeTextFileSync(`${other.target}/postmaster.pid`, `${Deno.pid}\n`);
  assert.equal((await other.fail("--incremental", "--force")).error.code, "busy");
  Deno.writeTextFileSync(`${other.target}/postmaster.pid`, "4194303\n");
  await other.run("--incremental", "--force");
  other.assertRestored();

  // An unfinished restore of another backup.
  using half = new Restoring(fixture, delta!);
  Deno.mkdirSync(half.target);
  const identity = {
    format: 1,
    source: { kind: "pg_probackup", name: "x", fingerprint: "x", ids: [full] },
    places: [half.target],
    databases_left_out: [],
    incremental: false,
    owner: null,
  };
  Deno.writeTextFileSync(`${half.target}/${RECORD}`, `${JSON.stringify(identity)}\n`);
  assert.equal((await half.fail()).error.code, "exists");
  // Into the catalog itself.
  const inside = pbkfsCommand(["restore", half.args()[1]!, `${fixture.catalog}/backups/x`]);
  assert.equal((await runCommand(inside, { timeoutMs: TIMEOUT_MS, check: false })).code, 2);
  assert.equal(exists(`${fixture.catalog}/backups/x`), false);
});

Deno.test("databases that are left out have empty files", async () => {
  const fixture = await fixtureOf("b-stream-zlib");
  using restoring = new Restoring(fixture, fixtureBackupIds(fixture).at(-1)!);
  assert.equal((await restoring.fail("--exclude-db", "nobody")).code, 2);
  assert.equal((await restoring.fail("--exclude-db", "template1")).code, 2);
  await restoring.run("--exclude-db", "postgres");
  const manifest = readManifest(`${fixture.expected}/manifest-${restoring.backupId}.jsonl`);
  for (const { path, type, size } of manifest) {
    if (type !== "file" || path === "postgresql.auto.conf") continue;
    const expected = path.startsWith("base/5/") ? 0 : size;
    assert.equal(Deno.statSync(`${restoring.target}/${path}`).size, expected, path);
  }
  using all = new Restoring(fixture, restoring.backupId);
  await all.run("--include-db", "postgres");
  all.assertRestored();
});

Deno.test("a damaged backup is not restored", async () => {
  const fixture = await fixtureOf("a-stream-none");
  const [full] = fixtureBackupIds(fixture);
  using home = new TempDirectory("restore-catalog");
  const catalog = home.join("catalog");
  copyCatalog(fixture.catalog, catalog);
  const database = `${catalog}/backups/main/${full}/database`;
  using restoring = new Restoring(fixture, full!, catalog);
  const change = (path: string, offset: number, text: string) => {
    using file = Deno.openSync(`${database}/${path}`, { read: true, write: true });
    const old = new Uint8Array(text.length);
    file.seekSync(offset, Deno.SeekMode.Start);
    file.readSync(old);
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(new TextEncoder().encode(text));
    return new TextDecoder("latin1").decode(old);
  };
  // A page, and a file that is stored whole.
  const page = change("base/5/16396", 8200 * 3 + 8 + 4000, "ZZZZ");
  const damaged = await restoring.fail();
  assert.equal(damaged.error.code, "integrity");
  assert.match(damaged.stderr, /16396/);
  change("base/5/16396", 8200 * 3 + 8 + 4000, page);
  const conf = change("pg_hba.conf", 0, "X");
  using other = new Restoring(fixture, full!, catalog);
  assert.match((await other.fail()).stderr, /pg_hba\.conf/);
  assertCannotStart(other.target);
  // As if pg_probackup changed the backup.
  const pidFile = `${catalog}/backups/main/${full}/backup.pid`;
  Deno.writeTextFileSync(pidFile, `${Deno.pid}\n`);
  const locked = await other.fail("--no-validate");
  assert.equal(locked.error.code, "locked");
  assert.match(locked.stderr, /--no-lock/);
  await other.run("--no-validate", "--no-lock");
  Deno.removeSync(pidFile);
  change("pg_hba.conf", 0, conf);
  const control = change("global/pg_control", 100, "X");
  using third = new Restoring(fixture, full!, catalog);
  assert.match((await third.fail()).stderr, /pg_control/);
  assertCannotStart(third.target);
  change("global/pg_control", 100, control);
  // The same command goes on.
  assert.equal((await restoring.run())["resumed"], true);
  restoring.assertRestored();
});

const asRoot = { ignore: Deno.uid() !== 0 };

Deno.test("a restore on a full disk says so, and goes on when there is space", asRoot, async () => {
  const fixture = await fixtureOf("b-stream-zlib");
  await using disk = await SmallDisk.create(48);
  using restoring = new Restoring(fixture, fixtureBackupIds(fixture).at(-1)!);
  const ballast = disk.join("ballast");
  Deno.writeFileSync(ballast, new Uint8Array(24 << 20));
  const target = disk.join("target");
  Deno.symlinkSync(target, restoring.target);
  Deno.mkdirSync(target);
  assert.equal((await restoring.fail()).error.code, "ENOSPC");
  assertCannotStart(target);
  Deno.removeSync(ballast);
  const summary = await restoring.run();
  assert.equal(summary["resumed"], true);
  assert.ok((summary["files_kept"] as number) > 0);
  Deno.removeSync(restoring.target);
  Deno.symlinkSync(target, restoring.target);
  restoring.assertRestored();
});

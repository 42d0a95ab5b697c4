/**
 * `pbkfs copy`: chains as snapshots, here and on a server, and what is left of one that was
 * interrupted.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { withMount, workerModule } from "#tests/mount/support/mounted.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import {
  fixtureBackupIds,
  type PgProbackupFixture,
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import { type CommandResult, runCommand, RunningCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { PbsStore } from "./_pbs_store.ts";
import { ServedStore } from "./_served_store.ts";

const TIMEOUT_MS = 300_000;
/** With `PBKFS_TEST_ALL_CHAINS=1` every backup of every chain is copied. */
const IS_COMPLETE = Deno.env.get("PBKFS_TEST_ALL_CHAINS") === "1";
/** Otherwise those of one of them, and the last backups of others that are not large. */
const COMPLETE = IS_COMPLETE ? pgprobackupFixtureNames() : ["a-stream-none"];
const OTHERS = pgprobackupFixtureNames().filter((name) =>
  !COMPLETE.includes(name) && !/^(?:bench|i)-/.test(name)
);

/** Whether the archive of a chain is more than fits into memory, and than the checker takes. */
function isLarge(name: string): boolean {
  return name.startsWith("i-");
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return runCommand(pbkfsCommand(args), {
    timeoutMs: TIMEOUT_MS,
    check: false,
    env: { XDG_CONFIG_HOME: "/no-such-place", ...env },
  });
}

interface Summary {
  readonly snapshot: string;
  readonly new_bytes: number;
  readonly reused_bytes: number;
  readonly new_chunks: number;
}

async function copy(
  source: string,
  target: string,
  options: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Summary> {
  const { code, stdout, stderr } = await run(
    ["copy", source, target, ...options, "--format", "json"],
    env,
  );
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

interface ManifestEntry {
  readonly path: string;
  readonly mode: string;
  readonly type: "file" | "dir" | "link";
  readonly size?: number;
  readonly sha256?: string;
}

/** Compares a restored copy with what `pg_probackup restore` makes of the backup. */
function compareWithManifest(directory: string, fixture: PgProbackupFixture, id: string): void {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${fixture.expected}/manifest-${id}.jsonl`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const line of text.trim().split("\n")) {
    const { path, mode, type, size, sha256 } = JSON.parse(line) as ManifestEntry;
    // What restore itself makes or changes, as the README of the fixtures says.
    if (path === "recovery.signal") continue;
    const place = `${directory}/${path}`;
    const stat = Deno.lstatSync(place);
    assert.equal(stat.isDirectory, type === "dir", path);
    assert.equal(stat.isSymlink, type === "link", path);
    if (type === "link") continue;
    const expectedMode = path === "global/pg_control" ? "600" : mode;
    assert.equal((stat.mode! & 0o7777).toString(8), expectedMode, path);
    if (type !== "file" || path === "postgresql.auto.conf") continue;
    const bytes = Deno.readFileSync(place);
    assert.deepEqual([bytes.length, createHash("sha256").update(bytes).digest("hex")], [
      size,
      sha256,
    ], path);
  }
}

/** Copies a backup, restores the copy, and compares it with the manifest. */
async function copyAndCompare(
  store: PbsStore,
  fixture: PgProbackupFixture,
  id: string,
): Promise<Summary> {
  const summary = await copy(`${fixture.catalog}#main/${id}`, `${store.path}#host/${fixture.name}`);
  // In memory, as the datastore, where there is room.
  const target = isLarge(fixture.name)
    ? store.home.join("restored")
    : `${dirname(store.path)}/restored`;
  await store.must(["restore", summary.snapshot, "root.pxar", target]);
  compareWithManifest(target, fixture, id);
  Deno.removeSync(target, { recursive: true });
  return summary;
}

for (const name of COMPLETE) {
  Deno.test(`A chain copied into a datastore is restored as its manifests say: ${name}`, async () => {
    const fixture = (await pgprobackupFixture(name))!;
    await using store = await PbsStore.create();
    let first: Summary | undefined;
    for (const id of fixtureBackupIds(fixture)) {
      const summary = await copyAndCompare(store, fixture, id);
      if (first !== undefined) assert.ok(summary.new_bytes < first.new_bytes, id);
      first ??= summary;
    }
    await store.check(...isLarge(name) ? ["--no-archives"] : []);
  });
}

Deno.test("The last backup of each chain, copied into a datastore, is restored as its manifest says", async (t) => {
  await using store = await PbsStore.create();
  for (const name of OTHERS) {
    await t.step(name, async () => {
      const fixture = (await pgprobackupFixture(name))!;
      await copyAndCompare(store, fixture, fixtureBackupIds(fixture).at(-1)!);
    });
  }
});

Deno.test("A chain is copied to a server, encrypted, and from there into another datastore", async () => {
  const fixture = (await pgprobackupFixture("a-stream-none"))!;
  await using served = await ServedStore.start();
  await using local = await PbsStore.create();
  const key = local.home.join("key");
  await local.must(["key", "create", key, "--kdf", "none"]);
  const [login, port, store] = served.repository.split(":");
  const place = `pbs://${login}:${port}/${store}`;
  const { password, fingerprint } = served.secrets;
  const env = { PBS_PASSWORD: password, PBS_FINGERPRINT: fingerprint };
  const [first, second] = fixtureBackupIds(fixture);
  const all = ["--keyfile", key];
  const one = await copy(`${fixture.catalog}#main/${first}`, `${place}#host/db`, all, env);
  const two = await copy(`${fixture.catalog}#main/${second}`, `${place}#host/db`, all, env);
  assert.ok(two.new_bytes < one.new_bytes);
  // Unchanged files are known by the last snapshot, and the whole of it when it is copied there.
  const again = await copy(`${place}#host/db/latest/root.pxar`, `${place}#host/again`, all, env);
  assert.ok(again.new_chunks <= 3, `${again.new_chunks}`);
  const plain = ["--keyfile", key, "--crypt-mode", "none"];
  const back = await copy(
    `${place}#host/again/latest/root.pxar`,
    `${local.path}#host/db`,
    plain,
    env,
  );
  const target = local.home.join("restored");
  await local.must(["restore", back.snapshot, "root.pxar", target]);
  compareWithManifest(target, fixture, second!);
});

Deno.test("An archive is on stable storage before it has its name, its payload first", async () => {
  using home = new TempDirectory("copy-order");
  const [tree, disk] = [home.join("tree"), home.join("disk")];
  for (const path of [tree, disk]) Deno.mkdirSync(path);
  Deno.writeTextFileSync(`${tree}/file`, "content");
  const mount = { workerUrl: workerModule("order_worker.ts"), workers: 1, description: disk };
  await withMount(mount, async ({ path, sh }) => {
    await copy(tree, `${path}/x.mpxar`, ["--overwrite"]);
    const steps = await sh("getfattr --only-values -n user.test.order .");
    assert.deepEqual(steps.split("\n"), [
      "write",
      ...["x.ppxar", "x.mpxar"].flatMap((name) => ["fsync", `rename to ${name}`, "fsyncdir"]),
    ]);
  });
});

Deno.test("A copy that is killed or interrupted at any time leaves nothing, and the next one works", async () => {
  const fixture = (await pgprobackupFixture("c-stream-pglz"))!;
  await using store = await PbsStore.create();
  const source = `${fixture.catalog}#main/latest`;
  const archive = store.home.join("x.mpxar");
  const targets = [`${store.path}#host/db`, archive];
  const begin = performance.now();
  await copy(source, `${store.path}#host/other`);
  const durationMs = performance.now() - begin;
  for (const [round, signal] of (["SIGKILL", "SIGINT", "SIGKILL", "SIGTERM"] as const).entries()) {
    for (const target of targets) {
      const running = new RunningCommand(pbkfsCommand(["copy", source, target]));
      await new Promise((resolve) => setTimeout(resolve, durationMs * (round + 0.5) / 4));
      running.signalGroup(signal);
      const { code } = await running.ended;
      const files = [...Deno.readDirSync(store.home.path)].map(({ name }) => name).sort();
      const snapshot = await lastOf(store);
      // It may have been faster, also than a signal that comes before its process has ended. Then
      // it is whole.
      if (target === archive && files.length > 0) {
        assert.deepEqual(files, ["x.mpxar", "x.ppxar"]);
        assert.equal((await run(["pxar", "verify", archive])).code, 0);
        for (const name of files) Deno.removeSync(store.home.join(name));
      } else if (target !== archive && snapshot !== "") {
        await store.must(["verify", snapshot]);
        await store.must(["snapshot", "forget", snapshot]);
      } else {
        assert.deepEqual([files, snapshot], [[], ""]);
        assert.notEqual(code, 0);
      }
    }
  }
  const { snapshot } = await copy(source, targets[0]!);
  await store.must(["verify", snapshot]);
  await copy(source, archive);
  const compared = await run(["pxar", "diff", archive, archive]);
  assert.equal(compared.code, 0);
});

/** The last finished snapshot of the group that is copied to; empty for none. */
async function lastOf(store: PbsStore): Promise<string> {
  const list = JSON.parse(await store.must(["snapshot", "list", "--format", "json"]));
  const found = list.filter((each: Record<string, unknown>) =>
    each["backup-id"] === "db" && each["size"] !== undefined && each["size"] !== null
  );
  if (found.length === 0) return "";
  const time = new Date(found[0]["backup-time"] * 1000).toISOString().replace(".000Z", "Z");
  return `host/db/${time}`;
}

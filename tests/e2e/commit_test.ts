/**
 * `pbkfs commit`: a diff directory as a snapshot of the datastore that it was made over.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { PostgresServer, SERVER_USER } from "#tests/support/postgres.ts";
import { runCommand, RunningCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { PbsStore } from "./_pbs_store.ts";
import { ServedStore } from "./_served_store.ts";
import { mountCommand, WritableMount } from "./_writable_mount.ts";

const TIMEOUT_MS = 300_000;
const KILLS = 6;
const OWNER = Deno.uid() === 0 ? ["--owner", SERVER_USER] : [];

interface Summary {
  readonly snapshot: string;
  readonly bytes: number;
  readonly new_bytes: number;
  readonly new_chunks: number;
  readonly archives: readonly {
    readonly reuse?: { readonly read_bytes: number; readonly reused_bytes: number };
  }[];
}

async function pbkfs(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Summary> {
  const { code, stdout, stderr } = await runCommand(pbkfsCommand([...args, "--format", "json"]), {
    timeoutMs: TIMEOUT_MS,
    check: false,
    env: { XDG_CONFIG_HOME: "/no-such-place", ...env },
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("PostgreSQL starts on what was committed, and a second commit adds what changed since", async () => {
  const fixture = (await pgprobackupFixture("a-stream-none"))!;
  await using store = await PbsStore.create();
  const first = await pbkfs(["copy", `${fixture.catalog}#main/latest`, `${store.path}#host/db`]);
  const target = `${store.path}#host/db`;
  const count = "select count(*), sum(abalance) from pgbench_accounts";
  {
    await using place = new WritableMount(mountCommand(store, first.snapshot));
    await place.mustMount(OWNER);
    const run = async (sql: string) => {
      const server = await PostgresServer.start({ version: 15, dataDirectory: place.root });
      try {
        return await server.sql(sql);
      } finally {
        await server.stop();
      }
    };
    const change = "create table committed as select generate_series(1, 1000) as n;" +
      "update pgbench_accounts set abalance = 7 where aid <= 100;" + count;
    const changed = await run(change);
    await place.mustUnmount();
    const one = await pbkfs(["commit", place.diff, target]);
    assert.notEqual(one.snapshot, first.snapshot);
    assert.ok(one.new_bytes < first.new_bytes, `${one.new_bytes} of ${first.new_bytes}`);
    // Nothing has changed since then but the time.
    const same = await pbkfs(["commit", place.diff, target]);
    assert.ok(same.new_chunks <= 3, `${same.new_chunks}`);
    await place.mustMount(OWNER);
    assert.equal(await run(`insert into committed values (0); ${count}`), changed);
    await place.mustUnmount();
    const two = await pbkfs(["commit", place.diff, target]);
    assert.ok(two.new_bytes < one.new_bytes, `${two.new_bytes} of ${one.new_bytes}`);
    await using again = new WritableMount(mountCommand(store, two.snapshot));
    await again.mustMount(OWNER);
    const server = await PostgresServer.start({ version: 15, dataDirectory: again.root });
    try {
      assert.equal(await server.sql("select count(*) from committed"), "1001\n");
      assert.equal(await server.sql(count), changed);
    } finally {
      await server.stop();
    }
    await again.mustUnmount();
    await store.must(["verify", two.snapshot]);
  }
  await store.check();
});

/** Directories of large files, some of whose blocks are changed. */
const MAKE = `mkdir tree; cd tree; mkdir a b; head -c 20M /dev/urandom >a/big
  head -c 12M /dev/urandom >b/cut; head -c 12M /dev/urandom >b/grown; head -c 9M /dev/urandom >b/z
  for i in $(seq 200); do head -c 30000 /dev/urandom >a/s$i; done`;
const CHANGE = `
  printf X | dd of=a/big bs=1 seek=10000000 conv=notrunc 2>/dev/null
  truncate -s 7000000 b/cut; echo more >>b/grown; echo new >b/new; rm a/s7; mv a/s9 b/y; chmod 600 a/s1*`;

/** What must be there again. */
const LIST = `find . -type f -printf '%m %p\\n' | sort; find . -type f | sort | xargs sha256sum`;

for (const [title, whole] of [["in blocks", "0"], ["copied whole", "1024"]] as const) {
  Deno.test(`A commit of files changed ${title} stores and reads little but the change`, async () => {
    await using store = await PbsStore.create();
    const { home } = store;
    await runCommand(["bash", "-ec", `cd "$1"; ${MAKE}`, "bash", home.path], {
      timeoutMs: TIMEOUT_MS,
    });
    const target = `${store.path}#host/x`;
    const first = await pbkfs(["copy", home.join("tree"), target, "--chunk-size", "1024"]);
    const name = `${store.path}#${first.snapshot}/root.pxar`;
    await using place = new WritableMount(["mount", "--wait", name]);
    await place.mustMount(["--whole-copies", whole]);
    await place.out(CHANGE);
    const expected = await place.out(LIST);
    await place.mustUnmount();
    const options = ["--chunk-size", "1024"];
    const one = await pbkfs(["commit", place.diff, target, ...options]);
    const { read_bytes: readBytes } = one.archives[0]!.reuse!;
    assert.ok(one.new_bytes < first.bytes / 3, `${one.new_bytes} of ${first.bytes}`);
    assert.ok(readBytes < first.bytes / 2, `${readBytes} of ${first.bytes}`);
    const again = await pbkfs(["commit", place.diff, target, ...options]);
    assert.ok(again.new_chunks <= 3, `${again.new_chunks}`);
    const restored = home.join("restored");
    await store.must(["restore", again.snapshot, "root.pxar", restored]);
    const { stdout } = await runCommand(
      ["bash", "-ec", `cd "$1"; ${LIST}`, "bash", restored],
      { timeoutMs: TIMEOUT_MS },
    );
    assert.equal(stdout, expected);
    await store.must(["verify", again.snapshot]);
    await store.check();
    // Into another datastore, as an archive, over a mount, and what is none.
    const archive = await runCommand(
      pbkfsCommand(["commit", `diff:${place.diff}`, home.join("x.mpxar")]),
      { timeoutMs: TIMEOUT_MS, check: false },
    );
    assert.equal(archive.code, 0, archive.stderr);
    const refused = await runCommand(pbkfsCommand(["commit", home.join("tree"), target]), {
      timeoutMs: TIMEOUT_MS,
      check: false,
    });
    assert.notEqual(refused.code, 0);
    await place.mustMount();
    const busy = await runCommand(pbkfsCommand(["commit", place.diff, target]), {
      timeoutMs: TIMEOUT_MS,
      check: false,
    });
    assert.equal(busy.code, 1, busy.stderr);
    if (whole !== "0") return await place.mustUnmount();
    await place.out("head -c 8M /dev/urandom >more; printf X >>b/z; sha256sum more");
    await place.mustUnmount();
    if (Deno.uid() === 0) await refuseFullDisk(place.diff, store);
    await survivesKills(place.diff, store);
    const { snapshot, new_bytes: newBytes } = await pbkfs(["commit", place.diff, target]);
    assert.ok(newBytes < 20 << 20, `${newBytes}`);
    await store.must(["verify", snapshot]);
    await place.mustMount();
    await place.mustUnmount();
  });
}

/** Files in a datastore but for its locks, and archives beside it. */
async function filesOf({ path, home }: PbsStore): Promise<string> {
  const script = 'cd "$1"; find . "$2"/*pxar* -type f -not -name "*lock*" | sort';
  const find = ["bash", "-c", script, "bash", dirname(path), home.path];
  return (await runCommand(find, { timeoutMs: TIMEOUT_MS })).stdout;
}

/** Where there is no space, nothing is written: neither into a datastore nor into an archive. */
async function refuseFullDisk(diff: string, store: PbsStore): Promise<void> {
  const disk = dirname(store.path);
  const resize = async (size: string) => {
    await runCommand(["mount", "-o", `remount,size=${size}`, disk], { timeoutMs: TIMEOUT_MS });
  };
  const before = await filesOf(store);
  const df = await runCommand(["df", "--output=used", disk], { timeoutMs: TIMEOUT_MS });
  await resize(`${Number(df.stdout.split("\n")[1]) + 256}k`);
  for (const target of [`${store.path}#host/x`, `${disk}/full.mpxar`]) {
    const command = pbkfsCommand(["commit", diff, target, "--format", "json"]);
    const { code, stderr } = await runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
    assert.match(stderr, /ENOSPC/);
    assert.equal(code, 1);
    assert.equal(await filesOf(store), before, target);
  }
  await resize("512m");
}

/** Whatever moment a commit is killed at, there is a whole snapshot or archive, or none. */
async function survivesKills(diff: string, store: PbsStore): Promise<void> {
  const random = new Random(20261130);
  const targets = [`${store.path}#host/x`, store.home.join("killed.mpxar")];
  let snapshotsMax = await countSnapshots(store);
  for (let round = 0; round < KILLS; round++) {
    const target = targets[round % 2]!;
    const command = pbkfsCommand(["commit", diff, target, "--overwrite"]);
    const running = new RunningCommand(command);
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 700)));
    running.signalGroup(round % 3 === 2 ? "SIGINT" : "SIGKILL");
    await running.ended;
    if (target === targets[0]) snapshotsMax++;
  }
  assert.ok(await countSnapshots(store) <= snapshotsMax);
  assert.doesNotMatch(await filesOf(store), /\/\.[^/]*$/m, "files without a name");
  if ((await filesOf(store)).includes(targets[1]!)) {
    const check = pbkfsCommand(["check", targets[1]!]);
    await runCommand(check, { timeoutMs: TIMEOUT_MS });
  }
  await store.must(["verify"]);
}

/** Those that are finished. */
async function countSnapshots(store: PbsStore): Promise<number> {
  const list = JSON.parse(await store.must(["snapshot", "list", "--format", "json"]));
  return list.filter(({ size }: { size: unknown }) => typeof size === "number").length;
}

Deno.test("A diff over a snapshot of a server is committed there, with its key", async () => {
  await using served = await ServedStore.start();
  await using local = await PbsStore.create();
  const { home } = local;
  const key = home.join("key");
  await local.must(["key", "create", key, "--kdf", "none"]);
  await runCommand(["bash", "-ec", `cd "$1"; ${MAKE}`, "bash", home.path], {
    timeoutMs: TIMEOUT_MS,
  });
  const { password, fingerprint } = served.secrets;
  const env = { PBS_PASSWORD: password, PBS_FINGERPRINT: fingerprint };
  const target = `pbs:${served.repository}#host/x`;
  const options = ["--keyfile", key, "--chunk-size", "1024"];
  const first = await pbkfs(["copy", home.join("tree"), target, ...options], env);
  const mount = ["mount", "--wait", `${target}/latest/root.pxar`];
  await using place = new WritableMount(mount);
  const all = { timeoutMs: TIMEOUT_MS, check: false, env };
  const mounted = await runCommand(
    pbkfsCommand([...mount, place.root, "--diff-dir", place.diff, "--keyfile", key]),
    all,
  );
  assert.equal(mounted.code, 0, mounted.stderr);
  await place.out(CHANGE);
  const expected = await place.out(LIST);
  await place.mustUnmount();
  const one = await pbkfs(["commit", place.diff, target, ...options], env);
  assert.ok(one.new_bytes < first.bytes / 3, `${one.new_bytes} of ${first.bytes}`);
  const restored = home.join("restored");
  await served.must(["restore", one.snapshot, "root.pxar", restored, "--keyfile", key]);
  const { stdout } = await runCommand(
    ["bash", "-ec", `cd "$1"; ${LIST}`, "bash", restored],
    { timeoutMs: TIMEOUT_MS },
  );
  assert.equal(stdout, expected);
});

/**
 * PostgreSQL on `pbkfs mount SOURCE MOUNTPOINT` of every kind: it starts, works, outlives the death
 * of the worker, and leaves the source as it is.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { AcknowledgedInserts } from "#tests/support/acknowledged_inserts.ts";
import {
  assertPagesSound,
  assertPgbenchBalanced,
  runPgbench,
} from "#tests/support/cluster_checks.ts";
import { buildDirectoryCatalog } from "#tests/support/directory_catalog.ts";
import { bash } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import {
  initializeCluster,
  PostgresServer,
  SERVER_USER,
  serverHome,
} from "#tests/support/postgres.ts";
import { runCommand, waitUntil } from "#tests/support/process.ts";
import { walkManifest } from "#tests/support/tree_manifest.ts";
import type { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";
import { PbsStore } from "./_pbs_store.ts";
import { ServedStore } from "./_served_store.ts";

const VERSION = 15;
const IS_ROOT = Deno.uid() === 0;
const LOAD_SECONDS = 1;

/** A mount of one source with a diff directory. */
class Mounted {
  readonly root: string;
  readonly diff: string;

  constructor(
    home: TempDirectory,
    name: string,
    readonly source: string,
    readonly env: Readonly<Record<string, string>> = {},
  ) {
    this.root = home.join(`mnt-${name}`);
    this.diff = home.join(`diff-${name}`);
    Deno.mkdirSync(this.root);
  }

  readonly run = async (args: readonly string[]): Promise<void> => {
    const options = { timeoutMs: 120_000, check: false, env: this.env };
    const { code, stdout, stderr } = await runCommand(pbkfsCommand(args), options);
    assert.equal(stderr, "");
    assert.equal(code, 0, stdout);
  };

  mount(options: readonly string[] = []): Promise<void> {
    return this.run([
      "mount",
      "--wait",
      this.source,
      this.root,
      "--diff-dir",
      this.diff,
      ...options,
    ]);
  }

  /** The diff directory knows what it lies over. */
  mountAgain(): Promise<void> {
    return this.run(["mount", "--wait", "--diff-dir", this.diff, this.root]);
  }

  unmount(): Promise<void> {
    return this.run(["unmount", "-D", this.root]);
  }

  async killWorker(): Promise<void> {
    const { pid } = findLockHolder(this.diff)!;
    Deno.kill(pid!, "SIGKILL");
    await waitUntil(() => findLockHolder(this.diff) === undefined, 20_000, () => "the lock");
  }

  /** Ends it however far it is. */
  async end(): Promise<void> {
    await pbkfs(["unmount", "-D", this.root, "--force"]);
  }
}

/** A server that works until the worker is killed, and one that finds all it has acknowledged. */
async function exercise(
  mounted: Mounted,
  look: (server: PostgresServer) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  try {
    await mounted.mount(["--config", "work_mem=7MB", "--owner", SERVER_USER]);
    const first = await start(mounted.root);
    let last = 0;
    try {
      assert.equal(await first.sql("show work_mem"), "7MB\n");
      assert.equal(await first.sql("select sum(n) from before"), "500500\n");
      await look(first);
      await runPgbench(first, LOAD_SECONDS);
      const inserts = await AcknowledgedInserts.start(first);
      await waitUntil(() => inserts.last > 50, 60_000, () => "inserts");
      await mounted.killWorker();
      last = await inserts.end();
    } finally {
      await first.kill();
    }
    await mounted.mountAgain();
    const second = await start(mounted.root);
    try {
      await AcknowledgedInserts.assertKept(second, last);
      await runPgbench(second, LOAD_SECONDS);
      await assertPgbenchBalanced(second);
      await second.stop();
      await assertPagesSound(second);
    } finally {
      await second.kill();
    }
    await mounted.unmount();
  } finally {
    await mounted.end();
  }
}

/** A server on what was committed after {@link exercise}. */
async function readCommitted(mounted: Mounted): Promise<void> {
  try {
    await mounted.mount();
    const server = await start(mounted.root);
    try {
      assert.equal(await server.sql("select sum(n) from before"), "500500\n");
      assert.notEqual(await server.sql("select count(*) from pgbench_history"), "0\n");
      await assertPgbenchBalanced(server);
      await server.stop();
    } finally {
      await server.kill();
    }
    await assertPagesSound(server);
    await mounted.unmount();
  } finally {
    await mounted.end();
  }
}

function start(dataDirectory: string): Promise<PostgresServer> {
  return PostgresServer.start({ version: VERSION, dataDirectory });
}

/** A stopped cluster with something in it. */
async function makeCluster(path: string): Promise<void> {
  await initializeCluster(VERSION, path);
  const server = await start(path);
  try {
    await server.sql("create table before as select generate_series(1, 1000) n");
    await server.stop();
  } finally {
    await server.kill();
  }
}

/** Everything about the files of a directory that a write would change. */
function describe(path: string): Promise<string> {
  return bash(`cd "$1"; find . -printf '%P %y %m %U %s %T@ %i\\n' | sort`, path);
}

Deno.test({
  name: "PostgreSQL works on a source of every kind, outlives a kill of the worker, and leaves it",
  ignore: !IS_ROOT,
  async fn(t) {
    using home = serverHome("sources-pg");
    const data = home.join("data");
    await makeCluster(data);
    const before = await describe(data);
    await using store = await PbsStore.create();
    await store.backup([`pg.pxar:${data}`, "--backup-id", "pg"]);
    await using served = await ServedStore.start();
    await served.must(["backup", `pg.pxar:${data}`, "--backup-id", "pg"]);
    const create = async (args: readonly string[]) => {
      const { code, stderr } = await pbkfs(["pxar", "create", ...args]);
      assert.equal(code, 0, stderr);
    };
    await create([home.join("pg.pxar"), data]);
    await create([home.join("split.mpxar"), data, "--payload-output", home.join("split.ppxar")]);
    // What is not compressed is the subject of the other test.
    await bash('tar -cf - -C "$1" . | gzip -1 >"$2"', data, home.join("pg.tar.gz"));
    buildDirectoryCatalog(home.join("catalog"), data);
    const sources: Record<string, string> = {
      "compressed tar archive": home.join("pg.tar.gz"),
      chain: `${home.join("catalog")}#directory/latest`,
      directory: data,
      archive: home.join("pg.pxar"),
      "split archive": home.join("split.mpxar"),
      snapshot: `${store.path}#host/pg/latest/pg.pxar`,
      "snapshot on a server": `pbs:${served.repository}#host/pg/latest/pg.pxar`,
    };
    const mounts = new Map<string, Mounted>();
    for (const [name, source] of Object.entries(sources)) {
      await t.step(name, async () => {
        const place = name.replaceAll(" ", "-");
        const mounted = new Mounted(home, place, source, served.environment);
        mounts.set(name, mounted);
        await exercise(mounted);
      });
    }
    await t.step("what was written over a chain, committed into a datastore", async () => {
      const { diff, run } = mounts.get("chain")!;
      await run(["commit", diff, `${store.path}#host/committed`]);
      await run(["diff", `diff:${diff}`, `${store.path}#host/committed/latest/root.pxar`]);
    });
    await t.step("what was written over a snapshot of a server, committed there", async () => {
      const { diff, run, env } = mounts.get("snapshot on a server")!;
      const target = `pbs:${served.repository}#host/pg`;
      await run(["commit", diff, `${target}/pg.pxar`]);
      await readCommitted(new Mounted(home, "committed", `${target}/latest/pg.pxar`, env));
    });
    assert.equal(await describe(data), before);
    await store.must(["verify"]);
  },
});

Deno.test({
  name:
    "PostgreSQL works on what pg_basebackup -Ft has written, tablespaces and WAL in their places",
  ignore: !IS_ROOT,
  async fn() {
    using home = serverHome("sources-ft");
    const data = home.join("data");
    const space = home.join("space");
    await initializeCluster(VERSION, data);
    await bash('mkdir -m 700 "$1"; chown "$2" "$1"', space, SERVER_USER);
    const server = await start(data);
    let oid = "";
    try {
      await server.sql(`create table before as select generate_series(1, 1000) n`);
      await server.sql(`create tablespace away location '${space}'`);
      await server.sql("create table spaced tablespace away as select generate_series(1, 100) n");
      await server.sql("create database former tablespace away");
      await server.sql("alter database former rename to left_out");
      oid = await server.sql("select oid from pg_database where datname = 'left_out'");
      await server.client("pg_basebackup", ["-Ft", "-D", home.join("base")], 120_000);
    } finally {
      await server.kill();
    }
    const names = [...Deno.readDirSync(home.join("base"))].map(({ name }) => name).sort();
    assert.match(names.join(), /^\d+\.tar,backup_manifest,base\.tar,pg_wal\.tar$/);
    const before = await describe(space);
    const mounted = new Mounted(home, "set", home.join("base"));
    await exercise(mounted, async (server) => {
      assert.equal(await server.sql("select sum(n) from spaced"), "5050\n");
      await server.sql("update spaced set n = n + 1");
    });
    await restoreSet(home, space, oid.trim());
    assert.equal(await describe(space), before, "the original's tablespace is left alone");
  },
});

/** The set, and the diff directory over it, restored with the tablespace elsewhere. */
async function restoreSet(home: TempDirectory, space: string, oid: string): Promise<void> {
  const restore = async (source: string, name: string, ...options: string[]) => {
    const [target, away] = [home.join(name), home.join(`${name}-space`)];
    for (const path of [target, away]) await bash('mkdir "$1"; chown "$2" "$1"', path, SERVER_USER);
    const words = options.map((option) => option.replace("AWAY", away));
    // Numbers of owners in `pg_wal.tar` are nobody's.
    words.push("--owner", SERVER_USER);
    const { code, stderr } = await pbkfs(["restore", source, target, ...words]);
    return { target, away, code, stderr };
  };
  const set = home.join("base");
  const unsure = await restore(set, "unsure", "-T", `${space}=AWAY`, "--exclude-db", "left_out");
  assert.equal(unsure.code, 2);
  assert.ok(unsure.stderr.includes(`left_out (${oid})`), unsure.stderr);
  const ask = "select sum(n) from spaced";
  const first = await restore(set, "first", "-T", `${space}=AWAY`, "--exclude-db", oid);
  assert.equal(first.stderr, "");
  const sizes = [...walkManifest(first.away)].filter(({ type }) => type === "file")
    .map(({ path, size }) => [path.split("/")[1] === oid, size === 0]);
  assert.ok(sizes.some(([isLeftOut]) => isLeftOut));
  assert.ok(sizes.every(([isLeftOut, isEmpty]) => !isLeftOut || isEmpty));
  const [[number]] = [...Deno.readDirSync(`${first.target}/pg_tblspc`)].map(({ name }) => [name]);
  const second = await restore(home.join("diff-set"), "second", "-T", `${number}=AWAY`);
  assert.equal(second.stderr, "");
  for (const [{ target, away }, sum] of [[first, "5050\n"], [second, "5150\n"]] as const) {
    assert.equal(Deno.readLinkSync(`${target}/pg_tblspc/${number}`), away);
    assert.throws(() => Deno.statSync(`${target}/.pbkfs`), Deno.errors.NotFound);
    const server = await start(target);
    try {
      assert.equal(await server.sql(ask), sum);
    } finally {
      await server.kill();
    }
  }
}

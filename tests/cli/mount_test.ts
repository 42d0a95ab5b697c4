/**
 * Real mounts, made and ended by the program itself. Left out where there is no FUSE device.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { kill, open, OpenFlag, umount } from "#src/io/host.ts";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { isMounted } from "#src/mount/mod.ts";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { program, type ProgramOptions, type ProgramResult, runProgram } from "./_program.ts";

const HAS_FUSE = open("/dev/fuse", OpenFlag.RDWR) >= 0;
const SIGKILL = 9;
const LAST_ID = "TOTXQL";

/** A mount point and a diff directory; whatever is mounted at the end is taken down. */
class MountPlace {
  readonly directory = new TempDirectory("mount");
  readonly mnt = this.directory.join("mnt");
  readonly diff = this.directory.join("diff");

  constructor(readonly catalog: string) {
    Deno.mkdirSync(this.mnt);
  }

  /** Arguments that name store, mount point and diff directory. */
  get places(): string[] {
    return ["-B", this.catalog, "-D", this.mnt, "-d", this.diff];
  }

  /** Mounts the last backup of the fixture. */
  mount(args: readonly string[] = ["--wait"], options?: ProgramOptions): Promise<ProgramResult> {
    return runProgram(["mount", ...this.places, "-I", "main", "-i", LAST_ID, ...args], options);
  }

  async mustMount(args: readonly string[] = []): Promise<void> {
    const { code, stderr } = await this.mount(["--wait", ...args]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  }

  unmount(args: readonly string[] = []): Promise<ProgramResult> {
    return runProgram(["unmount", "-D", this.mnt, ...args]);
  }

  async mustUnmount(args: readonly string[] = []): Promise<void> {
    const { code, stderr } = await this.unmount(args);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.ok(!isMounted(this.mnt));
    assert.equal(findLockHolder(this.diff), undefined);
  }

  /** Runs a shell command with the mount as working directory, in a process of its own. */
  async shell(script: string): Promise<string> {
    const { stdout, stderr, success } = await new Deno.Command("sh", {
      args: ["-c", `cd "$0" && ${script}`, this.mnt],
    }).output();
    const decoder = new TextDecoder();
    assert.ok(success, decoder.decode(stderr));
    return decoder.decode(stdout);
  }

  get workerPid(): number {
    return findLockHolder(this.diff)!.pid!;
  }

  get binding(): Record<string, unknown> {
    return JSON.parse(Deno.readTextFileSync(`${this.diff}/.pbkfs-binding.json`));
  }

  get log(): string {
    return Deno.readTextFileSync(`${this.diff}/data/.pbkfs/pbkfs.log`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = findLockHolder(this.diff)?.pid;
    if (pid !== undefined) kill(pid, SIGKILL);
    await waitUntil(
      () => findLockHolder(this.diff) === undefined,
      10_000,
      () => `worker ${pid} lives`,
      10,
    );
    while (isMounted(this.mnt)) umount(this.mnt, 2);
    this.directory[Symbol.dispose]();
  }
}

function mountTest(name: string, run: (place: MountPlace) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !HAS_FUSE,
    fn: async () => {
      const fixture = await pgprobackupFixture("a-stream-none");
      assert.ok(fixture !== undefined);
      await using place = new MountPlace(fixture.catalog);
      await run(place);
    },
  });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

mountTest("pbkfs mount --wait returns when the mount answers", async (place) => {
  await place.mustMount();
  assert.equal(await place.shell("cat PG_VERSION"), "15\n");
  const record = JSON.parse(await place.shell("cat .pbkfs/worker.pid"));
  assert.deepEqual(record, { pid: place.workerPid, diff_dir: place.diff });
  assert.match(await place.shell("cat .pbkfs/pbkfs.log"), /INFO mount: mounted mnt=/);
  assert.equal(JSON.parse(await place.shell("cat .pbkfs/stat")).pid, place.workerPid);
  assert.equal(place.binding["state"], "Active");
  await place.mustUnmount();
  assert.equal(place.binding["state"], "Released");
  assert.ok(!exists(`${place.diff}/data/.pbkfs/worker.pid`));
  assert.ok(!exists(`${place.diff}/data/.pbkfs/stat`));
  assert.ok(!exists(`${place.diff}/.pbkfs-lock`));
  assert.match(place.log, /INFO mount: unmounted/);
});

mountTest("pbkfs mount names instance and backup in the mount table", async (place) => {
  await place.mustMount();
  const { stdout } = await new Deno.Command("findmnt", {
    args: ["-n", "-o", "SOURCE,FSTYPE,OPTIONS", place.mnt],
  }).output();
  const line = new TextDecoder().decode(stdout);
  assert.match(line, new RegExp(`^pbkfs:main/${LAST_ID} +fuse\\.pbkfs `));
  assert.match(line, /default_permissions/);
  assert.match(line, /allow_other/);
});

mountTest(
  "pbkfs mount puts the worker into a session of its own, away from everything",
  async (place) => {
    await place.mustMount();
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "sid=,tty=", "-p", String(place.workerPid)],
    }).output();
    assert.match(new TextDecoder().decode(stdout), new RegExp(`^ *${place.workerPid} +\\?`));
    const { stdout: links } = await new Deno.Command("sh", {
      args: ["-c", `readlink /proc/${place.workerPid}/cwd /proc/${place.workerPid}/fd/[012]`],
    }).output();
    assert.deepEqual(new TextDecoder().decode(links).trim().split("\n"), [
      "/",
      "/dev/null",
      "/dev/null",
      `${place.diff}/data/.pbkfs/pbkfs.log`,
    ]);
  },
);

mountTest("pbkfs mount without --wait returns after the checks", async (place) => {
  const { code } = await place.mount([]);
  assert.equal(code, 0);
  await waitUntil(() => isMounted(place.mnt), 10_000, () => "not mounted");
});

mountTest("pbkfs mount without --wait reports what the checks find", async (place) => {
  const { code, stderr } = await runProgram(
    ["mount", ...place.places, "-I", "main", "-i", "ZZZZZZ"],
  );
  assert.equal(code, 1);
  assert.match(stderr, /^pbkfs error: Cannot find backup ZZZZZZ/);
  assert.ok(!exists(place.diff));
});

mountTest("pbkfs mount remounts a diff directory without instance and backup", async (place) => {
  const fresh = await runProgram(["mount", ...place.places, "--wait"]);
  assert.equal(fresh.code, 2);
  assert.match(fresh.stderr, /instance is required/);
  await place.mustMount(["--owner", "65534"]);
  await place.shell(
    "echo new >made && mkdir made.d && echo changed >PG_VERSION && rm backup_label",
  );
  await place.mustUnmount();
  const again = await runProgram(["mount", ...place.places, "--wait"]);
  assert.equal(again.code, 0, again.stderr);
  assert.equal(await place.shell("cat made PG_VERSION"), "new\nchanged\n");
  assert.equal(await place.shell("ls -d backup_label made.d 2>/dev/null || true"), "made.d\n");
  assert.equal(await place.shell("stat -c %u . base"), "65534\n65534\n");
});

mountTest("pbkfs mount refuses what a diff directory is not bound to", async (place) => {
  await place.mustMount();
  await place.mustUnmount();
  const { code, stderr } = await runProgram(
    ["mount", ...place.places, "-I", "main", "-i", "TOTXMX", "--wait", "--format", "json"],
  );
  assert.equal(code, 1);
  assert.equal(JSON.parse(stderr).code, "bound-elsewhere");
});

mountTest("pbkfs mount refuses a diff directory in use", async (place) => {
  await place.mustMount();
  const other = place.directory.join("other");
  Deno.mkdirSync(other);
  const { code, stderr } = await runProgram(
    ["mount", "-B", place.catalog, "-D", other, "-d", place.diff, "--wait"],
  );
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`already in use by process ${place.workerPid}`));
  const cleanup = await runProgram(["cleanup", "-d", place.diff]);
  assert.equal(cleanup.code, 1);
  assert.match(cleanup.stderr, /Cleanup blocked: diff directory in use by process/);
});

mountTest("pbkfs mount refuses mount points that cannot be used", async (place) => {
  Deno.writeTextFileSync(`${place.mnt}/file`, "");
  assert.match((await place.mount()).stderr, /not empty/);
  Deno.removeSync(place.mnt, { recursive: true });
  assert.match((await place.mount()).stderr, /does not exist/);
  Deno.writeTextFileSync(place.mnt, "");
  assert.match((await place.mount()).stderr, /not a directory/);
  Deno.removeSync(place.mnt);
  Deno.mkdirSync(place.mnt);
  await place.mustMount();
  const second = await runProgram(
    ["mount", "-B", place.catalog, "-D", place.mnt, "-d", place.directory.join("diff2"), "-I"]
      .concat("main", "-i", LAST_ID, "--wait"),
  );
  assert.equal(second.code, 1);
  assert.match(second.stderr, /already mounted/);
});

mountTest("pbkfs mount --timeout reports a mount in progress and lets it go on", async (place) => {
  const { code, stderr } = await place.mount(["--timeout", "0.001"]);
  assert.equal(code, 1);
  assert.match(stderr, /^pbkfs error: mount still in progress/);
  await waitUntil(() => isMounted(place.mnt), 10_000, () => "not mounted");
  await place.mustUnmount();
});

mountTest("pbkfs mount --format json prints one object", async (place) => {
  const { stdout } = await place.mount(["--wait", "--format", "json"]);
  assert.deepEqual(JSON.parse(stdout), {
    type: "summary",
    state: "mounted",
    pid: place.workerPid,
    mnt_path: place.mnt,
  });
});

mountTest("pbkfs unmount refuses a mount in use until it is forced", async (place) => {
  await place.mustMount();
  const user = new RunningCommand(["sleep", "60"], { cwd: place.mnt });
  try {
    const busy = await place.unmount();
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, /^pbkfs error: target is busy: /);
    assert.ok(isMounted(place.mnt));
    await place.mustUnmount(["--force"]);
    assert.ok(!exists(`${place.diff}/data/.pbkfs/worker.pid`));
  } finally {
    user.signalGroup("SIGKILL");
    await user.wait(10_000);
  }
});

mountTest("pbkfs unmount says that nothing is mounted", async (place) => {
  const { code, stderr } = await place.unmount();
  assert.equal(code, 1);
  assert.equal(stderr, `pbkfs error: target is not mounted: ${place.mnt}\n`);
  const stat = await runProgram(["stat", "-D", place.mnt, "--format", "json"]);
  assert.equal(stat.code, 1);
  assert.equal(JSON.parse(stat.stderr).code, "not-mounted");
});

mountTest("pbkfs unmount repairs the mount point of a killed worker", async (place) => {
  await place.mustMount();
  kill(place.workerPid, SIGKILL);
  await waitUntil(() => findLockHolder(place.diff) === undefined, 10_000, () => "still locked");
  const stat = await runProgram(["stat", "-D", place.mnt]);
  assert.equal(stat.code, 1);
  assert.match(stat.stderr, /mount process not running/);
  await place.mustUnmount();
  await place.mustMount();
});

mountTest("pbkfs mount repairs the mount point of a killed worker", async (place) => {
  await place.mustMount();
  await place.shell("echo kept >file && sync file");
  kill(place.workerPid, SIGKILL);
  await waitUntil(() => findLockHolder(place.diff) === undefined, 10_000, () => "still locked");
  await place.mustMount();
  assert.equal(await place.shell("cat file"), "kept\n");
  assert.match(place.log, /WARN mount: dead mount removed/);
});

mountTest("pbkfs mount ends cleanly when it is unmounted by others", async (place) => {
  await place.mustMount();
  assert.equal(umount(place.mnt), 0);
  await waitUntil(() => findLockHolder(place.diff) === undefined, 10_000, () => "worker lives");
  assert.equal(place.binding["state"], "Released");
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  mountTest(`pbkfs mount --console unmounts on ${signal}`, async (place) => {
    const args = ["mount", ...place.places, "-I", "main", "-i", LAST_ID, "--console"];
    const child = program(args).spawn();
    await waitUntil(() => isMounted(place.mnt), 10_000, () => "not mounted");
    await waitUntil(() => exists(`${place.diff}/data/.pbkfs/stat`), 10_000, () => "not served");
    // A closed terminal does not matter.
    child.kill("SIGHUP");
    child.kill(signal);
    const { code, stderr } = await child.output();
    assert.equal(code, 0);
    const log = new TextDecoder().decode(stderr);
    assert.match(log, /INFO mount: mounted /);
    assert.match(log, /INFO mount: unmounted /);
    assert.ok(!isMounted(place.mnt));
    assert.equal(place.binding["state"], "Released");
  });
}

mountTest(
  "pbkfs mount --console stays when in use, and ends at the second signal",
  async (place) => {
    const args = ["mount", ...place.places, "-I", "main", "-i", LAST_ID, "--console"];
    const child = program(args).spawn();
    await waitUntil(() => exists(`${place.diff}/data/.pbkfs/stat`), 10_000, () => "not served");
    const user = new RunningCommand(["sleep", "60"], { cwd: place.mnt });
    try {
      child.kill("SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, 3000));
      assert.ok(isMounted(place.mnt));
      child.kill("SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.kill("SIGTERM");
      const { code, stderr } = await child.output();
      assert.equal(code, 1);
      assert.match(new TextDecoder().decode(stderr), /WARN mount: target is busy, still mounted/);
      assert.ok(!isMounted(place.mnt));
    } finally {
      user.signalGroup("SIGKILL");
      await user.wait(10_000);
    }
  },
);

mountTest("pbkfs mount --console prints a failure once", async (place) => {
  const { code, stderr } = await runProgram(
    ["mount", ...place.places, "-I", "main", "-i", "ZZZZZZ", "--console"],
  );
  assert.equal(code, 1);
  assert.match(stderr, /^pbkfs error: Cannot find backup ZZZZZZ/m);
});

mountTest("pbkfs stat prints fresh statistics as text and JSON, and resets", async (place) => {
  await place.mustMount();
  await place.shell("cat base/*/* global/* >/dev/null && echo x >made");
  const text = await runProgram(["stat", "-D", place.mnt]);
  assert.equal(text.code, 0);
  const keys = text.stdout.trimEnd().split("\n").map((line) => line.split("=")[0]!);
  assert.deepEqual(keys, [...keys].sort());
  for (const key of ["pid", "uptime_s", "mount", "overlay", "fuse", "diff", "index"]) {
    assert.ok(keys.includes(key), key);
  }
  assert.ok(text.stdout.endsWith("\n\n"));
  const read = async (...args: string[]) => {
    const { stdout } = await runProgram(["stat", "-D", place.mnt, "--format", "json", ...args]);
    return JSON.parse(stdout);
  };
  const before = await read("--counters-reset");
  assert.equal(before.pid, place.workerPid);
  assert.equal(before.mount.backup_id, LAST_ID);
  assert.ok(before.operations.read.count > 0);
  assert.ok(before.operations.read.bytes > 1_000_000);
  assert.ok(before.cache.page_misses > 0);
  assert.ok(before.index.bytes > 0);
  assert.ok(before.diff.files >= 1);
  const after = await read();
  assert.ok((after.operations.read?.count ?? 0) < before.operations.read.count);
  assert.equal(after.cache.page_misses, 0);
  assert.equal(after.index.bytes, before.index.bytes);
  assert.ok(after.uptime_s >= before.uptime_s);
});

mountTest("pbkfs mount --no-wal forgets pg_wal and marks the diff directory", async (place) => {
  await place.mustMount(["--no-wal"]);
  assert.equal(place.binding["no_wal_used"], true);
  await place.shell("head -c 1000000 /dev/urandom >pg_wal/seg && cmp pg_wal/seg pg_wal/seg");
  assert.equal(await place.shell("wc -c <pg_wal/seg"), "1000000\n");
  await place.mustUnmount();
  assert.ok(!exists(`${place.diff}/data/pg_wal/seg`));
  const { code, stderr } = await place.mount();
  assert.equal(code, 1);
  assert.match(stderr, /previously mounted with --no-wal and cannot be reused/);
});

mountTest("pbkfs mount --perf-unsafe is dirty until it has ended cleanly", async (place) => {
  await place.mustMount(["--perf-unsafe"]);
  assert.ok(exists(`${place.diff}/.pbkfs-dirty`));
  await place.shell("echo x >made && sync made");
  await place.mustUnmount();
  assert.ok(!exists(`${place.diff}/.pbkfs-dirty`));
  await place.mustMount(["--perf-unsafe"]);
  assert.equal(await place.shell("cat made"), "x\n");
  kill(place.workerPid, SIGKILL);
  await waitUntil(() => findLockHolder(place.diff) === undefined, 10_000, () => "still locked");
  const refused = await place.mount();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /\.pbkfs-dirty/);
  await place.mustMount(["--force"]);
  await place.mustUnmount();
  assert.ok(!exists(`${place.diff}/.pbkfs-dirty`));
});

mountTest("pbkfs mount --config adds settings after the backup's own, once", async (place) => {
  const config = [
    ["--config", "restore_command=cp '/w a l/%f' \\%p"],
    ["--config", "recovery_target=immediate"],
  ].flat();
  await place.mustMount([...config, "--owner", "65534:65533"]);
  const written = await place.shell("cat postgresql.auto.conf");
  assert.ok(written.endsWith(
    "restore_command = 'cp ''/w a l/%f'' \\\\%p'\nrecovery_target = 'immediate'\n",
  ));
  assert.ok(written.startsWith("# Do not edit this file manually!"));
  assert.equal(
    await place.shell("stat -c '%a %u:%g %s' recovery.signal"),
    "600 65534:65533 0\n",
  );
  assert.equal(await place.shell("stat -c '%a %u:%g' postgresql.auto.conf"), "600 65534:65533\n");
  await place.shell("rm recovery.signal");
  await place.mustUnmount();
  await place.mustMount(config);
  assert.equal(await place.shell("cat postgresql.auto.conf"), written);
  assert.equal(await place.shell("ls recovery.signal 2>/dev/null || true"), "");
  await place.mustUnmount();
  await place.mustMount(["--config", "recovery_target=", "--config", "port=5433"]);
  assert.ok((await place.shell("cat postgresql.auto.conf")).endsWith(
    "recovery_target = ''\nport = '5433'\n",
  ));
});

mountTest("pbkfs mount --owner takes names and numbers", async (place) => {
  await place.mustMount(["--owner", "nobody:root"]);
  assert.equal(
    await place.shell("stat -c '%U:%G %a' . base PG_VERSION"),
    [
      "nobody:root 700",
      "nobody:root 700",
      "nobody:root 600",
      "",
    ].join("\n"),
  );
  await place.mustUnmount();
  const { code, stderr } = await place.mount(["--wait", "--owner", "no-such-user"]);
  assert.equal(code, 2);
  assert.match(stderr, /there is no such user/);
});

mountTest("pbkfs mount --no-allow-other keeps other users out", async (place) => {
  await place.mustMount(["--no-allow-other", "--workers", "1"]);
  const { success } = await new Deno.Command("setpriv", {
    args: ["--reuid=65534", "--clear-groups", "ls", place.mnt],
    stderr: "null",
    stdout: "null",
  }).output();
  assert.ok(!success);
  const { stdout } = await runProgram(["stat", "-D", place.mnt, "--format", "json"]);
  assert.equal(JSON.parse(stdout).mount.workers, 1);
});

mountTest("pbkfs mount logs as JSON into the file that it is told", async (place) => {
  const path = place.directory.join("own.log");
  await place.mustMount(["--log-file", path, "--log-format", "json", "--debug"]);
  await place.mustUnmount();
  const lines = Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => JSON.parse(line));
  const messages = lines.map((line) => line.fields.message);
  assert.ok(messages.includes("mounted"));
  assert.ok(messages.includes("kernel features"));
  assert.ok(messages.includes("unmounted"));
  assert.ok(!exists(`${place.diff}/data/.pbkfs/pbkfs.log`));
});

mountTest("pbkfs mount takes the number of workers from PBKFS_FS_WORKERS", async (place) => {
  const { code } = await place.mount(["--wait"], { env: { PBKFS_FS_WORKERS: "3" } });
  assert.equal(code, 0);
  const { stdout } = await runProgram(["stat", "-D", place.mnt, "--format", "json"]);
  assert.equal(JSON.parse(stdout).mount.workers, 3);
});

mountTest("pbkfs mount never writes into the diff on read unless told", async (place) => {
  await place.mustMount();
  await place.shell("cat base/*/* >/dev/null");
  const usage = async () =>
    JSON.parse(
      (await runProgram(["stat", "-D", place.mnt, "--format", "json"])).stdout,
    ).diff.bytes;
  assert.equal(await usage(), 0);
  await place.mustUnmount();
  await place.mount(["--wait"], { env: { PBKFS_MATERIALIZE_ON_READ: "true" } });
  await place.shell("cat base/*/* >/dev/null");
  assert.ok(await usage() > 1_000_000);
});

mountTest("pbkfs cleanup empties a released diff directory", async (place) => {
  await place.mustMount();
  await place.shell("echo x >made");
  await place.mustUnmount();
  const { code, stderr } = await runProgram(["cleanup", "-d", place.diff]);
  assert.equal(code, 0);
  assert.match(stderr, /^Removed \d+ entries/);
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
  assert.equal(dirname(place.diff), place.directory.path);
});

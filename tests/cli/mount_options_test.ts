import assert from "node:assert/strict";
import { kill } from "#ffi/libc/calls.ts";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { waitUntil } from "#tests/support/process.ts";
import { exists, LAST_ID, mountTest, SIGKILL } from "./_mount_place.ts";
import { runProgram } from "./_program.ts";

const SIGUSR2 = 12;

/** Paths of everything with a name below a directory. */
async function namesBelow(directory: string, name: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("find", { args: [directory, "-name", name] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

mountTest("pbkfs mount --format json prints one object", async (place) => {
  const { stdout } = await place.mount(["--wait", "--format", "json"]);
  assert.deepEqual(JSON.parse(stdout), {
    type: "summary",
    state: "mounted",
    pid: place.workerPid,
    mnt_path: place.mnt,
  });
});

mountTest("pbkfs stat prints fresh statistics as text and JSON, and resets", async (place) => {
  await place.mustMount();
  await place.shell("cat base/*/* global/* >/dev/null && echo x >made");
  const text = await runProgram(["stat", "-D", place.mnt]);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^pbkfs:main\/\w+: mounted for .*, process \d+, 2 threads$/m);
  assert.match(text.stdout, /^read +[\d,]+ +0 +0 +\d+[kM]B +[\d.]+ [µm]?s +[\d.]+ [µm]?s$/m);
  assert.match(text.stdout, /^all: [\d,]+ requests, .*, 0 failed$/m);
  assert.match(text.stdout, /^read from the backup +[\d,]+ reads +\d+[kM]B$/m);
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
  assert.deepEqual(await namesBelow(place.diff, "seg"), []);
  const { code, stderr } = await place.mount();
  assert.equal(code, 1);
  assert.match(stderr, /previously mounted with --no-wal and cannot be reused/);
});

mountTest("pbkfs mount --no-wal leaves no WAL behind after a kill either", async (place) => {
  const killed = async () => {
    await place.mustMount(["--no-wal"]);
    await place.shell("head -c 100000 /dev/urandom >pg_wal/seg");
    kill(place.workerPid, SIGKILL);
    await waitUntil(() => findLockHolder(place.diff) === undefined, 10_000, () => "still locked");
    assert.equal((await namesBelow(place.diff, "seg")).length, 1);
  };
  await killed();
  assert.equal((await place.mount()).code, 1);
  assert.deepEqual(await namesBelow(place.diff, "seg"), []);
  await place.unmount();
  assert.equal((await runProgram(["cleanup", "-d", place.diff])).code, 0);
  await killed();
  assert.equal((await runProgram(["cleanup", "-d", place.diff])).code, 0);
  assert.deepEqual(await namesBelow(place.diff, "seg"), []);
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
  // Every name and every byte, empty files too.
  await place.shell(
    "find . -ls >/dev/null && find . -type f -exec cat {} + >/dev/null",
  );
  const statistics = async () =>
    JSON.parse((await runProgram(["stat", "-D", place.mnt, "--format", "json"])).stdout).diff;
  const usage = async () => (await statistics()).bytes;
  assert.deepEqual(await statistics(), {
    bytes: 0,
    files: 0,
    blocks_copied: 0,
    bytes_copied: 0,
    read_only: false,
  });
  assert.deepEqual(
    [...Deno.readDirSync(`${place.diff}/data`)].map((entry) => entry.name).sort(),
    [".pbkfs", ".pbkfs-directory"],
  );
  await place.mustUnmount();
  await place.mount(["--wait"], { env: { PBKFS_MATERIALIZE_ON_READ: "true" } });
  await place.shell("cat base/*/* >/dev/null");
  assert.ok(await usage() > 1_000_000);
});

mountTest(
  "pbkfs mount has no extended attributes, and the kernel does not ask for them",
  async (place) => {
    await place.mustMount();
    for (const command of ["setfattr -n user.note -v 1", "getfattr -d", "setfacl -m u:1:r"]) {
      assert.match(await place.shell(`${command} PG_VERSION 2>&1 || true`), /not supported\n$/);
    }
    await place.shell("cp -a PG_VERSION copied && ls -l copied");
    // A server that looks for the end between its writes.
    using file = Deno.openSync(`${place.mnt}/PG_VERSION`, { write: true });
    for (let i = 0; i < 100; i++) {
      file.seekSync(0, Deno.SeekMode.End);
      file.writeSync(new Uint8Array(8192));
    }
    const { stdout } = await runProgram(["stat", "-D", place.mnt, "--format", "json"]);
    const { write, getxattr } = JSON.parse(stdout).operations;
    assert.ok((getxattr?.count ?? 0) <= 2, `${getxattr?.count} getxattr, ${write?.count} write`);
  },
);

mountTest("pbkfs mount --xattrs keeps extended attributes over a remount", async (place) => {
  await place.mustMount(["--xattrs"]);
  await place.shell("setfattr -n user.note -v kept PG_VERSION && setfattr -n user.note -v d base");
  await place.mustUnmount();
  // The diff has some, so every mount of it shows them.
  await place.mustMount();
  assert.equal(
    await place.shell("getfattr -d PG_VERSION base"),
    '# file: PG_VERSION\nuser.note="kept"\n\n# file: base\nuser.note="d"\n\n',
  );
});

mountTest("pbkfs cleanup empties a released diff directory", async (place) => {
  await place.mustMount();
  await place.shell("echo x >made");
  await place.mustUnmount();
  const { code, stderr } = await runProgram(["cleanup", "-d", place.diff]);
  assert.equal(code, 0);
  assert.match(stderr, /^Removed \d+ entries/);
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
});

mountTest("pbkfs mount --log-sink journald pipes lines where no journal listens", async (place) => {
  const bin = place.directory.join("bin");
  const caught = place.directory.join("caught");
  Deno.mkdirSync(bin);
  Deno.writeTextFileSync(
    `${bin}/systemd-cat`,
    `#!/bin/sh\necho "$@" >${caught}\nexec cat >>${caught}\n`,
    { mode: 0o755 },
  );
  if (exists("/run/systemd/journal/socket")) return;
  const env = { PATH: `${bin}:${Deno.env.get("PATH")}` };
  const { code, stderr } = await place.mount(["--wait", "--log-sink", "journald"], { env });
  assert.equal(code, 0, stderr);
  await place.mustUnmount();
  const read = () => Deno.readTextFileSync(caught);
  await waitUntil(() => read().includes("unmounted"), 5000, read);
  assert.match(read(), /^--identifier=pbkfs\n\S+Z {2}INFO mount: mounted mnt=/);
});

mountTest(
  "pbkfs mount keeps a root process's files out of reach of the mount's owner",
  async (place) => {
    await place.mustMount(["--owner", "65534"]);
    const victim = place.directory.join("victim");
    Deno.mkdirSync(victim);
    Deno.writeTextFileSync(`${victim}/stat`, "precious");
    Deno.writeTextFileSync(`${victim}/worker.pid`, "precious");
    // Whether the mount allows the exchange or not: nothing of the victim may change.
    await new Deno.Command("setpriv", {
      args: ["--reuid=65534", "--clear-groups", "sh", "-c", 'mv "$0" "$0.old"; ln -s "$1" "$0"']
        .concat(`${place.mnt}/.pbkfs`, victim),
      stderr: "null",
    }).output();
    kill(place.workerPid, SIGUSR2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await place.unmount();
    await waitUntil(() => findLockHolder(place.diff) === undefined, 10_000, () => "worker lives");
    assert.deepEqual(
      [...Deno.readDirSync(victim)].map((entry) => entry.name).sort(),
      ["stat", "worker.pid"],
    );
    assert.equal(Deno.readTextFileSync(`${victim}/stat`), "precious");
  },
);

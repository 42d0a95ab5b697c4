import assert from "node:assert/strict";
import { kill, umount } from "#ffi/libc/calls.ts";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { isMounted, readMountTable } from "#src/mount/mod.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";
import { exists, LAST_ID, mountTest, SIGKILL } from "./_mount_place.ts";
import { program, runProgram } from "./_program.ts";

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
  assert.match(fresh.stderr, /-I\/--instance is required/);
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
  assert.match(cleanup.stderr, /Run pbkfs unmount/);
  assert.doesNotMatch(cleanup.stderr, /--force/);
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

mountTest("pbkfs mount lets one of two that start together have the mount point", async (place) => {
  const other = ["mount", "-B", place.catalog, "-D", place.mnt, "-d", place.directory.join("diff2")]
    .concat("-I", "main", "-i", LAST_ID, "--wait");
  const results = await Promise.all([place.mount(), runProgram(other)]);
  const losers = results.filter(({ code }) => code !== 0);
  assert.equal(losers.length, 1);
  assert.match(losers[0]!.stderr, /is already mounted|is being mounted|is not empty/);
  assert.equal(readMountTable().filter(({ mountPoint }) => mountPoint === place.mnt).length, 1);
  const { code } = await place.unmount();
  assert.equal(code, 0);
  assert.ok(!isMounted(place.mnt));
});

mountTest(
  "pbkfs mount lets one of two that start together have the diff directory",
  async (place) => {
    const second = place.directory.join("mnt2");
    Deno.mkdirSync(second);
    const other = ["mount", "-B", place.catalog, "-D", second, "-d", place.diff]
      .concat("-I", "main", "-i", LAST_ID, "--wait");
    const results = await Promise.all([place.mount(), runProgram(other)]);
    const losers = results.filter(({ code }) => code !== 0);
    assert.equal(losers.length, 1);
    assert.match(losers[0]!.stderr, /diff directory already in use/);
    const winner = isMounted(second) ? second : place.mnt;
    assert.equal((await runProgram(["unmount", winner])).code, 0);
  },
);

mountTest("pbkfs mount takes paths with blanks, commas, line breaks and links", async (place) => {
  const odd = place.directory.join("a b,c=d\\e\nf ♥");
  Deno.mkdirSync(`${odd}/mnt`, { recursive: true });
  Deno.symlinkSync(odd, place.directory.join("link"));
  Deno.symlinkSync(place.catalog, `${odd}/store`);
  const args = [
    "mount",
    "-B",
    `${odd}/store/`,
    "-D",
    `${odd}/mnt//`,
    "-d",
    `${odd}/diff/`,
    "--wait",
  ];
  const first = await runProgram([...args, "-I", "main", "-i", LAST_ID.toLowerCase()]);
  assert.equal(first.stderr, "");
  const byLink = place.directory.join("link/mnt");
  const { stdout } = await runProgram(["stat", "-D", byLink, "--format", "json"]);
  assert.equal(JSON.parse(stdout).mount.backup_id, LAST_ID);
  assert.equal((await runProgram(["unmount", "-D", byLink])).code, 0);
  const again = await runProgram(args);
  assert.equal(again.stderr, "");
  assert.equal((await runProgram(["unmount", "-D", `${odd}/mnt/.`])).code, 0);
  assert.ok(!isMounted(`${odd}/mnt`));
});

mountTest("pbkfs stat, unmount and cleanup need no more than documented", async (place) => {
  const permissions = ["--allow-read", "--allow-ffi"];
  await place.mustMount();
  for (const args of [["stat", "-D", place.mnt], ["unmount", "-D", place.mnt]]) {
    const { code, stderr } = await runProgram(args, { permissions });
    assert.equal(code, 0, stderr);
  }
  const { code, stderr } = await runProgram(["cleanup", "-d", place.diff], { permissions });
  assert.equal(code, 0, stderr);
});

mountTest("pbkfs mount --timeout reports a mount in progress and lets it go on", async (place) => {
  const { code, stderr } = await place.mount(["--timeout", "0.001"]);
  assert.equal(code, 1);
  assert.match(stderr, /^pbkfs error: mount still in progress/);
  await waitUntil(() => isMounted(place.mnt), 10_000, () => "not mounted");
  await place.mustUnmount();
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
  const { code, stderr } = await place.unmount();
  assert.equal(code, 0);
  assert.match(stderr, /^warning: the process that served .* had ended before: /);
  assert.ok(!isMounted(place.mnt));
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

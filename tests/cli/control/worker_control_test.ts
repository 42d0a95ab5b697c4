/**
 * Commands and the worker behind a mount: who is found, who is signalled, what is said. Workers are
 * stopped, killed and hidden in namespaces; no command may wait for a mount, or for longer than it
 * must.
 */

import assert from "node:assert/strict";
import { kill, open, OpenFlag, umount } from "#ffi/libc/calls.ts";
import { HostProcess, listProcesses } from "#src/io/process.ts";
import { findLockHolder, LOCK_FILE_NAME } from "#src/overlay/diff_lock.ts";
import { findMount, isMounted } from "#src/mount/mod.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { LAST_ID, MountPlace, mountTest, SIGKILL } from "../_mount_place.ts";
import { MAIN_MODULE, MOUNT_PERMISSIONS, runProgram } from "../_program.ts";

/** For commands on archives. */
const ALL = { permissions: [...MOUNT_PERMISSIONS, "--allow-write"] };
const SIGTERM = 15;
const SIGCONT = 18;
const SIGSTOP = 19;
/** Commands answer in a second; a busy machine gets more, a hanging mount would take for ever. */
const ANSWER_TIMEOUT_MS = 20_000;

/** Runs the program; fails when it hangs. */
async function answer(args: readonly string[]) {
  const start = performance.now();
  const result = await runProgram(args);
  assert.ok(performance.now() - start < ANSWER_TIMEOUT_MS, `${args.join(" ")} took too long`);
  return result;
}

/** A process that nobody has waited for yet has ended all the same. */
function isAlive(pid: number): boolean {
  using process = HostProcess.open(pid);
  return process !== undefined && process.state !== "ended";
}

/** Runs a shell command as a hint says it. */
async function shell(script: string) {
  return await runCommand(["sh", "-c", script], { timeoutMs: ANSWER_TIMEOUT_MS, check: false });
}

mountTest("no command waits for a worker that is stopped, and --force ends it", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  kill(pid, SIGSTOP);
  const stat = await answer(["stat", "-D", place.mnt]);
  assert.equal(stat.code, 1);
  assert.match(stat.stderr, new RegExp(`worker ${pid} of ${place.mnt} is stopped`));
  const unmount = await answer(["unmount", "-D", place.mnt]);
  assert.equal(unmount.code, 1);
  assert.match(unmount.stderr, new RegExp(`is stopped.*kill -CONT ${pid}.*--force`));
  assert.ok(isMounted(place.mnt), "nothing was done");
  const other = place.directory.join("diff2");
  const again = await answer(
    ["mount", "-B", place.catalog, "-D", place.mnt, "-d", other, "-I", "main", "-i", LAST_ID]
      .concat("--wait"),
  );
  assert.equal(again.code, 1);
  assert.match(again.stderr, new RegExp(`already mounted by worker ${pid}, which is stopped`));
  const forced = await answer(["unmount", "-D", place.mnt, "--force"]);
  assert.equal(forced.code, 0, forced.stderr);
  assert.ok(!isMounted(place.mnt));
  assert.equal(findLockHolder(place.diff), undefined);
});

/** Mounts the same backup once more, with a diff directory of its own. */
async function mountAgain(place: MountPlace, mountPath: string): Promise<number> {
  const diff = `${place.diff}2`;
  const places = ["-B", place.catalog, "-D", mountPath, "-d", diff, "--no-lock"];
  const { code, stderr } = await answer(
    ["mount", ...places, "-I", "main", "-i", LAST_ID, "--wait"],
  );
  assert.equal(code, 0, stderr);
  return findLockHolder(diff)!.pid!;
}

/** Stops the worker of a place and ends its mount, of which it cannot take note. */
async function mountAndStopUnmounted(place: MountPlace): Promise<{ pid: number; device: string }> {
  await place.mustMount();
  const pid = place.workerPid;
  const device = findMount(place.mnt)!.device;
  kill(pid, SIGSTOP);
  // umount(8) would look into the mount first.
  assert.equal(umount(place.mnt, 0), 0);
  return { pid, device };
}

for (const where of ["at another path", "at the same path"]) {
  mountTest(
    `a worker is not taken for that of a later mount with its number: ${where}`,
    async (place) => {
      const former = await mountAndStopUnmounted(place);
      const mnt = where === "at the same path" ? place.mnt : `${place.mnt}2`;
      if (mnt !== place.mnt) Deno.mkdirSync(mnt);
      for (const options of [[], ["--force"]]) {
        const pid = await mountAgain(place, mnt);
        assert.notEqual(pid, former.pid);
        // The kernel gives the lowest number that is free; a mount of a test beside this one may
        // have been quicker.
        if (findMount(mnt)!.device !== former.device) console.log("the number was not used again");
        const stat = await answer(["stat", "-D", mnt, "--format", "json"]);
        assert.equal(JSON.parse(stat.stdout).pid, pid, stat.stderr);
        const unmount = await answer(["unmount", "-D", mnt, ...options]);
        assert.deepEqual([unmount.code, unmount.stderr], [0, ""]);
        assert.ok(!isMounted(mnt));
        assert.ok(!isAlive(pid), "it has ended");
        assert.ok(isAlive(former.pid), "the other one was left alone");
      }
      // When it goes on, it ends by itself, and takes away nothing but its own.
      await mountAgain(place, mnt);
      kill(former.pid, SIGTERM);
      kill(former.pid, SIGCONT);
      await waitUntil(() => !isAlive(former.pid), 20_000, () => "the worker lives");
      assert.equal(place.binding["state"], "Released");
      assert.ok(isMounted(mnt), "the later mount is there");
      assert.equal((await answer(["unmount", "-D", mnt])).code, 0);
    },
  );
}

mountTest("unmount works again when a stopped worker goes on", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  kill(pid, SIGSTOP);
  assert.equal((await answer(["unmount", "-D", place.mnt])).code, 1);
  kill(pid, SIGCONT);
  await place.mustUnmount();
});

mountTest("nobody is signalled because a file has his number in it", async (place) => {
  const victim = new RunningCommand(["sleep", "60"]);
  try {
    await place.mustMount();
    const worker = place.workerPid;
    // What a worker in another PID namespace writes down means somebody else here.
    for (const path of [`${place.diff}/${LOCK_FILE_NAME}`, `${place.mnt}/.pbkfs/worker.pid`]) {
      const text = Deno.readTextFileSync(path);
      Deno.writeTextFileSync(path, text.replace(/"pid": \d+/, `"pid": ${victim.pid}`));
    }
    const stat = await answer(["stat", "-D", place.mnt, "--format", "json"]);
    assert.equal(stat.code, 0, stat.stderr);
    assert.equal(JSON.parse(stat.stdout).pid, worker);
    const cleanup = await answer(["cleanup", "-d", place.diff]);
    assert.match(cleanup.stderr, new RegExp(`in use by process ${worker}`));
    const forced = await answer(["unmount", "-D", place.mnt, "-d", place.diff, "--force"]);
    assert.equal(forced.code, 0, forced.stderr);
    assert.ok(!isAlive(worker), "the worker is gone");
    assert.ok(isAlive(victim.pid!), "the stranger lives");
  } finally {
    victim.signalGroup("SIGKILL");
    await victim.wait(10_000);
  }
});

mountTest("a worker in another PID namespace is found, asked and ended", async (place) => {
  const program = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--cached-only"]
    .concat(MOUNT_PERMISSIONS, MAIN_MODULE);
  const mount = program.concat("mount", place.places, "-I", "main", "-i", LAST_ID, "--wait");
  // The shell is the first process there: the namespace ends with it.
  const script = '"$@"; echo "done $?"; sleep 60';
  const namespace = new RunningCommand(
    ["unshare", "--fork", "--pid", "sh", "-c", script, "sh", ...mount],
  );
  try {
    await waitUntil(() => namespace.stdout.includes("done"), 20_000, () => namespace.stderr);
    assert.match(namespace.stdout, /done 0/, namespace.stderr);
    const record = JSON.parse(Deno.readTextFileSync(`${place.diff}/${LOCK_FILE_NAME}`));
    const stat = await answer(["stat", "-D", place.mnt, "--format", "json"]);
    assert.equal(stat.code, 0, stat.stderr);
    assert.notEqual(place.workerPid, record.pid, "it has another number here");
    const unmount = await answer(["unmount", "-D", place.mnt]);
    assert.equal(unmount.code, 0, unmount.stderr);
    assert.equal(place.binding["state"], "Released");
  } finally {
    namespace.signalGroup("SIGKILL");
    await namespace.wait(10_000);
  }
});

mountTest("a worker that cannot be seen is not waited for, and it is said so", async (place) => {
  await place.mustMount();
  const program = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--cached-only"]
    .concat(MOUNT_PERMISSIONS, MAIN_MODULE).join(" ");
  const script = `${program} stat -D ${place.mnt}; echo stat $?
    ${program} unmount -D ${place.mnt}; echo unmount $?; cat /proc/mounts`;
  // A container that has the mount, and a /proc without the worker.
  const { stdout, stderr } = await runCommand(
    ["unshare", "--fork", "--pid", "--mount", "--mount-proc", "sh", "-c", script],
    { timeoutMs: 60_000, check: false },
  );
  assert.match(stdout, /^stat 1\nunmount 0\n/);
  assert.match(stderr, /the worker of .* cannot be seen from here: .*user_id=/);
  assert.match(stderr, /^warning: the process that served .* cannot be seen from here/m);
  assert.ok(!stdout.includes(place.mnt));
  await place.mustUnmount();
});

mountTest("unmount ends a worker that waits for its catalog", async (place) => {
  const archive = place.directory.join("catalog.pxar");
  const store = place.directory.join("store");
  Deno.mkdirSync(store);
  assert.equal((await runProgram(["pxar", "create", archive, place.catalog], ALL)).code, 0);
  const mounted = await runProgram(["pxar", "mount", archive, store, "--format", "json"], ALL);
  const { pid } = JSON.parse(mounted.stdout);
  try {
    kill(pid, SIGSTOP);
    const mount = await answer(
      ["mount", "-B", store, "-D", place.mnt, "-d", place.diff, "-I", "main", "-i", LAST_ID]
        .concat("--timeout", "1"),
    );
    assert.match(mount.stderr, /still in progress/);
    const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
    assert.equal(code, 0, stderr);
  } finally {
    kill(pid, SIGCONT);
    await runProgram(["unmount", "-D", store]);
  }
  await place.mustMount();
});

/** Threads that start behind the first one still look for the diff directory at its path. */
const ONE_WORKER = ["--workers", "1"];

mountTest("unmount tells what could not be made durable", async (place) => {
  await place.mustMount(ONE_WORKER);
  await place.shell("echo changed >made");
  Deno.renameSync(place.diff, `${place.diff}-away`);
  const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
  Deno.renameSync(`${place.diff}-away`, place.diff);
  assert.equal(code, 1);
  assert.match(stderr, /^pbkfs error: unmounted, but cannot make all changes durable in ".*ENOENT/);
  assert.match(stderr, /What was removed is lost, synced or not\. If it was moved, what .*is safe/);
  assert.doesNotMatch(stderr, /[Rr]oom|[Rr]epair/);
  assert.ok(!isMounted(place.mnt));
  await place.mustMount();
  assert.equal(await place.shell("cat made"), "changed\n");
});

mountTest("unmount leaves alone what has the path of a diff that was moved away", async (place) => {
  await place.mustMount();
  await place.mustUnmount();
  const copy = `${place.diff}-copy`;
  assert.equal((await shell(`cp -a ${place.diff} ${copy}`)).code, 0);
  await place.mustMount(ONE_WORKER);
  await place.shell("echo changed >made");
  Deno.renameSync(place.diff, `${place.diff}-away`);
  Deno.renameSync(copy, place.diff);
  Deno.writeTextFileSync(`${place.diff}/${LOCK_FILE_NAME}`, "of another mount");
  const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
  assert.equal(code, 1);
  assert.match(stderr, /ESTALE \(no longer there\).*What was removed is lost/s);
  assert.equal(Deno.readTextFileSync(`${place.diff}/${LOCK_FILE_NAME}`), "of another mount");
});

mountTest("cleanup leaves a live diff alone, whatever it is told", async (place) => {
  await place.mustMount();
  await place.shell("echo changed >made");
  const link = place.directory.join("link");
  Deno.symlinkSync(place.diff, link);
  const ways: Record<string, string> = {
    "the diff": place.diff,
    "a link to it": link,
    "a part of it": `${place.diff}/data`,
  };
  for (const [what, path] of Object.entries(ways)) {
    const { code, stderr } = await answer(["cleanup", "-d", path, "--force"]);
    assert.equal(code, 1, what);
    assert.match(stderr, new RegExp(`diff directory in use by process ${place.workerPid} `), what);
    assert.ok(stderr.includes(`Run pbkfs unmount -D ${place.mnt} -d ${place.diff} first`), stderr);
    assert.doesNotMatch(stderr, /--force/, what);
  }
  assert.equal(await place.shell("cat made PG_VERSION"), "changed\n15\n");
  await place.mustUnmount();
  assert.equal((await answer(["cleanup", "-d", place.diff, "--force"])).code, 0);
  assert.deepEqual([...Deno.readDirSync(place.diff)], []);
});

mountTest("unmount from inside says that it is its caller who is in the way", async (place) => {
  await place.mustMount();
  const program = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--cached-only"]
    .concat(MOUNT_PERMISSIONS, MAIN_MODULE).join(" ");
  const { code, stderr } = await shell(`cd ${place.mnt} && ${program} unmount . ; exit $?`);
  assert.equal(code, 1);
  assert.match(stderr, /used by sh \(process \d+\), which called this command from inside: /);
  assert.match(stderr, /First cd \/ in the shell that called this command; or/);
  assert.doesNotMatch(stderr, /deno|stop the programs/);
  await place.mustUnmount();
});

/** Whether an unmount has found the worker: it has the card open. */
function isWatched(mountPath: string): boolean {
  return listProcesses().some((pid) => {
    using process = HostProcess.open(pid);
    const words = process?.commandLine ?? [];
    if (process === undefined || !words.includes("unmount") || !words.includes(mountPath)) {
      return false;
    }
    return process.descriptors().some(({ target }) => target.includes("memfd:pbkfs-worker"));
  });
}

mountTest("unmount tells that the worker was killed before the end", async (place) => {
  await place.mustMount();
  const holder = new RunningCommand(["sleep", "60"], { cwd: place.mnt });
  const unmounting = answer(["unmount", "-D", place.mnt]);
  const pid = place.workerPid;
  // While it looks for the worker it has other cards open too, each for a moment.
  let watchedLooks = 0;
  const isFound = () => (watchedLooks = isWatched(place.mnt) ? watchedLooks + 1 : 0) >= 10;
  await waitUntil(isFound, 20_000, () => "unmount does not start", 5);
  kill(pid, SIGKILL);
  holder.signalGroup("SIGKILL");
  await holder.wait(10_000);
  const { code, stderr } = await unmounting;
  assert.equal(code, 1);
  assert.match(stderr, /ended before all changes were durable/);
});

mountTest("unmount warns that the worker had been killed before", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  kill(pid, SIGKILL);
  await waitUntil(() => !isAlive(pid), 10_000, () => "the worker lives");
  const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^warning: the process that served .* had ended before/m);
  assert.ok(!isMounted(place.mnt));
});

Deno.test({
  name: "the disk of the diff directory can be unmounted as soon as unmount returns",
  ignore: Deno.uid() !== 0 || open("/dev/fuse", OpenFlag.RDWR) < 0,
  fn: async () => {
    await mountOnDisk(async (place, disk) => {
      for (let round = 0; round < 5; round++) {
        await place.mustMount();
        await place.shell(`echo ${round} >made && cat base/5/* >/dev/null`);
        assert.equal((await answer(["unmount", "-D", place.mnt])).code, 0);
        assert.equal((await shell(`umount ${disk} && mount -t tmpfs pbkfs ${disk}`)).code, 0);
      }
    });
  },
});

Deno.test({
  name: "stat answers when the disk of the diff directory is full",
  ignore: Deno.uid() !== 0 || open("/dev/fuse", OpenFlag.RDWR) < 0,
  fn: async () => {
    await mountOnDisk(async (place, disk) => {
      await place.mustMount();
      await shell(`dd if=/dev/zero of=${disk}/ballast bs=1M count=100`);
      await shell(`dd if=/dev/zero of=${disk}/rest bs=512 count=10000`);
      assert.equal((await shell(`echo x >${place.mnt}/made`)).code, 1, "the disk is full");
      for (let round = 0; round < 2; round++) {
        const { code, stdout, stderr } = await answer([
          "stat",
          "-D",
          place.mnt,
          "--format",
          "json",
        ]);
        assert.equal(code, 0, stderr);
        assert.equal(JSON.parse(stdout).pid, place.workerPid);
      }
      await shell(`rm ${disk}/ballast ${disk}/rest`);
      await place.mustUnmount();
    });
  },
});

/** A mount whose diff directory is on a disk of its own. */
async function mountOnDisk(run: (place: MountPlace, disk: string) => Promise<void>): Promise<void> {
  const { pgprobackupFixture } = await import("#tests/support/pgprobackup_fixtures.ts");
  const fixture = await pgprobackupFixture("a-stream-none");
  await using place = new MountPlace(fixture!.catalog);
  const disk = place.diff;
  Deno.mkdirSync(disk);
  assert.equal((await shell(`mount -t tmpfs -o size=64M pbkfs ${disk}`)).code, 0);
  try {
    await run(place, disk);
  } finally {
    await shell(`umount -l ${disk}`);
  }
}

mountTest("unmount --force names programs that keep the disk of the diff in use", async (place) => {
  await place.mustMount();
  const script = "exec 3>made; echo open; exec sleep 60";
  const user = new RunningCommand(["sh", "-c", script], { cwd: place.mnt });
  try {
    await waitUntil(() => user.stdout.includes("open"), 10_000, () => user.stderr);
    const busy = await answer(["unmount", "-D", place.mnt]);
    assert.match(busy.stderr, new RegExp(`used by sleep \\(process ${user.pid}\\)`));
    const { code, stderr } = await answer(["unmount", "-D", place.mnt, "--force"]);
    assert.equal(code, 0);
    assert.match(stderr, new RegExp(`^warning: .*in use until .*sleep \\(process ${user.pid}\\)`));
  } finally {
    user.signalGroup("SIGKILL");
    await user.wait(10_000);
  }
});

mountTest("unmount names mounts inside, which keep it busy", async (place) => {
  await place.mustMount();
  const inner = `${place.mnt}/base`;
  assert.equal((await shell(`mount --bind /tmp ${inner}`)).code, 0);
  const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`used by the mount at ${inner}: First umount ${inner};`));
  assert.equal((await shell(`umount ${inner}`)).code, 0);
  await place.mustUnmount();
});

mountTest("unmount names bind mounts, and its hint ends the worker", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  const bind = place.directory.join("bind");
  Deno.mkdirSync(bind);
  assert.equal((await shell(`mount --bind ${place.mnt} ${bind}`)).code, 0);
  try {
    for (let round = 0; round < 2; round++) {
      const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`still mounted at ${bind}`));
      assert.match(stderr, new RegExp(`\\(umount ${bind}\\).*unmount -D ${place.mnt} --force`));
    }
    const mount = await place.mount();
    assert.equal(mount.code, 1);
    const [, hint] = /Run (pbkfs .*) first/.exec(mount.stderr) ?? [];
    assert.equal(hint, `pbkfs unmount -D ${place.mnt} -d ${place.diff}`);
    assert.equal((await shell(`umount ${bind}`)).code, 0);
    await waitUntil(() => !isAlive(pid), 10_000, () => "the worker lives");
    await place.mustMount();
  } finally {
    await shell(`umount -l ${bind}`);
  }
});

mountTest("unmount of a bind mount leaves the mount alone", async (place) => {
  await place.mustMount();
  const bind = place.directory.join("bind");
  Deno.mkdirSync(bind);
  assert.equal((await shell(`mount --bind ${place.mnt} ${bind}`)).code, 0);
  const { code, stderr } = await answer(["unmount", "-D", bind]);
  assert.equal(code, 0, stderr);
  assert.ok(!isMounted(bind));
  assert.equal(await place.shell("cat PG_VERSION"), "15\n");
  await place.mustUnmount();
});

mountTest("unmount --force finds a worker without a mount point", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  const bind = place.directory.join("bind");
  Deno.mkdirSync(bind);
  assert.equal((await shell(`mount --bind ${place.mnt} ${bind}`)).code, 0);
  assert.equal((await answer(["unmount", "-D", place.mnt])).code, 1);
  const forced = await answer(["unmount", "-D", place.mnt, "--force"]);
  assert.equal(forced.code, 0, forced.stderr);
  assert.ok(!isAlive(pid));
  assert.ok(!isMounted(bind), "what is dead is not left behind");
  await place.mustMount();
});

mountTest("unmount names who has the mount in another mount namespace", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  // A copy of all mounts that takes part in nothing, as a container's.
  const container = new RunningCommand(
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 60"],
  );
  try {
    await waitUntil(() => container.stdout.includes("ready"), 10_000, () => container.stderr);
    const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
    assert.equal(code, 1);
    assert.match(stderr, /still mounted at .* in the mount namespace of process \d+ \(\w+\)/);
    const [, hint] = /\((nsenter [^)]*)\)/.exec(stderr) ?? [];
    assert.equal((await shell(hint!)).code, 0, hint);
    await waitUntil(() => !isAlive(pid), 10_000, () => "the worker lives");
  } finally {
    container.signalGroup("SIGKILL");
    await container.wait(10_000);
  }
});

mountTest("a worker in another mount namespace is named, and its diff ends it", async (place) => {
  const program = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--cached-only"]
    .concat(MOUNT_PERMISSIONS, MAIN_MODULE);
  const mount = program.concat("mount", place.places, "-I", "main", "-i", LAST_ID, "--wait");
  const { code, stderr } = await runCommand(
    ["unshare", "--mount", "--propagation", "private", ...mount],
    { timeoutMs: 60_000, check: false },
  );
  assert.equal(code, 0, stderr);
  assert.ok(!isMounted(place.mnt));
  const pid = place.workerPid;
  const unmount = await answer(["unmount", "-D", place.mnt]);
  assert.equal(unmount.code, 1);
  const [, hint] = /End it with pbkfs (.*)/.exec(unmount.stderr) ?? [];
  assert.equal(hint, `unmount -D ${place.mnt} -d ${place.diff}`);
  const stat = await answer(["stat", "-D", place.mnt]);
  assert.match(stat.stderr, new RegExp(`worker ${pid} has it in another mount namespace`));
  // It is mounted where the worker is, and nobody uses it there: that is no reason to break it off.
  const held = await answer(hint!.split(" "));
  assert.equal(held.code, 0, held.stderr);
  assert.ok(!isAlive(pid));
  assert.equal(place.binding["state"], "Released");
});

mountTest("SIGTERM ends a worker that has no mount point left", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  const user = new RunningCommand(["sh", "-c", "exec 3<PG_VERSION; echo open; exec sleep 60"], {
    cwd: place.mnt,
  });
  try {
    await waitUntil(() => user.stdout.includes("open"), 10_000, () => user.stderr);
    assert.equal((await shell(`umount -l ${place.mnt}`)).code, 0);
    kill(pid, SIGTERM);
    await waitUntil(() => !isAlive(pid), 30_000, () => "the worker lives");
    assert.equal(place.binding["state"], "Released");
  } finally {
    user.signalGroup("SIGKILL");
    await user.wait(10_000);
  }
});

mountTest("a mount that is told to end while it is used ends when it is free", async (place) => {
  await place.mustMount();
  const pid = place.workerPid;
  const user = new RunningCommand(["sleep", "60"], { cwd: place.mnt });
  try {
    kill(pid, SIGTERM);
    await waitUntil(
      () => place.log.includes("still mounted until it is free"),
      10_000,
      () => "it says nothing",
    );
    assert.ok(isMounted(place.mnt));
  } finally {
    user.signalGroup("SIGKILL");
    await user.wait(10_000);
  }
  await waitUntil(() => !isAlive(pid), 10_000, () => "the worker lives");
  assert.ok(!isMounted(place.mnt));
  assert.equal(place.binding["state"], "Released");
});

mountTest("unmount ends at once what mount --timeout has given up waiting for", async (place) => {
  const mount = await place.mount(["--timeout", "0.001"]);
  assert.match(mount.stderr, /still in progress.*pbkfs unmount -D/s);
  const { code, stderr } = await answer(["unmount", "-D", place.mnt]);
  assert.equal(code, 0, stderr);
  assert.ok(!isMounted(place.mnt));
  assert.equal(findLockHolder(place.diff), undefined);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.ok(!isMounted(place.mnt), "nothing comes afterwards");
  await place.mustMount();
});

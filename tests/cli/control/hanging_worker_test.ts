/**
 * A worker that hangs: not stopped, so that nothing tells it from one that is busy, and programs
 * have changed pages in memory that it is to take. Nobody who unmounts waits for it.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { HostProcess } from "#src/io/process.ts";
import { isMounted } from "#src/mount/mod.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { mountTest } from "../_mount_place.ts";
import { runProgram } from "../_program.ts";

const ANSWER_TIMEOUT_MS = 40_000;
const CHILD = fileURLToPath(new URL("./_map_writer.ts", import.meta.url));
/**
 * Freezes a process: the kernel does not run it, though nothing in /proc says that it is stopped.
 * The second version of control groups is mounted alone, or beside the first. Prints where; a shell
 * does it, since the runtime keeps out of /sys.
 */
const FREEZE = `for place in /sys/fs/cgroup /sys/fs/cgroup/unified; do
  group=$place/pbkfs-test-$1
  [ -e $place/cgroup.procs ] && mkdir $group 2>/dev/null || continue
  [ -e $group/cgroup.freeze ] && echo $1 >$group/cgroup.procs && echo 1 >$group/cgroup.freeze &&
    until grep -q 'frozen 1' $group/cgroup.events; do sleep 0.1; done && echo $group && exit
  rmdir $group
done`;
const THAW = `echo 0 >$1/cgroup.freeze; until rmdir $1; do sleep 0.1; done`;

const shell = (script: string, argument: string) =>
  runCommand(["sh", "-c", script, "sh", argument], { timeoutMs: 20_000, check: false });

async function answer(args: readonly string[]) {
  const start = performance.now();
  const result = await runProgram(args);
  assert.ok(performance.now() - start < ANSWER_TIMEOUT_MS, `${args.join(" ")} took too long`);
  return result;
}

mountTest(
  "no unmount waits for a worker that hangs, with changed pages in memory or without",
  async (place) => {
    await place.mustMount();
    const pid = place.workerPid;
    const args = [Deno.execPath(), "run", "-A", "--quiet", CHILD, `${place.mnt}/base/5/16396`];
    const writer = new RunningCommand(args);
    let group = "";
    try {
      await waitUntil(() => writer.stdout.includes("mapped"), 20_000, () => writer.stderr);
      group = (await shell(FREEZE, `${pid}`)).stdout.trim();
      if (group === "") return console.log("left out: no control groups here");
      Deno.kill(writer.pid!, "SIGUSR1");
      await waitUntil(() => writer.stdout.includes("changed"), 20_000, () => writer.stderr);
      // It cannot end before its pages are written, and so the mount is in use.
      const busy = await answer(["unmount", "-D", place.mnt]);
      assert.equal(busy.code, 1);
      assert.match(busy.stderr, new RegExp(`target is busy: ${place.mnt}.*--force`));
      assert.ok(isMounted(place.mnt));
      using waiting = HostProcess.open(writer.pid!);
      assert.ok(waiting !== undefined && waiting.state !== "ended", "the writer waits");
      const forced = await answer(["unmount", "-D", place.mnt, "--force"]);
      assert.equal(forced.code, 0, forced.stderr);
      assert.ok(!isMounted(place.mnt));
      using process = HostProcess.open(pid);
      assert.ok(process === undefined || process.state === "ended");
      await writer.wait(10_000);
    } finally {
      if (group !== "") await shell(THAW, group);
      writer.signalGroup("SIGKILL");
      await writer.wait(10_000);
    }
  },
);

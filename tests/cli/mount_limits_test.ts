import assert from "node:assert/strict";
import { runCommand, waitUntil } from "#tests/support/process.ts";
import { LAST_ID, mountTest } from "./_mount_place.ts";
import { MAIN_MODULE, MOUNT_PERMISSIONS } from "./_program.ts";

const TIMEOUT_MS = 60_000;
const SYS_RESOURCE = 24n;

/** Root in a container may lack the capability to raise hard limits. */
async function mayRaiseLimits(): Promise<boolean> {
  const { stdout } = await runCommand(["cat", "/proc/self/status"], { timeoutMs: TIMEOUT_MS });
  const [, effective] = /^CapEff:\s*([\da-f]+)$/m.exec(stdout)!;
  return (BigInt(`0x${effective}`) >> SYS_RESOURCE & 1n) === 1n;
}

mountTest("mount raises the limit of open files, as root above the hard one", async (place) => {
  const program = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--cached-only"]
    .concat(MOUNT_PERMISSIONS, MAIN_MODULE);
  const mount = program.concat("mount", place.places, "-I", "main", "-i", LAST_ID, "--wait");
  const limited = ["sh", "-c", 'ulimit -Sn 512 && ulimit -Hn 1024 && exec "$@"', "sh", ...mount];
  await runCommand(limited, { timeoutMs: TIMEOUT_MS });
  const { stdout } = await runCommand(
    ["prlimit", "--pid", String(place.workerPid), "--nofile", "--noheadings", "-o", "SOFT"],
    { timeoutMs: TIMEOUT_MS },
  );
  const max = (await runCommand(["cat", "/proc/sys/fs/nr_open"], { timeoutMs: TIMEOUT_MS })).stdout;
  assert.equal(Number(stdout), await mayRaiseLimits() ? Number(max) : 1024);
});

mountTest("mount logs that it may not open more files, once", async (place) => {
  await place.mustMount();
  await place.shell("for i in $(seq 200); do echo $i >new$i; done");
  const pid = String(place.workerPid);
  const lower = ["prlimit", "--pid", pid, "--nofile=120:"];
  await runCommand(lower, { timeoutMs: TIMEOUT_MS });
  const script = 'for i in $(seq 200); do eval "exec $((i + 10))<new$i" || exit 0; done; exit 1';
  const open = ["bash", "-c", `ulimit -n 1024; cd "$1"; ${script}`, "bash", place.mnt];
  for (let round = 0; round < 3; round++) {
    const { stderr } = await runCommand(open, { timeoutMs: TIMEOUT_MS, check: false });
    assert.match(stderr, /Too many open files/);
    await runCommand(["sh", "-c", 'echo x >"$1/other"', "sh", place.mnt], {
      timeoutMs: TIMEOUT_MS,
      check: false,
    });
  }
  const lines = () =>
    place.log.match(/EMFILE \(too many open files\): the worker may have 120 files open/g)
      ?.length ?? 0;
  await waitUntil(() => lines() > 0, 10_000, () => place.log);
  assert.doesNotMatch(place.log, /cause=|of node/, "it is not taken for a fault of the backup");
  // Once a thread.
  assert.ok(lines() <= 4, place.log);
  await runCommand(["prlimit", "--pid", pid, "--nofile=1000:"], { timeoutMs: TIMEOUT_MS });
});

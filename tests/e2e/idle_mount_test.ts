import assert from "node:assert/strict";
import { MountPlace } from "#tests/support/pbkfs.ts";
import { fixtureBackupIds, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { runCommand, waitUntil } from "#tests/support/process.ts";

const FIXTURE = "b-stream-zlib";
/**
 * What is reached is below 60; the sources, compiled as they run, take more than the executable.
 */
const MEBIBYTES_MAX = 80;

const IDLE_MS = 3000;
/** Of Linux's counters of processor time, a second. */
const CLOCK_TICKS = 100;

/** Proportional set size: pages that several processes share count in part. */
async function proportionalMebibytes(pid: number): Promise<number> {
  const { stdout } = await runCommand(["cat", `/proc/${pid}/smaps_rollup`], { timeoutMs: 10_000 });
  return Number(/^Pss:\s+(\d+) kB/m.exec(stdout)?.[1]) / 1024;
}

const options = { ignore: Deno.uid() !== 0 || Deno.env.get("PBKFS_BIN") === undefined };

Deno.test("a mount that nobody asks anything gives back what its start took", options, async () => {
  const fixture = await pgprobackupFixture(FIXTURE);
  assert.ok(fixture);
  await using place = new MountPlace("idle-memory");
  const backupId = fixtureBackupIds(fixture).at(-1) ?? "";
  await place.mount({ store: fixture.catalog, instance: "main", backupId });
  const { pid } = JSON.parse(Deno.readTextFileSync(`${place.root}/.pbkfs/worker.pid`));
  let last = 0;
  await waitUntil(
    async () => (last = await proportionalMebibytes(pid)) < MEBIBYTES_MAX,
    20_000,
    () => `the memory to become less than ${MEBIBYTES_MAX} MiB; it is ${last}`,
  );
  await place.unmount();
});

/** Time on processors, in seconds. */
async function processorSeconds(pid: number): Promise<number> {
  const { stdout } = await runCommand(["cat", `/proc/${pid}/stat`], { timeoutMs: 10_000 });
  const fields = stdout.split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

Deno.test("a mount that nobody asks anything takes no processor time", options, async () => {
  const fixture = await pgprobackupFixture(FIXTURE);
  assert.ok(fixture);
  await using place = new MountPlace("idle-time");
  const backupId = fixtureBackupIds(fixture).at(-1) ?? "";
  await place.mount({ store: fixture.catalog, instance: "main", backupId });
  const pid = place.workerPid();
  const file = Deno.openSync(`${place.root}/scratch`, { write: true, create: true });
  // Requests one after the other by one thread make the workers poll for the next.
  for (let i = 0; i < 200; i++) file.syncDataSync();
  const before = await processorSeconds(pid);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const seconds = await processorSeconds(pid) - before;
  assert.ok(seconds < IDLE_MS / 1000 / 4, `${seconds} s of processor time in ${IDLE_MS} ms`);
  file.close();
  await place.unmount();
});

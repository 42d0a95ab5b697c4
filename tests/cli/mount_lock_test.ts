/**
 * While a backup is mounted, pg_probackup sees a reader of its chain.
 */

import assert from "node:assert/strict";
import { getEffectiveUid, kill, readSmallFile } from "#ffi/libc/calls.ts";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { copyCatalog } from "#tests/support/pgprobackup_fixtures.ts";
import { waitUntil } from "#tests/support/process.ts";
import { exists, LAST_ID, MountPlace, mountTest, SIGKILL } from "./_mount_place.ts";
import { runProgram } from "./_program.ts";

const IDS = ["TOTXMX", "TOTXO5", "TOTXPE", LAST_ID];

/** A mount place over a catalog of its own. */
function ownPlace(from: string): MountPlace {
  const place = new MountPlace(from);
  copyCatalog(from, place.directory.join("catalog"));
  return place;
}

const directoryOf = (place: MountPlace, id: string) =>
  `${place.directory.join("catalog")}/backups/main/${id}`;

function mount(place: MountPlace, ...args: string[]) {
  const store = place.directory.join("catalog");
  return runProgram(
    ["mount", "-B", store, "-D", place.mnt, "-d", place.diff, "-I", "main", "-i", LAST_ID]
      .concat("--wait", ...args),
  );
}

async function mustMount(place: MountPlace, ...args: string[]): Promise<void> {
  const { code, stderr } = await mount(place, ...args);
  assert.equal(stderr, "");
  assert.equal(code, 0);
}

/** Processes that read each backup of the chain; undefined where none is entered. */
function readers(place: MountPlace): (number[] | undefined)[] {
  return IDS.map((id) => {
    const path = `${directoryOf(place, id)}/backup_ro.pid`;
    if (!exists(path)) return undefined;
    return Deno.readTextFileSync(path).trim().split("\n").map(Number);
  });
}

/** Whether a process is gone, or waits to be reaped. */
function hasEnded(pid: number): boolean {
  const status = readSmallFile(`/proc/${pid}/stat`);
  return typeof status === "number" || / Z /.test(new TextDecoder().decode(status));
}

const NOBODY = IDS.map(() => undefined);

mountTest(
  "pbkfs mount holds pg_probackup's read lock on the chain until the unmount",
  async ({ catalog }) => {
    await using place = ownPlace(catalog);
    await mustMount(place);
    const worker = findLockHolder(place.diff)!.pid!;
    assert.deepEqual(readers(place), IDS.map(() => [worker]));
    await place.mustUnmount();
    assert.deepEqual(readers(place), NOBODY);
    for (const id of IDS) {
      assert.deepEqual(
        [...Deno.readDirSync(directoryOf(place, id))].filter(({ name }) => name.includes(".pid")),
        [],
      );
    }
  },
);

mountTest("pbkfs mount --no-lock leaves the catalog as it is", async ({ catalog }) => {
  await using place = ownPlace(catalog);
  const times = () => IDS.map((id) => Deno.statSync(directoryOf(place, id)).mtime?.getTime());
  const before = times();
  await mustMount(place, "--no-lock");
  assert.deepEqual(readers(place), NOBODY);
  await place.mustUnmount();
  assert.deepEqual(times(), before);
});

mountTest("pbkfs mount goes on after a kill that left its lock", async ({ catalog }) => {
  await using place = ownPlace(catalog);
  await mustMount(place);
  const killed = findLockHolder(place.diff)!.pid!;
  kill(killed, SIGKILL);
  // The kernel frees the diff's lock a moment before the process is gone.
  await waitUntil(() => hasEnded(killed), 60_000, () => `process ${killed} lives`);
  assert.deepEqual(readers(place), IDS.map(() => [killed]));
  await mustMount(place);
  const worker = findLockHolder(place.diff)!.pid!;
  assert.deepEqual(readers(place), IDS.map(() => [worker]));
  await place.mustUnmount();
  assert.deepEqual(readers(place), NOBODY);
});

mountTest(
  "pbkfs mount refuses a chain that pg_probackup changes, unless told not to lock",
  async ({ catalog }) => {
    await using place = ownPlace(catalog);
    const changer = new Deno.Command("sleep", { args: ["100"] }).spawn();
    try {
      Deno.writeTextFileSync(`${directoryOf(place, "TOTXPE")}/backup.pid`, `${changer.pid}\n`);
      const { code, stderr } = await mount(place);
      assert.equal(code, 1);
      assert.match(stderr, /backup TOTXPE is being changed by process \d+ .*backup\.pid/);
      assert.match(stderr, /--no-lock/);
      assert.deepEqual(readers(place), NOBODY);
      await mustMount(place, "--no-lock");
      await place.mustUnmount();
    } finally {
      changer.kill("SIGKILL");
      await changer.status;
    }
  },
);

mountTest(
  "pbkfs mount takes a catalog that cannot be written, and the log says so",
  async ({ catalog }) => {
    if (getEffectiveUid() !== 0) return;
    await using place = ownPlace(catalog);
    const store = place.directory.join("catalog");
    const run = async (...args: string[]) =>
      (await new Deno.Command(args[0]!, { args: args.slice(1) }).output()).success;
    // A private place for a read-only mount may be forbidden, as in a container without rights.
    if (!await run("mount", "--bind", "-o", "ro", store, store)) return;
    try {
      await mustMount(place);
      assert.equal(await place.shell("cat PG_VERSION"), "15\n");
      assert.match(place.log, /chain not locked: .*EROFS/);
      await place.mustUnmount();
    } finally {
      await run("umount", "--lazy", store);
    }
  },
);

mountTest(
  "pbkfs mount as root locks another user's catalog by a process of that user",
  async ({ catalog }) => {
    if (getEffectiveUid() !== 0) return;
    await using place = ownPlace(catalog);
    const { success } = await new Deno.Command("chown", {
      args: ["-R", "65534:65534", place.directory.join("catalog")],
    }).output();
    assert.ok(success);
    await mustMount(place);
    const [keeper] = readers(place)[0]!;
    assert.deepEqual(readers(place), IDS.map(() => [keeper]));
    const { stdout } = await new Deno.Command("stat", {
      args: ["-c", "%u:%g", `/proc/${keeper}`, `${directoryOf(place, LAST_ID)}/backup_ro.pid`],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "65534:65534\n65534:65534\n");
    // It ends with the worker, however that ends.
    kill(findLockHolder(place.diff)!.pid!, SIGKILL);
    await waitUntil(() => hasEnded(keeper!), 60_000, () => `process ${keeper} lives`);
    await waitUntil(() => findLockHolder(place.diff) === undefined, 60_000, () => "still locked");
    await mustMount(place);
    await place.mustUnmount();
    assert.deepEqual(readers(place), NOBODY);
  },
);

mountTest(
  "A file of the chain that is gone or changed is named with the likely cause",
  async ({ catalog }) => {
    await using place = ownPlace(catalog);
    await mustMount(place);
    const file = `${directoryOf(place, "TOTXMX")}/database/base/5/16396`;
    Deno.truncateSync(file, Deno.statSync(file).size - 5000);
    Deno.removeSync(`${directoryOf(place, "TOTXMX")}/database/base/1/1255`);
    await place.shell("cat base/*/* >/dev/null 2>&1 || true");
    for (const path of ["base/5/16396", "base/1/1255"]) {
      const line = place.log.split("\n").find((each) => each.includes(path));
      assert.match(
        line!,
        /cause="a file of backup TOTXMX .*pg_probackup merge, delete or retention/,
      );
    }
    await place.mustUnmount();
  },
);

mountTest("A chain that is removed under a mount is named in its log", async ({ catalog }) => {
  await using place = ownPlace(catalog);
  await mustMount(place, "--no-lock");
  Deno.removeSync(directoryOf(place, "TOTXMX"), { recursive: true });
  await place.shell("cat base/*/* >/dev/null 2>&1 || true");
  assert.match(
    place.log,
    /request failed .*cause="backup TOTXMX is gone: .*pg_probackup delete or retention/,
  );
  await place.mustUnmount();
});

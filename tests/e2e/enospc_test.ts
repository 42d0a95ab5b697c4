/**
 * The disk of the diff directory is full: the application gets ENOSPC, and after space is freed
 * everything is there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { AcknowledgedInserts } from "#tests/support/acknowledged_inserts.ts";
import { assertPagesSound, assertRelationsSound } from "#tests/support/cluster_checks.ts";
import { MountPlace } from "#tests/support/pbkfs.ts";
import { fixtureBackupIds, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { PostgresServer } from "#tests/support/postgres.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { SmallDisk } from "#tests/support/small_disk.ts";

const DISK_MIB = 128;
const BALLAST_MIB = 48;
const FIXTURE = "a-stream-none";
const FILLER = fileURLToPath(new URL("./fill_child.ts", import.meta.url));

interface FullDisk {
  readonly place: MountPlace;
  readonly store: string;
  /** Makes space on the disk of the diff directory. */
  freeSpace(): void;
}

async function onSmallDisk(use: (full: FullDisk) => Promise<void>): Promise<void> {
  const fixture = await pgprobackupFixture(FIXTURE);
  assert.ok(fixture);
  await using disk = await SmallDisk.create(DISK_MIB);
  const ballast = disk.join("ballast");
  Deno.writeFileSync(ballast, new Uint8Array(BALLAST_MIB << 20));
  await using place = new MountPlace("enospc", disk.join("diff"));
  const backupId = fixtureBackupIds(fixture).at(-1) ?? "";
  await place.mountForServer({ store: fixture.catalog, instance: "main", backupId });
  await use({ place, store: fixture.catalog, freeSpace: () => Deno.removeSync(ballast) });
}

const options = { ignore: Deno.uid() !== 0 };

Deno.test("writes to a full disk end with ENOSPC and keep what was written", options, async () => {
  await onSmallDisk(async ({ place, freeSpace }) => {
    const child = denoRunCommand(["--allow-ffi"], FILLER, [place.root]);
    const filled = JSON.parse((await runCommand(child, { timeoutMs: 120_000 })).stdout);
    assert.deepEqual(filled.errors, { append: "ENOSPC", create: "ENOSPC", overwrite: "ENOSPC" });
    assert.ok(filled.writtenBytes > 10 << 20, `${filled.writtenBytes} bytes written`);
    assert.equal(filled.isContentKept, true);
    freeSpace();
    const again = JSON.parse((await runCommand(child, { timeoutMs: 120_000 })).stdout);
    assert.ok(again.writtenBytes > filled.writtenBytes, "free space can be used");
    await place.unmount();
  });
});

Deno.test("PostgreSQL recovers after the disk was full", options, async () => {
  await onSmallDisk(async ({ place, store, freeSpace }) => {
    const dataDirectory = place.root;
    const first = await PostgresServer.start({ version: 15, dataDirectory });
    let last = 0;
    try {
      const inserts = await AcknowledgedInserts.start(first);
      // Not compressed, so that it takes the space it says.
      const { code, stderr } = await first.trySql(
        `create table filler (t text);
         alter table filler alter t set storage external;
         insert into filler select repeat(md5(i::text), 200) from generate_series(1, 100000) i`,
      );
      last = await inserts.end();
      assert.notEqual(code, 0, "the disk was large enough");
      assert.match(
        stderr + first.log,
        /No space left on device/,
        "the server was told why",
      );
    } finally {
      await first.kill();
    }
    freeSpace();
    const second = await PostgresServer.start({ version: 15, dataDirectory });
    try {
      await AcknowledgedInserts.assertKept(second, last);
      await assertRelationsSound(second);
      await second.sql("insert into acknowledged values (0)");
    } finally {
      await second.stop();
    }
    await assertPagesSound(second);
    await place.unmount();
    await place.mountForServer({ store });
    await place.unmount();
  });
});

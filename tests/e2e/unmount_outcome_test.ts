/**
 * A disk that fails at the last sync: `unmount` says so, and the disk is free when it returns.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MountPlace, pbkfsCommand } from "#tests/support/pbkfs.ts";
import { fixtureBackupIds, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 120_000;

/**
 * An ext4 of 200 MiB on a disk that has only 14: what is more is taken by the cache, and fails when
 * it is written.
 */
const MAKE_DISK = `
mkdir "$1/store" "$1/disk" && mount -t tmpfs -o size=14M pbkfs-test "$1/store" || exit 77
truncate -s 200M "$1/store/image"
mkfs.ext4 -q -F -E lazy_itable_init=1,nodiscard -O ^has_journal "$1/store/image" || exit 77
mount -o loop,errors=continue "$1/store/image" "$1/disk" || exit 77
`;
const REMOVE_DISK = `umount -l "$1/disk"; umount -l "$1/store"; true`;

const sh = (script: string, ...args: readonly string[]) =>
  runCommand(["sh", "-c", script, "sh", ...args], { timeoutMs: TIMEOUT_MS, check: false });

async function onFailingDisk(use: (place: MountPlace, disk: string) => Promise<void>) {
  using home = new TempDirectory("failing");
  try {
    const made = await sh(MAKE_DISK, home.path);
    if (made.code === 77) return console.log(`left out: no such disk here: ${made.stderr}`);
    const fixture = await pgprobackupFixture("a-stream-none");
    assert.ok(fixture);
    const disk = home.join("disk");
    await using place = new MountPlace("failing", `${disk}/diff`);
    const backupId = fixtureBackupIds(fixture).at(-1) ?? "";
    await place.mount({ store: fixture.catalog, instance: "main", backupId });
    await use(place, disk);
  } finally {
    await sh(REMOVE_DISK, home.path);
  }
}

/** Files of the backup, which get maps, and files that are new, which get none. */
const WRITES = [
  [
    "pages of the backup",
    'dd if=/dev/urandom of="$1/base/5/16396" bs=8192 count=2600 conv=notrunc',
  ],
  ["new files only", 'dd if=/dev/urandom of="$1/new" bs=8192 count=2600'],
] as const;

for (const [what, script] of WRITES) {
  Deno.test({
    name: `unmount fails with the reason when the last sync does: ${what}`,
    ignore: Deno.uid() !== 0,
    fn: async () => {
      await onFailingDisk(async (place, disk) => {
        assert.equal((await sh(script, place.root)).code, 0, "the cache has taken it");
        const command = pbkfsCommand(["unmount", "-D", place.root, "--format", "json"]);
        const { code, stderr } = await runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
        assert.equal(code, 1, stderr);
        const error = JSON.parse(stderr);
        assert.match(error.code, /^(?:EIO|ENOSPC)$/);
        assert.match(error.message, /^unmounted, but cannot make all changes durable in/);
        const [safe, repair] = error.code === "ENOSPC"
          ? [/had synced .*is safe/, /Make room on its disk/]
          : [/had synced .*is as safe as the disk/, /Repair its disk/];
        assert.match(error.hint, safe);
        assert.match(error.hint, repair);
        assert.equal((await sh('umount "$1"', disk)).stderr, "", "the disk is free");
      });
    },
  });
}

/**
 * A diff directory belongs to a backup, wherever its catalog lies.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { crc32c } from "#src/bytes/crc32c.ts";
import { copyCatalog, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { exists, LAST_ID, MountPlace, mountTest } from "./_mount_place.ts";
import { runProgram } from "./_program.ts";

const INSTANCE = "backups/main";
const FIXTURES = fileURLToPath(new URL("../../../shared/fixtures/pg_probackup", import.meta.url));

/** A mount place over a catalog that may be changed, in which something was written. */
async function writtenPlace(from: string, backupId = LAST_ID): Promise<MountPlace> {
  const place = new MountPlace("");
  const store = place.directory.join("catalog");
  copyCatalog(from, store);
  const { code, stderr } = await runProgram(
    [
      "mount",
      "-B",
      store,
      "-D",
      place.mnt,
      "-d",
      place.diff,
      "-I",
      "main",
      "-i",
      backupId,
      "--wait",
    ],
  );
  assert.equal(code, 0, stderr);
  await place.shell("echo written >made && echo changed >>PG_VERSION");
  await place.mustUnmount();
  return place;
}

/** Mounts what the diff directory is bound to, with these arguments besides. */
function remount(place: MountPlace, ...args: string[]) {
  return runProgram(["mount", "-D", place.mnt, "-d", place.diff, "--wait", ...args]);
}

async function checkWritten(place: MountPlace): Promise<void> {
  assert.equal(await place.shell("cat made && tail -n 1 PG_VERSION"), "written\nchanged\n");
  await place.mustUnmount();
}

async function mustRemount(place: MountPlace, ...args: string[]): Promise<void> {
  const { code, stderr } = await remount(place, ...args);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  await checkWritten(place);
}

async function mustRefuse(place: MountPlace, says: RegExp, ...args: string[]): Promise<void> {
  const before = place.binding;
  const { code, stderr } = await remount(place, ...args);
  assert.equal(code, 1, stderr);
  assert.match(stderr, says);
  assert.deepEqual(place.binding, before);
}

function editList(store: string, id: string, edit: (text: string) => string): void {
  const directory = `${store}/${INSTANCE}/${id}`;
  const bytes = new TextEncoder().encode(
    edit(Deno.readTextFileSync(`${directory}/backup_content.control`)),
  );
  Deno.writeFileSync(`${directory}/backup_content.control`, bytes);
  const control = Deno.readTextFileSync(`${directory}/backup.control`);
  Deno.writeTextFileSync(
    `${directory}/backup.control`,
    control.replace(/content-crc = \d+/, `content-crc = ${crc32c(bytes)}`),
  );
}

mountTest(
  "A diff goes on when its catalog was moved, renamed or is reached by a link",
  async ({ catalog }) => {
    await using place = await writtenPlace(catalog);
    const store = place.directory.join("catalog");
    await mustRemount(place);
    const link = place.directory.join("link");
    Deno.symlinkSync(store, link);
    await mustRemount(place, "-B", link);
    const moved = place.directory.join("elsewhere");
    Deno.renameSync(store, moved);
    await mustRefuse(
      place,
      /mounted last from .*catalog", where there is none now[^]*Give .* with -B/,
    );
    await mustRefuse(place, /where there is none now/, "--force");
    await mustRemount(place, "-B", moved);
    await mustRemount(place);
    Deno.renameSync(`${moved}/backups/main`, `${moved}/backups/renamed`);
    await mustRemount(place);
    assert.equal(place.binding["instance_name"], "renamed");
  },
);

mountTest(
  "A diff can be unmounted and cleaned up when its catalog is gone",
  async ({ catalog }) => {
    await using place = await writtenPlace(catalog);
    const store = place.directory.join("catalog");
    assert.equal((await remount(place)).code, 0);
    Deno.renameSync(store, `${store}2`);
    await place.mustUnmount();
    const { code, stderr } = await runProgram(["cleanup", "-d", place.diff]);
    assert.equal(code, 0, stderr);
    assert.ok(!exists(`${place.diff}/data`));
  },
);

mountTest(
  "A diff is refused over the backup of another cluster, even if forced",
  async ({ catalog }) => {
    await using place = await writtenPlace(catalog);
    const store = place.directory.join("catalog");
    const config = `${store}/${INSTANCE}/pg_probackup.conf`;
    const text = Deno.readTextFileSync(config);
    Deno.writeTextFileSync(config, text.replace(/(system-identifier = ).*/, "$1123456789"));
    const says = /expected system identifier "\d+", got "123456789"/;
    await mustRefuse(place, says);
    await mustRefuse(place, says, "--force");
    Deno.writeTextFileSync(config, text);
    await mustRemount(place);
  },
);

mountTest(
  "A diff is refused over a backup whose list has changed, unless forced",
  async ({ catalog }) => {
    await using place = await writtenPlace(catalog);
    const store = place.directory.join("catalog");
    editList(store, LAST_ID, (list) => list.replace(/.*"path":"postgresql.conf".*\n/, ""));
    await mustRefuse(place, /backup TOTXQL has got another file list since/);
    assert.equal((await remount(place, "--force")).code, 0);
    assert.match(place.log, /mounted by force change="has got another file list"/);
    await checkWritten(place);
    await mustRemount(place);
  },
);

mountTest(
  "A diff with a record of an older program goes on, also in a moved catalog",
  async ({ catalog }) => {
    await using place = await writtenPlace(catalog);
    const { system_identifier, list_sha256, ...old } = place.binding;
    assert.ok(system_identifier !== undefined && list_sha256 !== undefined);
    const write = () =>
      Deno.writeTextFileSync(`${place.diff}/.pbkfs-binding.json`, JSON.stringify(old));
    write();
    await mustRemount(place);
    assert.equal(place.binding["list_sha256"], list_sha256);
    write();
    Deno.renameSync(place.directory.join("catalog"), place.directory.join("moved"));
    await mustRemount(place, "-B", place.directory.join("moved"));
    assert.equal(place.binding["system_identifier"], system_identifier);
  },
);

mountTest("A diff over a backup that is gone says what became of it", async ({ catalog }) => {
  await using place = await writtenPlace(catalog, "TOTXPE");
  const store = place.directory.join("catalog");
  const backup = `${store}/${INSTANCE}/TOTXPE`;
  Deno.removeSync(backup, { recursive: true });
  await mustRefuse(
    place,
    /Cannot find backup TOTXPE.*it was deleted or merged, or this is another/,
  );
  const heir = `${store}/${INSTANCE}/${LAST_ID}/backup.control`;
  const text = Deno.readTextFileSync(heir);
  Deno.writeTextFileSync(heir, `${text}merge-time = '2026-11-25 10:00:00+00'\n`);
  await mustRefuse(place, /it was probably merged into TOTXQL/);
  const other = ["mount", ...place.places.slice(2), "-B", store, "-I", "none", "--wait"];
  assert.match((await runProgram(other)).stderr, /Cannot find instance "none"/);
});

const hasMerged = exists(`${FIXTURES}/g2-merged-full.tar.zst`);

/** Puts the catalog after a merge where the one before it was. */
async function replaceCatalog(place: MountPlace, fixture: string): Promise<void> {
  const store = place.directory.join("catalog");
  Deno.removeSync(store, { recursive: true });
  copyCatalog((await pgprobackupFixture(fixture))!.catalog, store);
}

Deno.test({
  name: "A diff over a backup that was merged is refused with the reason, and goes on if forced",
  ignore: !hasMerged,
  fn: async () => {
    await using place = await writtenPlace(
      (await pgprobackupFixture("b-stream-zlib"))!.catalog,
      "TOTXQV",
    );
    await replaceCatalog(place, "g2-merged-full");
    await mustRefuse(place, /backup TOTXQV was merged with its parents \(20.*Z\) since the diff/);
    assert.equal((await remount(place, "--force")).code, 0);
    assert.match(place.log, /mounted by force change="was merged with its parents/);
    await checkWritten(place);
    await mustRemount(place);
  },
});

Deno.test({
  name: "A diff over a backup whose parents were merged goes on: it shows the same",
  ignore: !hasMerged,
  fn: async () => {
    await using place = await writtenPlace(
      (await pgprobackupFixture("d-stream-mixed"))!.catalog,
      "TOTXRG",
    );
    await replaceCatalog(place, "g1-merged-partial");
    await mustRemount(place);
    assert.match(place.log, /chain of the backup has changed since the last mount/);
    assert.deepEqual(place.binding["chain"], ["TOTXOZ", "TOTXQ9", "TOTXRG"]);
  },
});

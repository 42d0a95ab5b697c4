import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { StateError } from "#src/errors.ts";
import { describeCatalog } from "#src/pgprobackup/mod.ts";
import {
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import { CatalogWriter } from "./_catalog_writer.ts";

const START = 1795226505;

interface OriginalBackup {
  readonly [key: string]: string | number;
}

for (const name of pgprobackupFixtureNames()) {
  Deno.test(`describeCatalog() agrees with what the original tool shows: ${name}`, async () => {
    const fixture = (await pgprobackupFixture(name))!;
    let original: { instance: string; backups: OriginalBackup[] }[];
    try {
      original = JSON.parse(Deno.readTextFileSync(`${fixture.expected}/show.json`));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    const { instances } = describeCatalog({ store: fixture.catalog });
    deepEqual(instances.map((each) => each.name), original.map((each) => each.instance));
    const shown = new Map(instances[0]!.backups.map((backup) => [backup.id, backup]));
    equal(shown.size, original[0]!.backups.length);
    for (const expected of original[0]!.backups) {
      const backup = shown.get(expected.id as string)!;
      const time = (text: unknown) =>
        typeof text === "string"
          ? new Date(text.replace(" ", "T") + ":00").toISOString()
          : undefined;
      deepEqual(
        {
          parent: backup.parent_id,
          mode: backup.mode,
          wal: backup.stream ? "STREAM" : "ARCHIVE",
          algorithm: backup.compress_algorithm,
          level: backup.compress_level,
          program: backup.program_version,
          server: backup.server_version,
          start: backup.start_time,
          end: backup.end_time,
          data: backup.data_bytes,
          wal_bytes: backup.wal_bytes,
          pgdata: backup.pgdata_bytes,
          status: backup.status,
          mountable: backup.mountable,
        },
        {
          parent: expected["parent-backup-id"],
          mode: expected["backup-mode"],
          wal: expected.wal,
          algorithm: expected["compress-alg"],
          level: expected["compress-level"],
          program: expected["program-version"],
          server: expected["server-version"],
          start: time(expected["start-time"]),
          end: time(expected["end-time"]),
          data: expected["data-bytes"],
          wal_bytes: expected["wal-bytes"],
          pgdata: expected["pgdata-bytes"],
          status: expected.status,
          mountable: true,
        },
        `${name} ${backup.id}`,
      );
    }
  });
}

Deno.test("describeCatalog() draws chains and tells why a backup cannot be mounted", () => {
  const store = Deno.makeTempDirSync({ prefix: "pbkfs-describe-" });
  try {
    const writer = new CatalogWriter(store);
    const entries = [{ path: "f", content: new TextEncoder().encode("x") }];
    const backup = (offset: number, parent?: number, control: Record<string, string> = {}) =>
      writer.write({
        startTime: START + offset,
        ...(parent === undefined ? {} : { parent: START + parent }),
        entries,
        control,
      });
    const full = backup(0);
    const first = backup(1, 0);
    const second = backup(2, 1, { status: "CORRUPT" });
    const third = backup(3, 0);
    const lost = backup(4, 99);
    Deno.mkdirSync(`${store}/backups/main/EMPTY1`);
    Deno.mkdirSync(`${store}/backups/main/.hidden`);
    const damaged = backup(5, undefined, { "content-crc": "5" });
    const [instance] = describeCatalog({ store }).instances;
    deepEqual(
      instance!.backups.map((each) => [
        each.branch + each.id,
        each.status,
        each.mountable,
        each.mountable_with_force,
      ]),
      [
        ["EMPTY1", "UNKNOWN", false, false],
        [full, "OK", true, false],
        [`├─ ${first}`, "OK", true, false],
        [`│  └─ ${second}`, "CORRUPT", false, true],
        [`└─ ${third}`, "OK", true, false],
        [lost, "OK", false, false],
        [damaged, "OK", false, false],
      ],
    );
    const reasons = new Map(instance!.backups.map((each) => [each.id, each.reason]));
    ok(/status CORRUPT/.test(reasons.get(second)!));
    ok(/is missing/.test(reasons.get(lost)!));
    ok(/CRC is/.test(reasons.get(damaged)!));
    ok(/ENOENT/.test(reasons.get("EMPTY1")!));
    const one = describeCatalog({ store, instance: "main", backupId: second.toLowerCase() });
    deepEqual(one.instances[0]!.backups.map((each) => [each.branch, each.chain]), [
      ["", [second, first, full]],
    ]);
    deepEqual(JSON.parse(JSON.stringify(one)), one);
    throws(() => describeCatalog({ store, backupId: "ZZZ" }), StateError);
    throws(() => describeCatalog({ store: `${store}/wal` }), StateError);
  } finally {
    Deno.removeSync(store, { recursive: true });
  }
});

Deno.test({
  name: "describeCatalog() lists tablespaces, external directories and the mix of compressions",
  ignore: !pgprobackupFixtureNames().includes("f-tablespace-external"),
  fn: async () => {
    const fixture = (await pgprobackupFixture("f-tablespace-external"))!;
    const { instances } = describeCatalog({ store: fixture.catalog, backupId: "TOTXT5" });
    const [backup] = instances[0]!.backups;
    deepEqual(backup!.tablespaces, [
      { oid: 16615, path: "/srv/pgbk/ts1" },
      { oid: 16616, path: "/srv/pgbk/ts2" },
    ]);
    deepEqual(backup!.external_directories, [
      { number: 1, path: "/srv/pgbk/ext/etc" },
      { number: 2, path: "/srv/pgbk/ext/second" },
    ]);
    deepEqual(backup!.compression_mix, { zlib: 419 });
  },
});

/** Settings of a recovery: what is written where, and what is refused before. */

import assert from "node:assert/strict";
import {
  type RecoverableBackup,
  recoveryFiles,
  type RestoredRecovery,
} from "#src/usecases/restore/recovery.ts";

const BACKUP: RecoverableBackup = {
  label: "TOTXQL",
  serverVersion: "15",
  stopLsn: "0/5000130",
  recoveryTime: Date.UTC(2026, 10, 21, 12, 0, 0) / 1000,
  needsArchive: false,
  archiveCommand: "pbkfs wal get -B '/it''s' --instance main %f %p",
};
const TIME = "2026-11-29T00:00:00.000Z";

function filesOf(
  request: RestoredRecovery | undefined,
  backup: Partial<RecoverableBackup> = {},
  autoConf = "# kept\nwork_mem = '4MB'\n",
): Record<string, string> {
  const files = recoveryFiles(request, { ...BACKUP, ...backup }, autoConf, TIME);
  return Object.fromEntries(files.map(({ name, text }) => [name, text]));
}

Deno.test("a backup with its own WAL gets no settings, and loses those of an earlier recovery", () => {
  assert.deepEqual(filesOf(undefined), {});
  const before = "a = 1\nrestore_command = 'x'\nrecovery_target_lsn='0/1'\n" +
    "include_if_exists = 'probackup_recovery.conf'\nb = 2\n";
  assert.deepEqual(filesOf(undefined, {}, before), { "postgresql.auto.conf": "a = 1\nb = 2\n" });
});

Deno.test("a backup without WAL recovers from the archive to its end", () => {
  const files = filesOf(undefined, { needsArchive: true });
  assert.equal(files["recovery.signal"], "");
  assert.equal(
    files["postgresql.auto.conf"],
    "# kept\nwork_mem = '4MB'\n\n" +
      `# recovery settings added by pbkfs restore of backup TOTXQL at '${TIME}'\n` +
      "recovery_target_timeline = 'current'\n" +
      "restore_command = 'pbkfs wal get -B ''/it''''s'' --instance main %f %p'\n",
  );
});

Deno.test("targets become the server's settings", () => {
  const conf = (request: RestoredRecovery) => filesOf(request)["postgresql.auto.conf"]!;
  const immediate = conf({ target: { type: "immediate" } });
  assert.match(immediate, /^recovery_target = 'immediate'$/m);
  assert.match(immediate, /^recovery_target_action = 'pause'$/m);
  const lsn = conf({
    target: { type: "lsn", value: "0/5000130" },
    isInclusive: false,
    action: "promote",
    timeline: "latest",
    restoreCommand: "cp /a/%f %p",
  });
  assert.match(lsn, /^recovery_target_lsn = '0\/5000130'$/m);
  assert.match(lsn, /^recovery_target_inclusive = 'false'$/m);
  assert.match(lsn, /^recovery_target_action = 'promote'$/m);
  assert.match(lsn, /^recovery_target_timeline = 'latest'$/m);
  assert.match(lsn, /^restore_command = 'cp \/a\/%f %p'$/m);
  assert.doesNotMatch(conf({ target: { type: "latest" } }), /recovery_target(_action)? /);
});

Deno.test("a standby has its own signal, and older servers a file of their own", () => {
  const standby = { standby: { primaryConninfo: "host=a" } };
  assert.deepEqual(Object.keys(filesOf(standby)), ["postgresql.auto.conf", "standby.signal"]);
  const old = filesOf({ ...standby, target: { type: "xid", value: "7" } }, {
    serverVersion: "9.6",
  });
  assert.deepEqual(Object.keys(old), ["recovery.conf"]);
  assert.match(old["recovery.conf"]!, /^standby_mode = 'on'$/m);
  assert.match(old["recovery.conf"]!, /^recovery_target_xid = '7'$/m);
  assert.doesNotMatch(old["recovery.conf"]!, /timeline/);
});

Deno.test("what no server can reach is refused before anything is restored", () => {
  const code = (target: RestoredRecovery["target"]) => {
    try {
      recoveryFiles({ target }, BACKUP, "", TIME);
      return "accepted";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  assert.equal(code({ type: "lsn", value: "0/500012F" }), "not-found");
  assert.equal(code({ type: "lsn", value: "0/5000130" }), "accepted");
  assert.equal(code({ type: "lsn", value: "5000130" }), "usage");
  assert.equal(code({ type: "xid", value: "-1" }), "usage");
  assert.equal(code({ type: "name", value: "x".repeat(64) }), "usage");
  assert.equal(code({ type: "time", value: "2026-11-21 11:59:59+00" }), "not-found");
  assert.equal(code({ type: "time", value: "2026-11-21 13:59:59.5+02" }), "not-found");
  assert.equal(code({ type: "time", value: "2026-11-21 17:30:00+0530" }), "accepted");
  // Nobody here knows the server's zone.
  assert.equal(code({ type: "time", value: "2026-11-21 11:59:59" }), "accepted");
  assert.equal(code({ type: "time", value: "yesterday\n" }), "usage");
  assert.throws(
    () => recoveryFiles({ timeline: "0x2" }, BACKUP, "", TIME),
    { code: "usage" },
  );
  const withoutArchive = { ...BACKUP, archiveCommand: undefined };
  assert.throws(
    () => recoveryFiles({ target: { type: "immediate" } }, withoutArchive, "", TIME),
    { option: "restoreCommand" },
  );
});

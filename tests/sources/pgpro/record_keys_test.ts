import assert from "node:assert/strict";
import {
  backupSource,
  type BackupToBind,
  checkBackupKeys,
  readBackupKeys,
} from "#src/sources/pgpro/record_keys.ts";
import { FormatError, StateError } from "#src/errors.ts";
import { type Binding, checkSource, recordedSource } from "#src/overlay/binding.ts";
import type { BackupIdentity } from "#src/pgprobackup/mod.ts";

const IDENTITY: BackupIdentity = {
  systemIdentifier: "7710439117343273641",
  backupId: "TOTXQL",
  chain: ["TOTXMX", "TOTXPE", "TOTXQL"],
  listDigest: "5".repeat(64),
  mergeTime: undefined,
};

const BACKUP: BackupToBind = {
  identity: IDENTITY,
  instance: "main",
  storePath: "/store",
  mountPath: "/mnt",
  former: undefined,
};

/** The record of a diff over a backup. */
function recordOf(changes: Partial<BackupToBind> = {}, version: 1 | 2 = 2): Binding {
  const source = backupSource({ ...BACKUP, ...changes });
  return {
    ...source.keys,
    format_version: version,
    binding_id: "f3b0a1de-6f0e-4c42-8f4e-5d1c7f0b6a11",
    nonce: "0".repeat(32),
    ...(version === 1 ? {} : { source: recordedSource(source) }),
    created_at: 1,
    last_used_at: 1,
    owner_pid: 1,
    owner_host: "h",
    pbkfs_version: "0.1.0",
    state: "Released",
    xattrs_used: false,
  };
}

function sourceOf(change: Partial<BackupIdentity>) {
  return backupSource({ ...BACKUP, identity: { ...IDENTITY, ...change } });
}

function failsWith(code: string) {
  return (error: unknown) => error instanceof StateError && error.code === code;
}

Deno.test("backupSource() has the keys that scripts read", () => {
  assert.deepEqual(backupSource(BACKUP).keys, {
    instance_name: "main",
    backup_id: "TOTXQL",
    chain: IDENTITY.chain,
    pbk_store_path: "/store",
    pbk_target_path: "/mnt",
    system_identifier: IDENTITY.systemIdentifier,
    list_sha256: IDENTITY.listDigest,
  });
});

Deno.test("A backup that is not the bound one is refused, with records of both versions", () => {
  const others: [Partial<BackupIdentity>, code: string][] = [
    [{ backupId: "TOTXQM", chain: ["TOTXMX", "TOTXPE", "TOTXQM"] }, "bound-elsewhere"],
    [{ systemIdentifier: "7" }, "bound-elsewhere"],
    [{ listDigest: "6".repeat(64) }, "backup-changed"],
    [{ chain: ["TOTXMX", "TOTXPF", "TOTXQL"] }, "backup-changed"],
    [{ chain: ["TOTXQL"], mergeTime: 1795226505 }, "backup-changed"],
  ];
  for (const record of [recordOf({}, 1), recordOf()]) {
    for (const [change, code] of others) {
      const source = sourceOf(change);
      assert.throws(() => checkSource(record, source, false), failsWith(code));
      if (code === "backup-changed") assert.ok(checkSource(record, source, true) !== undefined);
      else assert.throws(() => checkSource(record, source, true), failsWith(code));
    }
  }
});

Deno.test("What became of a backup is said, and what does not matter is not", () => {
  for (const record of [recordOf({}, 1), recordOf()]) {
    const messageOf = (change: Partial<BackupIdentity>) => {
      try {
        return checkSource(record, sourceOf(change), false) ?? "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    assert.match(
      messageOf({ chain: ["TOTXQL"], listDigest: "6".repeat(64), mergeTime: 1795226505 }),
      /backup TOTXQL was merged with its parents \(2026-11-21T02:01:45Z\) since the diff/,
    );
    assert.match(messageOf({ listDigest: "6".repeat(64) }), /has got another file list/);
    assert.match(
      messageOf({ chain: ["A", "TOTXQL"] }),
      /another chain \(A TOTXQL instead of TOTXMX TOTXPE TOTXQL\)/,
    );
    assert.equal(messageOf({ chain: ["TOTXPE", "TOTXQL"] }), "", "its parents were merged");
    assert.equal(messageOf({ systemIdentifier: undefined }), "", "the configuration is gone");
    assert.equal(messageOf({}), "");
  }
});

Deno.test("A record from before the marks is bound by its ids", () => {
  const { system_identifier: _, list_sha256: __, ...old } = recordOf({}, 1);
  for (const change of [{ backupId: "A" }, { chain: ["TOTXQL"] }, { chain: ["A"] }]) {
    assert.throws(() => checkSource(old, sourceOf(change), false), StateError);
  }
  assert.equal(checkSource(old, sourceOf({}), false), undefined);
});

Deno.test("The cluster is remembered when the configuration is gone", () => {
  const former = readBackupKeys(recordOf(), "/diff");
  const identity = { ...IDENTITY, systemIdentifier: undefined };
  const { keys } = backupSource({ ...BACKUP, identity, former });
  assert.equal(keys?.["system_identifier"], IDENTITY.systemIdentifier);
});

Deno.test("checkBackupKeys() refuses another backup", () => {
  const keys = readBackupKeys(recordOf(), "/diff");
  checkBackupKeys(keys, undefined);
  checkBackupKeys(keys, "totxql");
  assert.throws(() => checkBackupKeys(keys, "TOTXMX"), failsWith("bound-elsewhere"));
});

Deno.test("records keep the kind that released programs write, whatever users type", () => {
  const { kind, name } = recordOf().source!;
  assert.equal(kind, "pg_probackup");
  assert.equal(name, "pgpro:/store#main/TOTXQL");
});

Deno.test("readBackupKeys() refuses keys that are damaged, and records of other sources", () => {
  const good = recordOf();
  const damages: Record<string, unknown>[] = [
    { instance_name: "../../etc" },
    { backup_id: "a/b" },
    { backup_id: ".." },
    { backup_id: "" },
    { chain: [] },
    { chain: ["a", 5] },
    { pbk_store_path: "relative" },
    { system_identifier: "x" },
    { system_identifier: 7 },
    { list_sha256: "5" },
  ];
  for (const damage of damages) {
    assert.throws(() => readBackupKeys({ ...good, ...damage }, "x"), FormatError);
  }
  const foreign = { ...good, source: { ...good.source!, kind: "pxar" } };
  assert.throws(() => readBackupKeys(foreign, "x"), failsWith("bound-elsewhere"));
});

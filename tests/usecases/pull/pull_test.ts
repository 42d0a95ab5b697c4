import assert from "node:assert/strict";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import { LocalClient } from "#src/backup/client/local_client.ts";
import type { ChangeDetectionMode } from "#src/backup/backup_options.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { type BackupCrypt, type NewBackup, runBackup } from "#src/usecases/datastore/backup.ts";
import { runPull } from "#src/usecases/pull/run_pull.ts";
import { makeEverythingTree } from "#tests/support/everything_tree.ts";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const NOTHING = () => {};
const callbacks = {
  onArchive: NOTHING,
  onEntry: NOTHING,
  onProgress: NOTHING,
  onProblem: NOTHING,
  onWarning: NOTHING,
  onRetry: NOTHING,
};

function newBackup(path: string, mode: ChangeDetectionMode, id: string): NewBackup {
  return {
    specs: [{ kind: "pxar", name: "root.pxar", path }],
    group: { ns: ROOT_NAMESPACE, type: "host", id },
    time: undefined,
    owner: undefined,
    mode,
    chunkSize: 64 << 10,
    workers: 1,
    build: { exclude: ["*.tmp"] },
  };
}

function digests(store: Datastore, id: string): string[] {
  const { last } = store.groupInfo({ ns: ROOT_NAMESPACE, type: "host", id });
  return store.manifest(last!).files
    .filter(({ filename }) => filename.includes("pxar"))
    .map(({ filename, csum }) => `${filename} ${csum}`);
}

Deno.test("A client is backed up as the same tree here, in all modes and crypt modes", async () => {
  await using disk = await MemoryDisk.create();
  using place = new TempDirectory("pull");
  const tree = place.path;
  await makeEverythingTree(tree, 200, 1 << 20);
  Deno.writeTextFileSync(`${tree}/deep/.pxarexclude`, "d2\n");
  const path = disk.join("store");
  Datastore.create(path);
  const key = new CryptConfig(new Uint8Array(32).fill(7));
  const crypts: BackupCrypt[] = [
    { mode: "none", crypt: undefined, encryptedKey: undefined },
    { mode: "sign-only", crypt: key, encryptedKey: undefined },
    { mode: "encrypt", crypt: key, encryptedKey: undefined },
  ];
  for (const keys of crypts) {
    for (const mode of ["legacy", "data", "metadata", "metadata"] as const) {
      const here = `${keys.mode}-here`;
      const pulled = `${keys.mode}-pulled`;
      using stack = new DisposableStack();
      const store = stack.adopt(Datastore.open(path, { access: "write" }), (it) => it.close());
      const local = runBackup(store, newBackup(tree, mode, here), keys, callbacks);
      const remote = await runPull(
        () => new LocalClient(new HostAccessor()),
        { backup: newBackup(tree, mode, pulled), store: { kind: "directory", path }, keys },
        callbacks,
      );
      assert.deepEqual(digests(store, pulled), digests(store, here), `${mode}, ${keys.mode}`);
      const [a] = local.report.archives;
      const [b] = remote.report.archives;
      assert.deepEqual({ ...b!.build!.counts }, { ...a!.build!.counts });
      assert.equal(b!.build!.excludedCount, a!.build!.excludedCount);
      assert.equal(b!.reuse?.reusedFileCount, a!.reuse?.reusedFileCount);
      assert.equal(remote.report.isPartial, false);
    }
  }
});

import assert from "node:assert/strict";
import { assembleSnapshot, backup, parseBackupSpec } from "#src/backup/mod.ts";
import { UsageError } from "#src/errors.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CRYPT = new CryptConfig(new Uint8Array(32).fill(1));
const OTHER_CRYPT = new CryptConfig(new Uint8Array(32).fill(2));

function groupOf(id: string) {
  return { ns: ROOT_NAMESPACE, type: "host", id } as const;
}

Deno.test("assembleSnapshot() makes encrypted snapshots of those with the same key only", () => {
  using place = new TempDirectory("assemble");
  Deno.mkdirSync(place.join("tree"));
  Deno.writeTextFileSync(place.join("tree/file"), "content");
  Deno.mkdirSync(place.join("store/.chunks"), { recursive: true });
  const store = Datastore.open(place.join("store"), { access: "write", syncLevel: "none" });
  const encryptedKey = new TextEncoder().encode("sealed");
  const { snapshot } = backup(
    store.startSnapshot({ group: groupOf("a"), crypt: CRYPT }),
    [parseBackupSpec(`root.pxar:${place.join("tree")}`)],
    { encryptedKey },
  );
  const old = store.openSnapshot(snapshot!.id, { crypt: CRYPT });
  const parts = ["root.pxar", "rsa-encrypted.key"].map((archive) => ({ snapshot: old, archive }));
  assert.throws(
    () => assembleSnapshot(store.startSnapshot({ group: groupOf("b"), crypt: OTHER_CRYPT }), parts),
    UsageError,
  );
  const made = assembleSnapshot(
    store.startSnapshot({ group: groupOf("b"), crypt: CRYPT }),
    parts,
  );
  old.close();
  const copy = store.openSnapshot(made.snapshot.id, { crypt: CRYPT });
  assert.deepEqual(copy.blob("rsa-encrypted.key.blob"), encryptedKey);
  copy.close();
  store.close();
});

/**
 * An encrypted backup of two directories, and what is read back of it.
 *
 *     deno run -A --unstable-worker-options examples/encrypted_pull.ts DIRECTORY DIRECTORY DATASTORE
 *
 * @module
 */

import { HostAccessor, LocalClient, readFileRange } from "@pbkfs/pbkfs/backup";
import { CryptConfig } from "@pbkfs/pbkfs/pbs";
import { BackupStore } from "@pbkfs/pbkfs/pull";

const [first, second, datastore] = Deno.args;
const crypt = new CryptConfig(crypto.getRandomValues(new Uint8Array(32)));
using store = await BackupStore.open(datastore!);
const { details, isPartial } = await store.pull(new LocalClient(new HostAccessor()), {
  id: "secret",
  roots: { "first.pxar": first!, "second.pxar": second! },
  mode: "data",
  keys: { mode: "encrypt", crypt, encryptedKey: undefined },
});
const snapshots = store.snapshots();
const reader = snapshots.openSnapshot(details.id, { crypt });
const [name] = Deno.readDirSync(first!).filter(({ isFile }) => isFile).map(({ name }) => name);
const pieces = [...readFileRange(reader, { archive: "first.pxar", path: `/${name}` })];
console.log(`complete: ${!isPartial}; ${name}: ${new TextDecoder().decode(pieces[0])}`);
reader.close();
snapshots.close();

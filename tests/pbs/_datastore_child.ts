/**
 * Reads what the plain snapshots of a datastore have, with no more than the permission to read.
 *
 * @module
 */

import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { StateError } from "#src/errors.ts";
import { Datastore } from "#src/pbs/datastore.ts";

const [path] = Deno.args;
const STEP_SIZE = 1 << 20;

let writeError = "";
try {
  Datastore.open(path!, { access: "write" });
} catch (error) {
  writeError = (error as Error).name;
}

const store = Datastore.open(path!);
const buffer = plainBuffer(STEP_SIZE);
let bytes = 0;
let snapshots = 0;
for (const ns of store.namespaces()) {
  for (const id of store.groups(ns).flatMap((group) => store.snapshots(group))) {
    snapshots++;
    if (store.snapshotInfo(id).keyFingerprint !== undefined) continue;
    const reader = store.openSnapshot(id);
    for (const { filename } of reader.manifest.files) {
      if (filename.endsWith(".blob")) {
        bytes += reader.blob(filename).length;
        continue;
      }
      const source = reader.openArchive(filename);
      try {
        for (let offset = 0; offset < source.size; offset += STEP_SIZE) {
          bytes += source.readAt(buffer, 0, STEP_SIZE, offset);
        }
      } catch (error) {
        // The golden store that is committed has not all chunks.
        if (!(error instanceof StateError)) throw error;
      }
    }
    reader.close();
  }
}
store.close();
console.log(JSON.stringify({ writeError, snapshots, bytes }));

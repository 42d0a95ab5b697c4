/**
 * Backs up a directory of this host as if it were another one's: `LocalClient` is the client for
 * tests, and for what is mounted here.
 *
 *     deno run -A --unstable-worker-options examples/pull_local_directory.ts DIRECTORY DATASTORE
 *
 * @module
 */

import { HostAccessor, LocalClient } from "@pbkfs/pbkfs/backup";
import { BackupStore } from "@pbkfs/pbkfs/pull";

const [directory, datastore] = Deno.args;
using store = await BackupStore.open(datastore!);
const before = store.previous({ id: "example" });
console.log(`last backup: ${before === undefined ? "none" : before.id.time}`);
const result = await store.pull(new LocalClient(new HostAccessor()), {
  id: "example",
  roots: { "root.pxar": directory! },
  mode: "metadata",
  build: { exclude: ["*.tmp"] },
  onProblem: ({ path, message }) => console.error(`${path}: ${message}`),
});
const reused = Math.round(100 * result.reusedShare);
console.log(`${result.snapshot}: ${result.fileCount} files, ${reused} % were there already`);

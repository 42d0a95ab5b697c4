/**
 * Mounts the memory tree in a process of its own: `serve.ts MOUNT_POINT`. Prints `mounted` when it answers; ends on SIGTERM.
 *
 * @module
 */

import { mountFileSystem } from "#src/mount/mod.ts";
import { workerModule } from "./mounted.ts";

const mount = await mountFileSystem({
  mountPoint: Deno.args[0]!,
  fsname: "pbkfs-test",
  allowOther: false,
  description: { kind: "memory" },
  workerUrl: workerModule("tree_worker.ts"),
});
Deno.addSignalListener("SIGTERM", () => mount.unmount());
console.log("mounted");
await mount.closed;
Deno.exit(0);

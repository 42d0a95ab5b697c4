/**
 * Mounts the memory tree in a process of its own: `serve.ts MOUNT_POINT [LIBFUSE]`. Prints
 * `mounted` when it answers; ends on SIGTERM.
 *
 * @module
 */

import { loadLibfuse3 } from "#ffi/libfuse3/load.ts";
import { mountFileSystem } from "#src/mount/mod.ts";
import { workerModule } from "./mounted.ts";

const [mountPoint, libfusePath] = Deno.args;
const { version } = loadLibfuse3(libfusePath);
const mount = await mountFileSystem({
  mountPoint: mountPoint!,
  fsname: "pbkfs-test",
  allowOther: false,
  description: { kind: "memory" },
  workerUrl: workerModule("tree_worker.ts"),
  libfusePath,
});
Deno.addSignalListener("SIGTERM", () => mount.unmount());
console.log(`mounted, libfuse ${version.major}.${version.minor}.${version.hotfix}`);
await mount.closed;
Deno.exit(0);

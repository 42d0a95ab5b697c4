/**
 * The command line of the background worker: this program again, with the same arguments.
 *
 * @module
 */

import { HANDSHAKE_FLAG } from "#src/usecases/mounting/handshake.ts";
import { buildKind } from "../build_kind.ts";

/** What a mount reads of its environment. */
const VARIABLES = [
  "ALL_PROXY",
  "BACKUP_PATH",
  "PBKFS_FS_WORKERS",
  "PBKFS_LOG",
  "PBKFS_MATERIALIZE_ON_READ",
  "PBS_NAMESPACE",
  "PBS_REPOSITORY",
  "SSL_CERT_FILE",
];
/** The permissions a mount needs when run from source; docs/permissions.md says why. */
const MOUNT_PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-run",
  `--allow-env=${VARIABLES.join(",")}`,
];

/**
 * The command that starts this program again as the worker, with the arguments of this run.
 *
 * @param usesNetwork whether what it mounts is on a server
 */
export function workerCommand(args: readonly string[], usesNetwork = false): string[] {
  const program = buildKind() === "source"
    ? [
      "run",
      "--no-prompt",
      ...MOUNT_PERMISSIONS,
      // Only one thread keeps it (`threads/network_thread.ts`).
      ...usesNetwork ? ["--allow-net"] : [],
      new URL("../../../main.ts", import.meta.url).href,
    ]
    : [];
  return [Deno.execPath(), ...program, ...args, HANDSHAKE_FLAG];
}

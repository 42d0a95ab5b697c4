/**
 * The command by which a server fetches WAL: this program again.
 *
 * @module
 */

import { shellWord } from "#src/bytes/shell_word.ts";
import { buildKind } from "./build_kind.ts";

/** The permissions of `wal get` when run from source; docs/permissions.md says why. */
const WAL_PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-env=BACKUP_PATH"];

/** A `restore_command` that reads the archive of an instance of a catalog. */
export function walGetCommand(store: string, instance: string): string {
  const program = buildKind() === "source"
    ? ["run", "--no-prompt", ...WAL_PERMISSIONS, new URL("../../main.ts", import.meta.url).pathname]
    : [];
  const words = [Deno.execPath(), ...program, "wal", "get", "-B", store, "--instance", instance];
  // The server replaces %f and %p, and takes %% for the sign itself.
  return `${words.map((word) => shellWord(word).replaceAll("%", "%%")).join(" ")} %f %p`;
}

/**
 * Space in memory, where no disk counts.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const MOUNT_TIMEOUT_MS = 10_000;

/** Calls with a tmpfs of a size as mount(8) has it: `2g`. Needs root. */
export async function withTmpfs(
  size: string,
  call: (path: string) => void | Promise<void>,
): Promise<void> {
  using place = new TempDirectory("bench");
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${size}`, "pbkfs-bench", place.path];
  await runCommand(mount, { timeoutMs: MOUNT_TIMEOUT_MS });
  try {
    await call(place.path);
  } finally {
    await runCommand(["umount", place.path], { timeoutMs: MOUNT_TIMEOUT_MS });
  }
}

/**
 * Mounts of archives for end-to-end tests.
 *
 * @module
 */

import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;

/** A mount point; whatever is mounted at the end is taken down. */
export class ArchiveMount implements AsyncDisposable {
  readonly home = new TempDirectory("archive");
  readonly root = this.home.join("mnt");

  constructor() {
    Deno.mkdirSync(this.root);
  }

  mount(archive: string, options: readonly string[] = []): Promise<CommandResult> {
    return pbkfs(["pxar", "mount", archive, this.root, ...options]);
  }

  /** Runs a shell command in a process of its own; `$1` is the mount point. */
  sh(script: string, check = true): Promise<CommandResult> {
    return runCommand(["sh", "-c", script, "sh", this.root], { timeoutMs: TIMEOUT_MS, check });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(["umount", "-l", this.root], { timeoutMs: 10_000, check: false });
    this.home[Symbol.dispose]();
  }
}

/** Runs the program. */
export function pbkfs(args: readonly string[], check = false): Promise<CommandResult> {
  return runCommand(pbkfsCommand(args), { timeoutMs: TIMEOUT_MS, check });
}

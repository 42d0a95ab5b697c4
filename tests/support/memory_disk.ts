/**
 * A file system in memory: making and removing the 65,536 directories of a datastore takes no time
 * there.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;
const INODES = 500_000;

/** A mounted tmpfs; for users other than root just a directory. */
export class MemoryDisk implements AsyncDisposable {
  readonly #home = new TempDirectory("memory");
  readonly path: string = this.#home.path;

  private constructor() {}

  /** Mounts one of at most `sizeMib` MiB. */
  static async create(sizeMib = 512): Promise<MemoryDisk> {
    const disk = new MemoryDisk();
    if (Deno.uid() === 0) {
      const options = `size=${sizeMib}m,nr_inodes=${INODES},mode=0755`;
      await runCommand(["mount", "-t", "tmpfs", "-o", options, "pbkfs-test", disk.path], {
        timeoutMs: TIMEOUT_MS,
      });
    }
    return disk;
  }

  /** A path on the file system. */
  join(...parts: readonly string[]): string {
    return [this.path, ...parts].join("/");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(["umount", "-l", this.path], { timeoutMs: TIMEOUT_MS, check: false });
    this.#home[Symbol.dispose]();
  }
}

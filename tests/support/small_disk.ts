/**
 * A file system of a given size, to run out of space on.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 60_000;

/**
 * An ext4 file system in a file, mounted through a loop device; a tmpfs where that is not allowed.
 * Needs root.
 */
export class SmallDisk implements AsyncDisposable {
  readonly #home: TempDirectory;
  /** Where it is mounted. */
  readonly path: string;

  private constructor(home: TempDirectory) {
    this.#home = home;
    this.path = home.join("disk");
  }

  /** Makes and mounts a file system of `sizeMib` MiB. */
  static async create(sizeMib: number): Promise<SmallDisk> {
    const disk = new SmallDisk(new TempDirectory("disk"));
    Deno.mkdirSync(disk.path);
    const image = disk.#home.join("image");
    Deno.writeFileSync(image, new Uint8Array(0));
    Deno.truncateSync(image, sizeMib << 20);
    const format = ["mkfs.ext4", "-q", "-F", "-m", "0", image];
    await runCommand(format, { timeoutMs: TIMEOUT_MS });
    const mount = ["mount", "-o", "loop", image, disk.path];
    const { code } = await runCommand(mount, { timeoutMs: TIMEOUT_MS, check: false });
    if (code !== 0) {
      const tmpfs = ["mount", "-t", "tmpfs", "-o", `size=${sizeMib}m`, "pbkfs-test", disk.path];
      await runCommand(tmpfs, { timeoutMs: TIMEOUT_MS });
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

/**
 * Scratch directories that go away.
 *
 * @module
 */

const MEMORY_PATH = "/dev/shm";

/** A directory of one test, removed at the end of a `using` block. */
export class TempDirectory {
  readonly path: string;

  /** @param isInMemory in memory where the machine has a place for it: nothing waits for a disk */
  constructor(name = "test", isInMemory = false) {
    const prefix = `pbkfs-${name}-`;
    const dir = isInMemory && hasDirectory(MEMORY_PATH) ? MEMORY_PATH : undefined;
    this.path = Deno.makeTempDirSync(dir === undefined ? { prefix } : { prefix, dir });
    // Other users (the database server's) must be able to walk through.
    Deno.chmodSync(this.path, 0o755);
  }

  /** A path inside. */
  join(...parts: readonly string[]): string {
    return [this.path, ...parts].join("/");
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function hasDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/**
 * Scratch directories that go away.
 *
 * @module
 */

/** A directory of one test, removed at the end of a `using` block. */
export class TempDirectory {
  readonly path: string;

  constructor(name = "test") {
    this.path = Deno.makeTempDirSync({ prefix: `pbkfs-${name}-` });
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

/**
 * A mount that stands for a data directory, and the programs and servers of one version of
 * PostgreSQL that work on it.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MountPlace } from "#tests/support/pbkfs.ts";
import { asServerUser, PostgresServer } from "#tests/support/postgres.ts";
import type { PostgresVersion } from "#tests/support/postgres_binaries.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import type { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 120_000;

/** What such a test works with. */
export class DataDirectoryScene {
  /** Of the tablespace of the backup; undefined where it has none. */
  oid: string | undefined;
  /** Where programs run: whatever they leave beside themselves is found in it. */
  readonly #elsewhere: string;

  constructor(
    readonly version: PostgresVersion,
    readonly programs: string,
    readonly home: TempDirectory,
    readonly place: MountPlace,
  ) {
    this.#elsewhere = home.join("elsewhere");
    for (const path of [this.#elsewhere, `${this.#elsewhere}/cwd`]) {
      Deno.mkdirSync(path);
      Deno.chmodSync(path, 0o777);
    }
  }

  /** Where the link of the tablespace has to lead. */
  get spacePath(): string {
    return `${this.place.root}/.pbkfs/tblspc/${this.oid}`;
  }

  /** An empty directory of the server's user. */
  async directory(name: string): Promise<string> {
    const path = this.home.join(name);
    await this.asServer(["mkdir", "-m", "700", path]);
    return path;
  }

  /**
   * Runs a command as the server's user; it must leave nothing in or beside its working directory.
   */
  async asServer(command: readonly string[]): Promise<CommandResult> {
    const cwd = `${this.#elsewhere}/cwd`;
    const result = await runCommand(asServerUser(command), { timeoutMs: TIMEOUT_MS, cwd });
    assert.deepEqual(names(cwd), [], command.join(" "));
    assert.deepEqual(names(this.#elsewhere), ["cwd"], command.join(" "));
    return result;
  }

  /** Runs one of PostgreSQL's programs as the server's user. */
  program(name: string, args: readonly string[]): Promise<CommandResult> {
    return this.asServer([`${this.programs}/${name}`, ...args]);
  }

  start(
    dataDirectory = this.place.root,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<PostgresServer> {
    return PostgresServer.start({ version: this.version, dataDirectory, settings });
  }

  /** Starts a server, and stops it after `use`. */
  async served<Result>(
    use: (server: PostgresServer) => Promise<Result>,
    dataDirectory = this.place.root,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<Result> {
    const server = await this.start(dataDirectory, settings);
    try {
      const result = await use(server);
      await server.stop();
      return result;
    } catch (error) {
      await server.kill();
      throw error;
    }
  }

  /** The link of the tablespace is what it was, and what it leads to is there. */
  assertLink(): void {
    if (this.oid === undefined) return;
    assert.equal(Deno.readLinkSync(`${this.place.root}/pg_tblspc/${this.oid}`), this.spacePath);
    assert.notDeepEqual(names(this.spacePath), []);
  }
}

/** Names in a directory, sorted. */
export function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

/**
 * A place for servers that are started for a while, and what is left of them.
 *
 * @module
 */

import { HostProcess, listProcesses } from "#src/io/process.ts";
import { readMountTable } from "#src/mount/mount_table.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { fixtureBackupIds, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** Limit for a command that starts a server. */
export const RUN_TIMEOUT_MS = 120_000;

/** See the head of the module. */
export class RunPlace implements Disposable {
  readonly home = new TempDirectory("run");
  /** For `--work-dir`. */
  readonly work: string;

  constructor() {
    Deno.chmodSync(this.home.path, 0o755);
    this.work = this.home.join("work");
    Deno.mkdirSync(this.work);
  }

  /** A command line of `run` or `drill`. */
  command(verb: string, source: string, ...words: string[]): string[] {
    return pbkfsCommand([verb, source, "--work-dir", this.work, ...words]);
  }

  /** Runs it to its end. */
  run(verb: string, source: string, ...words: string[]): Promise<CommandResult> {
    const options = { timeoutMs: RUN_TIMEOUT_MS, check: false };
    return runCommand(this.command(verb, source, ...words), options);
  }

  /** What is there of runs: directories, mounts, servers. */
  remains(): string[] {
    const mounts = readMountTable().map(({ mountPoint }) => mountPoint)
      .filter((path) => path.startsWith(this.work));
    const servers = listProcesses().filter((pid) => {
      using process = HostProcess.open(pid);
      return process?.commandLine.some((word) => word.startsWith(`${this.work}/`)) === true;
    });
    return [...Deno.readDirSync(this.work)].map(({ name }) => name)
      .concat(mounts, servers.map(String));
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}

/** Name of the last backup of a fixture; undefined where there is no such fixture. */
export async function lastBackupOf(name: string): Promise<string | undefined> {
  const fixture = await pgprobackupFixture(name);
  return fixture && `${fixture.catalog}#main/${fixtureBackupIds(fixture).at(-1)}`;
}

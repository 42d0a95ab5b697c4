/**
 * A datastore for end-to-end tests, and the program that works on it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { CHECK_DATASTORE, CHECKER_PYTHON } from "#tests/support/pbs_fixtures.ts";
import { type CommandResult, runCommand, RunningCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const TIMEOUT_MS = 300_000;

/** How to run the program. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** A new datastore in memory, and a scratch directory on disk. */
export class PbsStore implements AsyncDisposable {
  readonly home = new TempDirectory("pbs");
  readonly path: string;
  readonly #disk: MemoryDisk;

  private constructor(disk: MemoryDisk) {
    this.#disk = disk;
    this.path = disk.join("store");
  }

  /** Makes the datastore. */
  static async create(): Promise<PbsStore> {
    const store = new PbsStore(await MemoryDisk.create());
    await store.must(["datastore", "create", store.path]);
    return store;
  }

  /** Runs `pbkfs pbs` on this datastore. */
  run(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return runPbs(args, { ...options, env: { ...this.#environment, ...options.env } });
  }

  /**
   * Runs `pbkfs pbs`, which must succeed and say nothing on standard error. @returns standard
   * output
   */
  async must(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    assert.equal(withoutKeyLines(stderr), "", args.join(" "));
    assert.equal(code, 0, args.join(" "));
    return stdout;
  }

  /** Starts `pbkfs pbs`. */
  start(args: readonly string[]): RunningCommand {
    return new RunningCommand(pbkfsCommand(["pbs", ...args]), { env: this.#environment });
  }

  /** Runs a backup, which must succeed. @returns its summary */
  async backup(
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<Record<string, unknown>> {
    const command = ["backup", ...args, "--format", "json"];
    const { code, stdout, stderr } = await this.run(command, options);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  /** Checks everything in the datastore by the independent checker, where it is there. */
  async check(...options: string[]): Promise<void> {
    if (CHECK_DATASTORE === undefined) return;
    const { code, stdout, stderr } = await runCommand(
      [CHECKER_PYTHON, CHECK_DATASTORE, this.path, ...options],
      { timeoutMs: TIMEOUT_MS, check: false },
    );
    assert.equal(code, 0, stdout.slice(-2000) + stderr);
    assert.match(stdout, /^ok /m);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disk[Symbol.asyncDispose]();
    this.home[Symbol.dispose]();
  }

  get #environment(): Record<string, string> {
    return { PBS_REPOSITORY: `dir:${this.path}` };
  }
}

/** Runs `pbkfs pbs` on the datastore that `options.env` or the arguments name. */
export function runPbs(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  return runCommand(pbkfsCommand(["pbs", ...args]), {
    timeoutMs: TIMEOUT_MS,
    check: false,
    env: { XDG_CONFIG_HOME: "/no-such-place", TZ: "UTC", ...options.env },
    stdin: options.stdin,
  });
}

/** What a backup says of the keys that it uses is no complaint. */
function withoutKeyLines(text: string): string {
  return text.replace(/^Using (default )?(encryption|master) key.*\n/gm, "");
}

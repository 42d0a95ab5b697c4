/**
 * A datastore that `pbs serve` serves over TLS in a process of its own, and the program as its
 * client.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { MemoryDisk } from "#tests/support/memory_disk.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import {
  type CommandResult,
  denoRunCommand,
  runCommand,
  RunningCommand,
  waitUntil,
} from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { type RunOptions, runPbs } from "./_pbs_store.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
const TIMEOUT_MS = 60_000;
const USER = "me@pbs";
/** A user without permissions. */
export const OTHER_USER = "other@pbs";
const PASSWORD = "a password of the test";

/** See the module. */
export class ServedStore implements AsyncDisposable {
  readonly home = new TempDirectory("served");
  /** The directory that is served. */
  readonly path: string;
  readonly #disk: MemoryDisk;
  readonly #state = ["--state-dir", this.home.join("state")];
  #server: RunningCommand | undefined;
  /** What the program is run with to be let in. */
  environment: Record<string, string> = {};
  /** `--repository USER@HOST:PORT:STORE`. */
  #repository: string[] = [];

  private constructor(disk: MemoryDisk) {
    this.#disk = disk;
    this.path = disk.join("store");
  }

  /** @param fill makes the datastore at the path; default: an empty one */
  static async start(fill?: (path: string) => Promise<unknown>): Promise<ServedStore> {
    const served = new ServedStore(await MemoryDisk.create());
    try {
      await served.#start(fill ?? ((path) => mustPbs(["datastore", "create", path])));
      return served;
    } catch (error) {
      await served[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `USER@HOST:PORT:STORE`. */
  get repository(): string {
    return this.#repository[1]!;
  }

  /** What a library user logs in with. */
  get secrets(): { readonly password: string; readonly fingerprint: string } {
    return { password: PASSWORD, fingerprint: this.environment.PBS_FINGERPRINT! };
  }

  /** Ends the server as a crash does. */
  async kill(): Promise<void> {
    this.#server?.signalGroup("SIGKILL");
    await this.#server?.wait(TIMEOUT_MS);
  }

  /** Runs `pbkfs pbs` on the server. */
  run(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const env = { ...this.environment, ...options.env };
    return runPbs([...args, ...this.#repository], { ...options, env });
  }

  /** Runs `pbkfs pbs` from the sources, with these permissions. */
  runSources(permissions: readonly string[], args: readonly string[]): Promise<CommandResult> {
    const all = ["pbs", ...args, ...this.#repository];
    const command = denoRunCommand([...permissions, "--allow-env"], `${CHECKOUT}main.ts`, all);
    // The runtime's own cache is where it is.
    const { XDG_CACHE_HOME: _, ...env } = this.environment;
    return runCommand(command, { env, timeoutMs: TIMEOUT_MS, check: false });
  }

  /** Runs `pbkfs pbs`, which must succeed. @returns standard output */
  async must(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#disk[Symbol.asyncDispose]();
    this.home[Symbol.dispose]();
  }

  async #start(fill: (path: string) => Promise<unknown>): Promise<void> {
    await fill(this.path);
    const password = this.home.join("password");
    Deno.writeTextFileSync(password, `${PASSWORD}\n`);
    const serve = ["serve", "--listen", "127.0.0.1:0", "--datastore", `main=${this.path}`];
    for (const user of [USER, OTHER_USER]) {
      await mustPbs(["serve", "user", "add", user, "--password-file", password, ...this.#state]);
    }
    await mustPbs(["serve", "acl", "add", "/", USER, "admin", ...this.#state]);
    // Its output is read as it comes: nothing may hold it up.
    const server = new RunningCommand(pbkfsCommand(["pbs", ...serve, ...this.#state]));
    this.#server = server;
    const found = (pattern: RegExp) => pattern.exec(server.stdout + server.stderr)?.[1];
    await waitUntil(
      () => found(/fingerprint: (\S+)\n/) !== undefined,
      TIMEOUT_MS,
      () => server.stderr,
    );
    const repository = `${USER}@127.0.0.1:${found(/listening on \S+:(\d+)/)}:main`;
    this.#repository = ["--repository", repository];
    this.environment = {
      PBS_PASSWORD: PASSWORD,
      PBS_FINGERPRINT: found(/fingerprint: (\S+)/)!,
      XDG_RUNTIME_DIR: this.home.path,
      XDG_CACHE_HOME: this.home.join("cache"),
    };
  }
}

/** Runs `pbkfs pbs` on nothing that is served; it must succeed. */
export async function mustPbs(args: readonly string[]): Promise<void> {
  const { code, stderr } = await runPbs(args);
  assert.equal(code, 0, stderr);
}

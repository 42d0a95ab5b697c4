/**
 * A PostgreSQL server on a data directory, for tests: started in the foreground as the user
 * postgres (root is refused by the server), with a socket directory, log and access rules of its
 * own.
 *
 * @module
 */

import {
  clientProgram,
  type PostgresVersion,
  serverBinaries,
} from "#tests/support/postgres_binaries.ts";
import {
  type CommandResult,
  runCommand,
  RunningCommand,
  waitUntil,
} from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** The account servers run under when the tests run as root. */
export const SERVER_USER = "postgres";

const SERVER_USER_ARGUMENTS = [`--reuid=${SERVER_USER}`, `--regid=${SERVER_USER}`, "--init-groups"];
/** Sockets of different servers are in different directories, so one number does for all. */
const PORT = "5432";
const SQL_TIMEOUT_MS = 120_000;
const LOG_TAIL_CHARACTERS = 4000;

/** `command` as the server's user. It replaces the launcher's process, so signals reach it. */
export function asServerUser(command: readonly string[]): string[] {
  return Deno.uid() === 0 ? ["setpriv", ...SERVER_USER_ARGUMENTS, ...command] : [...command];
}

/** How to start a server. */
export interface PostgresOptions {
  readonly version: PostgresVersion;
  readonly dataDirectory: string;
  /** Settings beyond those every server gets (`-c name=value`). */
  readonly settings?: Readonly<Record<string, string>>;
  /** Limit for the start, recovery included. */
  readonly timeoutMs?: number;
}

/** What every server here runs with, whatever the stored configuration says. */
const COMMON_SETTINGS = {
  fsync: "on",
  archive_mode: "off",
  listen_addresses: "",
  logging_collector: "off",
  log_destination: "stderr",
  log_min_messages: "warning",
  port: PORT,
};

/** A server that is up and has left recovery. */
export class PostgresServer {
  readonly #command: RunningCommand;
  readonly #place: TempDirectory;
  #isPlaceRemoved = false;
  readonly version: PostgresVersion;
  readonly dataDirectory: string;

  private constructor(options: PostgresOptions, place: TempDirectory, command: RunningCommand) {
    this.version = options.version;
    this.dataDirectory = options.dataDirectory;
    this.#place = place;
    this.#command = command;
  }

  /** Starts a server and waits until it takes queries and recovery has ended. */
  static async start(options: PostgresOptions): Promise<PostgresServer> {
    const binaries = await serverBinaries(options.version);
    const place = new TempDirectory("postgres");
    Deno.chmodSync(place.path, 0o777);
    const hbaFile = place.join("pg_hba.conf");
    Deno.writeTextFileSync(hbaFile, "local all all trust\nlocal replication all trust\n");
    const settings = {
      ...COMMON_SETTINGS,
      unix_socket_directories: place.path,
      hba_file: hbaFile,
      data_directory: options.dataDirectory,
      ...options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const server = new PostgresServer(
      options,
      place,
      new RunningCommand(
        asServerUser([`${binaries}/postgres`, "-D", options.dataDirectory, ...flags]),
        { cwd: "/", env: { LC_ALL: "C", PGTZ: "UTC" } },
      ),
    );
    try {
      await server.#waitUntilPrimary(options.timeoutMs ?? 60_000);
      return server;
    } catch (error) {
      await server.kill();
      throw error;
    }
  }

  async #waitUntilPrimary(timeoutMs: number): Promise<void> {
    let ended = false;
    this.#command.ended.then(() => ended = true, () => ended = true);
    let last = "";
    const isPrimary = async () => {
      if (ended) throw new Error(`The server ended at its start\n${this.log}`);
      const result = await this.trySql("select pg_is_in_recovery()");
      last = result.stdout + result.stderr;
      return result.code === 0 && result.stdout.trim() === "f";
    };
    await waitUntil(
      isPrimary,
      timeoutMs,
      () => `the server's recovery\n${last}\n${this.log}`,
      100,
    );
  }

  /** Arguments with which client programs find this server. */
  get connection(): string[] {
    return ["-h", this.#place.path, "-p", PORT, "-U", SERVER_USER];
  }

  /** The end of what the server has logged. */
  get log(): string {
    return this.#command.stderr.slice(-LOG_TAIL_CHARACTERS);
  }

  /** Runs SQL through psql; returns what it printed (`psql -X -q -At`). */
  async sql(script: string, options: { database?: string; timeoutMs?: number } = {}) {
    const result = await this.trySql(script, options);
    if (result.code !== 0) {
      throw new Error(`psql ended with ${result.code}\n${result.stderr}\n${this.log}`);
    }
    return result.stdout;
  }

  /** Like {@link sql}, but hands back the failure too. */
  trySql(
    script: string,
    options: { database?: string; timeoutMs?: number } = {},
  ): Promise<CommandResult> {
    const command = [
      clientProgram("psql"),
      ...["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"],
      ...this.connection,
      ...["-d", options.database ?? "postgres", "-f", "-"],
    ];
    const timeoutMs = options.timeoutMs ?? SQL_TIMEOUT_MS;
    return runCommand(command, { timeoutMs, check: false, stdin: script });
  }

  /** Runs a client program (pgbench, pg_amcheck …) against this server. */
  async client(name: string, args: readonly string[], timeoutMs: number): Promise<CommandResult> {
    const command = [clientProgram(name), ...this.connection, ...args];
    const result = await runCommand(command, { timeoutMs, check: false });
    if (result.code === 0) return result;
    throw new Error(
      `${name} ended with ${result.code}\n${result.stdout}\n${result.stderr}\n${this.log}`,
    );
  }

  /** Starts a client program and lets it run on. */
  startClient(name: string, args: readonly string[], stdin?: string): RunningCommand {
    const command = [clientProgram(name), ...this.connection, ...args];
    return new RunningCommand(command, stdin === undefined ? {} : { stdin });
  }

  /** Stops the server: `fast` with a checkpoint, `immediate` as in a crash. */
  async stop(mode: "fast" | "immediate" = "fast", timeoutMs = 60_000): Promise<void> {
    this.#command.signalGroup(mode === "fast" ? "SIGINT" : "SIGQUIT");
    const { code, stderr } = await this.#command.wait(timeoutMs);
    this.#removePlace();
    if (mode === "fast" && code !== 0) {
      throw new Error(`The server stopped with ${code}\n${stderr.slice(-LOG_TAIL_CHARACTERS)}`);
    }
  }

  #removePlace(): void {
    if (this.#isPlaceRemoved) return;
    this.#isPlaceRemoved = true;
    this.#place[Symbol.dispose]();
  }

  /**
   * Kills the server and all its processes, as a power failure would. Does nothing when it has
   * ended.
   */
  async kill(): Promise<void> {
    const { pid } = this.#command;
    if (pid !== undefined) {
      const ps = ["ps", "--ppid", String(pid), "-o", "pid="];
      const { stdout } = await runCommand(ps, { timeoutMs: 10_000, check: false });
      this.#command.signalGroup("SIGKILL");
      // Server processes lead groups of their own.
      for (const child of stdout.trim().split(/\s+/).filter((word) => word !== "")) {
        try {
          Deno.kill(Number(child), "SIGKILL");
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
      }
    }
    await this.#command.wait(30_000);
    this.#removePlace();
  }

  /** Waits for the server to end by itself (after a PANIC, or when its file system is gone). */
  async waitForEnd(timeoutMs: number): Promise<void> {
    await this.#command.wait(timeoutMs);
    this.#removePlace();
  }
}

/** A scratch directory in which the server's user may make its own. */
export function serverHome(name: string): TempDirectory {
  const home = new TempDirectory(name);
  Deno.chmodSync(home.path, 0o777);
  return home;
}

/** Makes a cluster with data checksums in `dataDirectory`, owned by the server's user. */
export async function initializeCluster(
  version: PostgresVersion,
  dataDirectory: string,
): Promise<void> {
  const binaries = await serverBinaries(version);
  const options = ["-U", SERVER_USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-k", "-N"];
  const command = [`${binaries}/initdb`, "-D", dataDirectory, ...options, "--wal-segsize=1"];
  await runCommand(asServerUser(command), { timeoutMs: 120_000, cwd: "/" });
}

/**
 * A source, mounted writable over changes that nobody needs to keep, and a server on it.
 *
 * Everything lives in this process: the mount is served by its threads, the server ends with it.
 * However it ends, what remains is a directory with nobody behind it, which the next run removes
 * (`leftovers.ts`).
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { readWholeFile } from "#src/io/files/whole_file.ts";
import { findServer, type ServerBinaries } from "#src/postgres/binaries.ts";
import { PostgresServer, type ServerStart, type ServerUser } from "#src/postgres/server.ts";
import {
  type PostgresSettings,
  type RecoveryRequest,
  type RecoveryTarget,
  requireFree,
  safeSettings,
} from "#src/postgres/settings.ts";
import { formatSourceName } from "#src/sources/name.ts";
import { findNamedBackup } from "#src/sources/pgpro/named_backup.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import type { Credentials } from "#src/sources/source.ts";
import { findUser } from "../host_accounts.ts";
import { defaultLogPath } from "../mounting/mount_request.ts";
import { nameToMount } from "../mounting/named_source.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import { type Mount, mount } from "../mounting/thread/mount.ts";
import {
  dataDirectoryOwner,
  prepareDataDirectory,
  readMajorVersion,
  restoreSettings,
} from "./data_directory.ts";
import { removeLeftovers } from "./leftovers.ts";
import { RunDirectory, WORK_DIRECTORY } from "./run_directory.ts";
import { requireServerWal } from "./server_wal.ts";
import { findWalArchive, type WalArchive } from "./wal_archive.ts";
import { WalFeed } from "./wal_feed.ts";

/** A server on a source, as asked for. */
export interface ClusterRequest {
  /** Name of the source (`sources/name.ts`). */
  readonly source: string;
  /** Default: no secrets. */
  readonly credentials?: Credentials | undefined;
  /** Hold the lock that pg_probackup's readers hold on a chain. Default: where it can be had. */
  readonly lock?: boolean | undefined;
  /** The data directory inside of the source, where that is more. Default: its root. */
  readonly dataDirectory?: string | undefined;
  /** Directory for everything that is needed meanwhile. Default: {@link WORK_DIRECTORY}. */
  readonly workPath?: string | undefined;
  /** Where changes go that are to stay. Default: they are thrown away. */
  readonly keepDiffPath?: string | undefined;
  /** Directory of the server's programs. Default: they are searched. */
  readonly binDirectory?: string | undefined;
  /** Where programs are searched besides the usual places, as in `PATH`. */
  readonly programPath?: string | undefined;
  /** Settings of the server, which count more than the safe ones. */
  readonly settings?: PostgresSettings | undefined;
  /** Transactions do not write unless they ask for it. Default: false. */
  readonly readOnly?: boolean | undefined;
  /** Where recovery from the archive ends. Default: none is made where the backup needs none. */
  readonly recovery?: RecoveryChoice | undefined;
  /** Longest wait for the server. Default: for ever. */
  readonly startTimeoutMs?: number | undefined;
  /** Ends the start. */
  readonly signal?: AbortSignal | undefined;
  /** Is told what is being done, for people. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** Where recovery ends. */
export interface RecoveryChoice {
  /** Up to where. */
  readonly target: RecoveryTarget;
  /** Default: `latest`. */
  readonly timeline?: string | undefined;
  /** Whether what stands at the target is replayed too. Default: true. */
  readonly inclusive?: boolean | undefined;
}

/** The account that servers run as, as packages make it. */
const SERVER_ACCOUNT = "postgres";
const PORT = 5432;
const LOG_SIZE_MAX = 256 << 20;

/** See the head of the module. Disposing of it removes everything but a diff that is to stay. */
export class MountedCluster implements AsyncDisposable {
  readonly #request: ClusterRequest;
  readonly #name: RecognisedName;
  readonly #directory: RunDirectory;
  #owner: Owner | undefined;
  #mount: Mount | undefined;
  #feed: WalFeed | undefined;
  #server: PostgresServer | undefined;
  #binaries: ServerBinaries | undefined;
  #major = "";

  private constructor(request: ClusterRequest, name: RecognisedName, directory: RunDirectory) {
    this.#request = request;
    this.#name = name;
    this.#directory = directory;
  }

  /**
   * Mounts the source, after what earlier runs have left was removed.
   *
   * @throws what mounting throws
   * @throws {UsageError} when it is no data directory
   * @throws {StateError} `not-found` when there are no programs of its version
   */
  static async open(request: ClusterRequest): Promise<MountedCluster> {
    requireFree(withoutRestoreCommand(request.settings ?? {}));
    const name = withChosenBackup(nameToMount(request.source));
    const workPath = absolutePath(request.workPath ?? WORK_DIRECTORY);
    await removeLeftovers(workPath);
    const cluster = new MountedCluster(request, name, RunDirectory.create(workPath));
    try {
      await cluster.#open();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #open(): Promise<void> {
    const { credentials, lock, signal } = this.#request;
    this.#owner = host.getEffectiveUid() === 0 ? findUser(SERVER_ACCOUNT) : undefined;
    this.#directory.furnish(this.#owner);
    signal?.throwIfAborted();
    this.#tell("mounting");
    this.#mount = await mount(this.sourceName, {
      mountPath: this.#directory.mountPath,
      diffPath: this.diffPath,
      credentials,
      lock,
      owner: this.#owner,
      isThrowaway: this.#isThrowaway,
    });
    this.#major = readMajorVersion(this.dataDirectory, this.#request.source);
    const { binDirectory: directory, programPath: path } = this.#request;
    this.#binaries = findServer(this.#major, { directory, path });
  }

  /** Name of the source, where nothing is left to be chosen any more. */
  get sourceName(): string {
    return formatSourceName(this.#name);
  }

  /** Programs of the server's version. */
  get binaries(): ServerBinaries {
    return this.#binaries!;
  }

  /** Its data directory, in the mount. */
  get dataDirectory(): string {
    const { dataDirectory = "" } = this.#request;
    return absolutePath(`${this.#mountPath}/${dataDirectory}`);
  }

  /** Where changes go. */
  get diffPath(): string {
    const { keepDiffPath } = this.#request;
    return keepDiffPath === undefined ? this.#directory.diffPath : absolutePath(keepDiffPath);
  }

  /** Directory of the server's socket. */
  get socketPath(): string {
    return this.#directory.socketPath;
  }

  /** The server. Only after {@link start}. */
  get server(): PostgresServer {
    return this.#server!;
  }

  /** How far recovery went, for people; undefined where none from the archive was made. */
  get recovery(): RecoveryTarget | undefined {
    return this.#recovery?.target;
  }

  #recovery: RecoveryRequest | undefined;

  /**
   * Starts the server and waits until it takes connections.
   *
   * @throws {ProtocolError} `server-failed`, with its last words
   * @throws {StateError} `wal-missing` when it would not become consistent; `timeout`,
   *   `interrupted`
   * @throws what {@link prepareDataDirectory} throws
   */
  async start(): Promise<void> {
    const { settings = {}, readOnly = false, startTimeoutMs, signal } = this.#request;
    const user = this.#serverUser();
    const archive = settings.restore_command === undefined ? findWalArchive(this.#name) : undefined;
    this.#recovery = this.#chooseRecovery(archive);
    const recovers = this.#recovery !== undefined;
    // Nobody knows what a command of one's own fetches.
    if (settings.restore_command === undefined) {
      requireServerWal(this.dataDirectory, this.sourceName, archive, this.#recovery);
    }
    prepareDataDirectory(this.dataDirectory, this.#mountPath, recovers, this.#owner);
    this.#tell("starting the server");
    const start: ServerStart = {
      binaries: this.binaries,
      dataDirectory: this.dataDirectory,
      settings: safeSettings({
        major: Number(this.#major),
        socketDirectory: this.socketPath,
        port: PORT,
        hbaPath: this.#directory.hbaPath,
        clusterName: "pbkfs",
        isVolatile: this.#isThrowaway,
        readOnly,
        recovery: this.#recovery,
        extra: settings,
      }),
      user,
      timeoutMs: startTimeoutMs,
      signal,
      onLine: (line) => this.#tellLine(line),
    };
    try {
      this.#server = await PostgresServer.start(start);
    } catch (error) {
      // What the server says of it is only that it got no more WAL.
      throw this.#feed?.failure ?? error;
    }
  }

  /** What of the source could not be read so far, each once: what the mount has logged of it. */
  readFailures(): string[] {
    const path = defaultLogPath(this.diffPath);
    const text = new TextDecoder().decode(readWholeFile(path, LOG_SIZE_MAX));
    const details = [...text.matchAll(/ request failed detail=("(?:[^"\\]|\\.)*")/gu)]
      .map(([, detail]) => (JSON.parse(detail!) as string).replace(/^\w+ of node \d+: /u, ""));
    return [...new Set(details)];
  }

  /** Stops the server in good order; the mount stays. */
  async stop(): Promise<void> {
    await this.#server?.stop("fast");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is thrown away needs no checkpoint.
    await this.#server?.stop(this.#isThrowaway ? "immediate" : "fast");
    if (!this.#isThrowaway && this.#server !== undefined) restoreSettings(this.dataDirectory);
    await this.#feed?.[Symbol.asyncDispose]();
    await this.#mount?.unmount({ whenBusy: "detach" });
    this.#mount = undefined;
    this.#directory.remove();
  }

  get #isThrowaway(): boolean {
    return this.#request.keepDiffPath === undefined;
  }

  get #mountPath(): string {
    return this.#mount?.mountPath ?? this.#directory.mountPath;
  }

  /** @throws {UsageError} for root without an account for servers */
  #serverUser(): ServerUser | undefined {
    if (host.getEffectiveUid() !== 0) return undefined;
    const owner = this.#owner ?? dataDirectoryOwner(this.dataDirectory);
    if (owner.uid !== 0) return { ...owner, name: this.#owner && SERVER_ACCOUNT };
    throw new UsageError(`There is no account "${SERVER_ACCOUNT}" that a server could run as`, {
      hint: "Make the account, or run this as an ordinary user",
    });
  }

  #chooseRecovery(archive: WalArchive | undefined): RecoveryRequest | undefined {
    const { recovery, settings = {} } = this.#request;
    const { restore_command: ownCommand } = settings;
    // Without the archive no server starts on a backup that has no WAL of its own.
    const needsArchive = archive?.backup?.isStream === false || ownCommand !== undefined;
    if (recovery === undefined && !needsArchive) return undefined;
    if (ownCommand === undefined && archive === undefined) {
      throw new UsageError(
        "Recovery to a target needs an archive of WAL, and the source has none",
        {
          hint: "Set restore_command, which fetches a file of WAL",
          option: "config",
        },
      );
    }
    const { target = { type: "immediate" }, timeline, inclusive = true } = recovery ?? {};
    const restoreCommand = ownCommand ?? this.#feedFrom(archive!).command;
    return { target, restoreCommand, timeline, inclusive };
  }

  #feedFrom(archive: WalArchive): WalFeed {
    return this.#feed ??= new WalFeed(this.#directory.walPath, archive, this.#owner);
  }

  #tell(text: string): void {
    this.#request.onProgress?.(text);
  }

  #tellLine(line: string): void {
    if (/^LOG: {2}(redo|restored|consistent|recovery|starting|last)/u.test(line)) {
      this.#tell(line.slice("LOG:  ".length));
    }
  }
}

/** Mount and archive are to be those of one backup, whatever is made meanwhile. */
function withChosenBackup(name: RecognisedName): RecognisedName {
  if (name.kind !== "pgpro") return name;
  const { store, instance, backupId } = findNamedBackup(name.place, name.item);
  return { ...name, place: store, item: `${instance}/${backupId}` };
}

function withoutRestoreCommand(settings: PostgresSettings): PostgresSettings {
  const { restore_command: _, ...rest } = settings;
  return rest;
}

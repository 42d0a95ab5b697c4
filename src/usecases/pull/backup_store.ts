/**
 * Datastores that clients are backed up into, for programs that use the library.
 *
 * @module
 */

import type { ChangeDetectionMode } from "#src/backup/backup_options.ts";
import type { ClientProvider } from "#src/backup/client/provider.ts";
import { StateError } from "#src/errors.ts";
import { parseRepository } from "#src/pbs/client/repository.ts";
import type { Manifest } from "#src/pbs/format/manifest.ts";
import {
  type BackupType,
  parseNamespace,
  qualifiedName,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotStore } from "#src/pbs/ports.ts";
import { openSnapshotStore, type StoreAddress } from "#src/pbs/store_address.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import { reachStore } from "#src/sources/pbs/named_snapshot.ts";
import type { Credentials } from "#src/sources/source.ts";
import type {
  BackupCrypt,
  BackupProblem,
  BackupProgress,
  FinishedBackup,
} from "../datastore/backup.ts";
import { totalsOf } from "../datastore/backup_record.ts";
import { runPull } from "./run_pull.ts";

/** How a datastore is opened. */
export interface BackupStoreOptions {
  /** Says how to log in to a server. Default: nobody does. */
  readonly credentials?: Credentials | undefined;
  /** Name under which a server on this machine serves the datastore, to take its locks too. */
  readonly serverStore?: string | undefined;
}

/** Whose backups they are. */
export interface BackupGroup {
  /** Default: `host`. */
  readonly type?: BackupType | undefined;
  /** Name of the client among those of its type. */
  readonly id: string;
  /** `a/b`; default: the root. */
  readonly namespace?: string | undefined;
}

/** What is pulled, and how. */
export interface PullOptions extends BackupGroup {
  /** Directories of the client by the names of their archives, `NAME.pxar`. */
  readonly roots: Readonly<Record<string, string>>;
  /** Default: `legacy`. */
  readonly mode?: ChangeDetectionMode | undefined;
  /** What a snapshot is encrypted or signed with. Default: it is neither. */
  readonly keys?: BackupCrypt | undefined;
  /** Unix seconds. Default: now. */
  readonly time?: number | undefined;
  /** Whom a new group is to belong to. */
  readonly owner?: string | undefined;
  /** Average size of chunks in bytes, a power of two. Default: 4 MiB. */
  readonly chunkSize?: number | undefined;
  /** Threads that help. Default: one for each core but the first. */
  readonly workers?: number | undefined;
  /** Patterns, and what is archived of entries. */
  readonly build?: Omit<BuildOptions, "makeSource" | "onEntry" | "onProblem" | "onProgress">;
  /** After so long without an answer of the client the backup ends. Default: five minutes. */
  readonly silenceMaxMs?: number | undefined;
  /** Gives the backup up. */
  readonly signal?: AbortSignal | undefined;
  /** Called with each path. */
  readonly onEntry?: ((path: string) => void) | undefined;
  /** Called with how far it is. */
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Called for what is not backed up as it is. */
  readonly onProblem?: ((problem: BackupProblem) => void) | undefined;
  /** Called with what makes a backup larger than it should be. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** A backup that was made. */
export interface PullResult {
  /** `TYPE/ID/TIME`, with the namespace. */
  readonly snapshot: string;
  /** As it was stored. */
  readonly manifest: Manifest;
  /** Regular files. */
  readonly fileCount: number;
  /** Directories, the roots among them. */
  readonly directoryCount: number;
  /** Bytes of all streams. */
  readonly totalBytes: number;
  /** Bytes of the chunks that the datastore did not have. */
  readonly newBytes: number;
  /** Part of the bytes that was there already, from 0 to 1. */
  readonly reusedShare: number;
  /** Whether entries are missing; `onProblem` has told which. */
  readonly isPartial: boolean;
  /** How long it took. */
  readonly durationMs: number;
  /** All that is known, archive by archive. */
  readonly details: FinishedBackup;
}

/** The last finished backup of a group. */
export interface PreviousSnapshot {
  /** Group and time. */
  readonly id: SnapshotId;
  /** Its archives, their sizes and checksums; its signature is not checked. */
  readonly manifest: Manifest;
}

const NO_KEYS: BackupCrypt = { mode: "none", crypt: undefined, encryptedKey: undefined };

/**
 * A datastore here or on a server.
 *
 * @example
 * ```ts
 * import { BackupStore } from "@pbkfs/pbkfs/pull";
 * import { HostAccessor, LocalClient } from "@pbkfs/pbkfs/backup";
 *
 * export async function backUp(directory: string, datastore: string): Promise<number> {
 *   using store = await BackupStore.open(datastore);
 *   const client = new LocalClient(new HostAccessor());
 *   const roots = { "root.pxar": directory };
 *   const result = await store.pull(client, { id: "db1", roots, mode: "metadata" });
 *   return result.reusedShare;
 * }
 * ```
 */
export class BackupStore implements Disposable {
  /** Where it is, for other threads. */
  readonly address: StoreAddress;
  readonly #way: DisposableStack;

  private constructor(address: StoreAddress, way: DisposableStack) {
    this.address = address;
    this.#way = way;
  }

  /**
   * Opens a datastore: `dir:/path`, a path, or `[user@]host[:port]:store`. Needs FFI.
   *
   * @throws {UsageError} when that is no repository
   * @throws {AuthError} when nobody knows how to log in to the server, or it does not let us in
   * @throws {ProtocolError} when there is no way to it
   */
  static async open(repository: string, options: BackupStoreOptions = {}): Promise<BackupStore> {
    const way = new DisposableStack();
    return new BackupStore(await reachStore(parseRepository(repository), way, options), way);
  }

  /**
   * Makes a snapshot of directories of a client, which is closed in the end. A thread does the
   * work; this one has to answer, so it must not block.
   *
   * @throws {StateError} `interrupted` after the signal, `timeout` when the client is silent: there
   *   is no snapshot
   * @throws {ProtocolError} when the client fails, or says what cannot be
   * @throws what starting a snapshot throws
   */
  async pull(client: ClientProvider, options: PullOptions): Promise<PullResult> {
    const { roots, keys = NO_KEYS, build = {}, signal, silenceMaxMs } = options;
    const { onEntry, onProgress, onProblem, onWarning } = options;
    const finished = await runPull(() => client, {
      backup: {
        specs: Object.entries(roots).map(([name, path]) => ({ kind: "pxar", name, path })),
        group: groupOf(options),
        time: options.time,
        owner: options.owner,
        mode: options.mode ?? "legacy",
        chunkSize: options.chunkSize,
        workers: options.workers ?? navigator.hardwareConcurrency - 1,
        build,
      },
      store: this.address,
      keys,
      silenceMaxMs,
      tellsPaths: onEntry !== undefined,
      signal,
    }, {
      onArchive: () => {},
      onEntry: (path) => onEntry?.(path),
      onProgress: (progress) => onProgress?.(progress),
      onProblem: (problem) => onProblem?.(problem),
      onWarning: (_, message) => onWarning?.(message),
      onRetry: () => {},
    });
    return resultOf(finished);
  }

  /** The last finished backup of a group; undefined when there is none. */
  previous(group: BackupGroup): PreviousSnapshot | undefined {
    const store = this.snapshots();
    try {
      const { last } = store.groupInfo(groupOf(group));
      return last && { id: last, manifest: store.manifest(last) };
    } catch (error) {
      if (error instanceof StateError && error.code === "not-found") return undefined;
      throw error;
    } finally {
      store.close();
    }
  }

  /**
   * All that can be done with its snapshots, in this thread: list, read, remove, and make them
   * stream by stream. To be closed.
   */
  snapshots(access: "read" | "write" = "read"): SnapshotStore {
    return openSnapshotStore(this.address, access);
  }

  /** Ends the connections to a server. */
  close(): void {
    this.#way.dispose();
  }

  /** See {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function groupOf({ type = "host", id, namespace = "" }: BackupGroup) {
  return { ns: parseNamespace(namespace), type, id };
}

function resultOf(finished: FinishedBackup): PullResult {
  const { report, id, durationMs } = finished;
  const { files, bytes, newBytes } = totalsOf(report.archives);
  return {
    snapshot: qualifiedName(id),
    manifest: report.snapshot!.manifest,
    fileCount: files,
    directoryCount: report.archives.reduce(
      (sum, { build }) => sum + (build?.counts.directory ?? 0),
      0,
    ),
    totalBytes: bytes,
    newBytes,
    reusedShare: bytes === 0 ? 0 : (bytes - newBytes) / bytes,
    isPartial: report.isPartial,
    durationMs,
    details: finished,
  };
}

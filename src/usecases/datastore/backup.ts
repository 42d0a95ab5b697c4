/**
 * Backups of this host: a snapshot that is finished, partial, or given up without a trace; and the
 * log of the client beside it.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { backup, planBackup } from "#src/backup/backup.ts";
import type {
  BackupOptions,
  BackupReport,
  ChangeDetectionMode,
  PlannedArchive,
} from "#src/backup/backup_options.ts";
import { type BackupSpec, checkBackupSpecs } from "#src/backup/backup_spec.ts";
import { type SpooledImages, spoolImages } from "#src/backup/spooled_images.ts";
import { quoteName } from "#src/bytes/quoting.ts";
import { IntegrityError, StateError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { SnapshotStore } from "#src/pbs/ports.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import { type GroupId, qualifiedName, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { CHUNKS_DIRECTORY } from "#src/pbs/storage/directory/directory_chunks.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import type { SpawnThread, Thread } from "#src/threads/thread.ts";
import { spawnThread } from "../threads.ts";

/** What is backed up, and how. */
export interface NewBackup {
  readonly specs: readonly BackupSpec[];
  readonly group: GroupId;
  /** Unix seconds; undefined: now. */
  readonly time: number | undefined;
  /**
   * Whom the group is to belong to; undefined: a new one to the default owner, another to whom it
   * belongs.
   */
  readonly owner: string | undefined;
  readonly mode: ChangeDetectionMode;
  /** Undefined: the usual one. */
  readonly chunkSize: number | undefined;
  /** Threads that help. */
  readonly workers: number;
  readonly build: BuildOptions;
}

/** The keys of a backup, ready for use. */
export interface BackupCrypt {
  /** What the key is used for. */
  readonly mode: CryptMode;
  /** Undefined for mode `none`. */
  readonly crypt: CryptConfig | undefined;
  /** The key, encrypted with a master key. */
  readonly encryptedKey: Uint8Array<ArrayBuffer> | undefined;
}

/** Progress of a backup. */
export interface BackupProgress {
  /** Name of the archive at hand. */
  readonly archive: string;
  /** Its entries so far. */
  readonly entryCount: number;
  /** Content of all archives so far. */
  readonly bytes: number;
}

/** Something in a source that is not backed up as it is. */
export interface BackupProblem {
  /** `ARCHIVE:PATH`, or the name of the archive. */
  readonly path: string;
  /** Whether an entry is lost, a part of it, or nothing. */
  readonly severity: "error" | "warning" | "notice";
  /** Stable identifier. */
  readonly code: string;
  /** What it is, in a sentence. */
  readonly message: string;
}

/**
 * Why a backup takes more than it should: `own-chunks`, the datastore lies in what is backed up;
 * `damaged-base`, the last snapshot is damaged; `unusable-base`, it cannot be used for another
 * reason; `locks`, what has to be known of those of the datastore.
 */
export type BackupWarning = "own-chunks" | "damaged-base" | "unusable-base" | "locks";

/** Called while a backup runs. */
export interface BackupCallbacks {
  /** An archive is begun. */
  onArchive(archive: PlannedArchive): void;
  /** An entry is stored, by its path. */
  onEntry(path: string): void;
  /** Called often. */
  onProgress(progress: BackupProgress): void;
  /** Something is not backed up as it is. */
  onProblem(problem: BackupProblem): void;
  /** It takes more than it should. */
  onWarning(kind: BackupWarning, message: string): void;
}

/** A finished backup, or a plan of one. */
export interface FinishedBackup {
  /** Counts and sizes of all archives. */
  readonly report: BackupReport;
  /** The snapshot. */
  readonly id: SnapshotId;
  /** What the key was used for. */
  readonly cryptMode: CryptMode;
  /** How long it took. */
  readonly durationMs: number;
}

/**
 * Makes a snapshot. SIGINT, SIGTERM and SIGHUP give it up.
 *
 * @throws {StateError} `interrupted`: there is no snapshot
 * @throws what {@link backup} throws, and starting a snapshot
 */
export function runBackup(
  store: SnapshotStore,
  request: NewBackup,
  keys: BackupCrypt,
  callbacks: BackupCallbacks,
): FinishedBackup {
  const interruption = host.latchSignals([host.SIGINT, host.SIGTERM, host.SIGHUP]);
  try {
    return makeBackup(store, request, keys, interruption, callbacks);
  } finally {
    interruption.release();
  }
}

/** Whether a run is to end. */
export interface Interruption {
  readonly isRaised: boolean;
}

/**
 * As {@link runBackup}, given up when the caller says so.
 *
 * @param spawn starts threads that help
 */
export function makeBackup(
  store: SnapshotStore,
  request: NewBackup,
  keys: BackupCrypt,
  interruption: Interruption,
  callbacks: BackupCallbacks,
  spawn: SpawnThread<Thread> = spawnThread,
): FinishedBackup {
  const start = performance.now();
  using images = withSizes(store, request.specs, interruption, callbacks);
  const writer = store.startSnapshot({
    group: request.group,
    cryptMode: keys.mode,
    workers: request.workers === 0 ? undefined : { count: request.workers, spawn },
    time: request.time,
    owner: request.owner,
    crypt: keys.crypt,
  });
  const { id } = writer;
  const log = new ClientLog();
  log.add(`Starting backup: ${qualifiedName(id)}`);
  const options = observedOptions(request, store.localPath, log, interruption, callbacks);
  const { encryptedKey } = keys;
  const report = backup(writer, images.specs, { ...options, encryptedKey });
  return { report, id, cryptMode: keys.mode, durationMs: performance.now() - start };
}

/** A server has to know sizes first, and does not wait for ever for what comes from elsewhere. */
function withSizes(
  store: SnapshotStore,
  specs: readonly BackupSpec[],
  interruption: Interruption,
  callbacks: BackupCallbacks,
): SpooledImages {
  if (store.localPath !== undefined) return { specs, [Symbol.dispose]() {} };
  checkBackupSpecs(specs);
  return spoolImages(specs, (archive, bytes) => {
    if (interruption.isRaised) throw interrupted();
    callbacks.onProgress({ archive, entryCount: 1, bytes });
  });
}

/**
 * Finds out what {@link runBackup} would do.
 *
 * @throws {StateError} as when a snapshot is started
 * @throws what {@link planBackup} throws
 */
export function runBackupPlan(
  store: SnapshotStore,
  request: NewBackup,
  cryptMode: CryptMode,
  callbacks: BackupCallbacks,
  interruption: Interruption = { isRaised: false },
): FinishedBackup {
  const start = performance.now();
  const id = store.plannedSnapshot(request.group, request.time);
  const options = observedOptions(
    request,
    store.localPath,
    new ClientLog(),
    interruption,
    callbacks,
  );
  const report = planBackup(request.specs, options);
  return { report, id, cryptMode, durationMs: performance.now() - start };
}

/** Options of a backup that call back, write the client's log, and stop when interrupted. */
function observedOptions(
  request: NewBackup,
  storePath: string | undefined,
  log: ClientLog,
  interruption: Interruption,
  callbacks: BackupCallbacks,
): BackupOptions {
  let archive = "";
  let ownChunks: string | undefined;
  let doneBytes = 0;
  let contentBytes = 0;
  const progress = (entryCount: number, bytes: number) => {
    if (interruption.isRaised) throw interrupted();
    contentBytes = bytes;
    callbacks.onProgress({ archive, entryCount, bytes: doneBytes + bytes });
  };
  const warn = (kind: BackupWarning, message: string) => {
    log.add(message);
    callbacks.onWarning(kind, message);
  };
  return {
    mode: request.mode,
    chunkSize: request.chunkSize,
    build: {
      ...request.build,
      onEntry: (path) => {
        if (path === ownChunks) warn("own-chunks", describeOwnChunks(archive, path));
        callbacks.onEntry(path);
      },
      onProgress: ({ entryCount, contentBytes }) => progress(entryCount, contentBytes),
      onProblem: ({ kind, severity, path, message }) => {
        const place = `${archive}:${path}`;
        log.add(`${severity}: ${place}: ${message}`);
        callbacks.onProblem({ path: place, severity, code: kind, message });
      },
    },
    onArchive: (planned) => {
      const { spec, files } = planned;
      doneBytes += contentBytes;
      archive = spec.name;
      ownChunks = chunksWithin(spec, storePath);
      log.add(describeSource(spec, files));
      callbacks.onArchive(planned);
      progress(0, 0);
    },
    onImage: (bytes) => progress(1, bytes),
    onUnreadable: ({ name }, message) => {
      log.add(`error: ${name}: ${message}`);
      callbacks.onProblem({ path: name, severity: "error", code: "incomplete", message });
    },
    onPreviousUnusable: ({ name }, error) => {
      const kind = error instanceof IntegrityError ? "damaged-base" : "unusable-base";
      warn(kind, `${name}: cannot reuse the last snapshot: ${error.message}`);
    },
    log: () => log.bytes(),
  };
}

function describeSource({ kind, name, path }: BackupSpec, files: readonly string[]): string {
  const what = { pxar: "directory", image: "image", blob: "file" }[kind];
  return `${name}: ${what} ${quoteName(path)} as ${files.join(" and ")}`;
}

/**
 * Where in the archive of a directory the chunks of the datastore are; undefined when they are
 * elsewhere.
 */
function chunksWithin(
  { kind, path, tree, makeSource }: BackupSpec,
  storePath: string | undefined,
): string | undefined {
  const isHere = tree === undefined && makeSource === undefined;
  if (kind !== "pxar" || !isHere || storePath === undefined) return undefined;
  const root = hostFiles.realPath(path);
  const prefix = root === "/" ? "" : root;
  const chunks = `${hostFiles.realPath(storePath)}/${CHUNKS_DIRECTORY}`;
  return chunks.startsWith(`${prefix}/`) ? chunks.slice(prefix.length) : undefined;
}

function describeOwnChunks(archive: string, path: string): string {
  return `${archive}: ${quoteName(path)} is what this datastore stores: ` +
    "each backup holds those before it";
}

/** What ends a run that was interrupted. */
export function interrupted(): StateError {
  return new StateError("interrupted", "Interrupted: the snapshot was given up", {
    hint: "Nothing of it is left; chunks that were stored are used by the next backup",
  });
}

/** What is stored beside a snapshot of how it was made. */
class ClientLog {
  #text = "";

  add(line: string): void {
    this.#text += `${new Date().toISOString().replace(/\.\d+Z$/u, "Z")} ${line}\n`;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return new TextEncoder().encode(this.#text);
  }
}

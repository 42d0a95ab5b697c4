/**
 * A source restored into directories of its own, as the tool that made it would: a chain of
 * pg_probackup into a data directory that a server starts on, anything else as the tree it is.
 *
 * The order makes every moment safe. A record in the target says that the restore is not finished
 * (`unfinished.ts`). All files are written, by several threads; then what needs them: links,
 * settings, metadata of directories. When that is durable, `global/pg_control`, without which no
 * server starts, gets its name, and the record goes. So a target without a record is complete, and
 * one with it is gone on with: what the record counts is kept, everything else is written again.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { IntegrityError, OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { hostFiles, ownerOf } from "#src/io/files/files.ts";
import { syncDirectory, syncFileSystem, writeNewFile } from "#src/io/files/whole_file.ts";
import { isDamagedControlFile } from "#src/sources/format/control_file.ts";
import { parseSourceName } from "#src/sources/name.ts";
import { CONTROL_FILE_PATH } from "#src/sources/postgres_facts.ts";
import type { Source } from "#src/sources/source.ts";
import type { SpawnThread } from "#src/threads/thread.ts";
import type { FileNode, MountableTree } from "#src/tree/node.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import { controlFileOf, readBytes, readText } from "../data_directory_files.ts";
import { AUTO_CONF_NAME } from "../mounting/server_settings.ts";
import { backupLayout } from "./backup_layout.ts";
import { FileJobs } from "./file_jobs.ts";
import { checkPlaces, isPgpro, type LayoutRequest, type RestoreLayout } from "./layout.ts";
import { NodeMetadata, readUmask } from "./node_metadata.ts";
import { recoveryFiles, type RestoredRecovery, type SettingsFile } from "./recovery.ts";
import { requireRecoveryWal } from "./recovery_wal.ts";
import type { WriteCounts } from "./restore_queue.ts";
import { type ClaimedTarget, claimTarget, type TargetRequest } from "./target.ts";
import type { WritingOptions } from "./thread_start.ts";
import { treeLayout } from "./tree_layout.ts";
import { RestoreWalk, type TreeCounts } from "./restore_walk.ts";
import type { RestoreIdentity } from "./unfinished.ts";

/** So much is written before it is made durable and recorded: what a kill costs at most. */
const CHECKPOINT_BYTES = 1 << 30;

const AUTO_CONF_SIZE_MAX = 16 << 20;
const CONTROL_FILE_SIZE_MAX = 64 << 10;
const NEW_CONTROL_FILE_PATH = `${CONTROL_FILE_PATH}.pbkfs-restore`;
const SETTINGS_MODE = 0o600;
/** Nobody else may enter a data directory, but members of its group may read. */
const FOREIGN_MODE = 0o027;
const OWN_MODE = 0o700;

/** What is restored where, and how. */
export interface RestoreRequest extends LayoutRequest, TargetRequest {
  /** Threads that write, with the caller's. */
  readonly threadCount: number;
  /**
   * Compare files with the checksums that the source has of them; and see to it, first, that a
   * server will find the WAL that it needs.
   */
  readonly isValidating: boolean;
  /** Everything is on stable storage at the end. Without it a killed restore begins anew. */
  readonly isDurable: boolean;
  /**
   * Who is to own the files. Default: this user; for root the owner of the target if that is there,
   * else the source's.
   */
  readonly owner?: Owner | undefined;
  /** How a server is to recover. Default: as the backup needs it. */
  readonly recovery?: RestoredRecovery | undefined;
  /**
   * The command by which a server fetches WAL of an instance of a catalog; undefined where there is
   * none.
   */
  archiveCommand(store: string, instance: string): string | undefined;
  /** See the constant of this module, which is the default. */
  readonly checkpointBytes?: number | undefined;
}

/** How far a restore is. */
export interface RestoreProgress {
  /** Files that are complete. */
  readonly files: number;
  /** Bytes that are in their places. */
  readonly bytes: number;
  /** Bytes that there will be; undefined where that takes reading the source. */
  readonly totalBytes: number | undefined;
}

/** What a restore has done. */
export interface RestoreSummary {
  /** It went on with one that was not finished. */
  readonly isResumed: boolean;
  /** Files that were there were kept, and got what differed. */
  readonly isIncremental: boolean;
  /** Files of the source. */
  readonly files: number;
  /** Directories of the source. */
  readonly directories: number;
  /** Symbolic and hard links, devices, FIFOs, sockets. */
  readonly links: number;
  /** Files that were complete already when an unfinished restore was gone on with. */
  readonly keptFiles: number;
  /** Bytes that were not there. */
  readonly writtenBytes: number;
  /** Bytes that were right already. */
  readonly unchangedBytes: number;
  /** Names that were there and are not in the backup. */
  readonly removed: number;
  /** Metadata that the file systems do not know, or this user may not set. */
  readonly warnings: number;
}

/**
 * Restores an open source. Blocks this thread.
 *
 * @param onProgress hears of files, in the order of the source
 * @throws {UsageError} for a request that does not fit the source
 * @throws {StateError} when the target is something else, or in use; `wal-missing` when no server
 *   would become consistent on it
 * @throws {OsError} when it cannot be written; the same call goes on then
 * @throws {FormatError | IntegrityError} when the source is damaged
 */
export async function restoreSource(
  source: Source,
  request: RestoreRequest,
  spawn: SpawnThread,
  onProgress: (progress: RestoreProgress) => void,
): Promise<RestoreSummary> {
  const { kind, name, fingerprint, ids } = await source.identify();
  const tree = source.openTree();
  try {
    const layout = isPgpro(source)
      ? backupLayout(source, tree, request, request.archiveCommand)
      : treeLayout(tree, source.description.label, request);
    checkPlaces(layout.roots, placeOf(source));
    const settings = settingsOf(layout, request);
    if (request.isValidating) requireRecoveryWal(layout, request.recovery);
    const identity: RestoreIdentity = {
      format: 1,
      source: { kind, name, fingerprint, ids: [...ids] },
      places: layout.roots.map(({ path }) => path),
      databases_left_out: [...layout.leftOutDatabases],
      incremental: request.isIncremental,
      owner: ownerFor(request) ?? null,
    };
    const claimed = claimTarget(layout, identity, request);
    using unfinished = claimed.unfinished;
    const restore = new Restore({ source, tree, layout, settings, claimed, request, spawn });
    if (!unfinished.isComplete) restore.write(onProgress);
    restore.complete();
    return restore.summary;
  } finally {
    tree.close();
  }
}

/** The place of what lies on this machine. */
function placeOf({ description }: Source): string | undefined {
  const { kind, place } = parseSourceName(description.name);
  return kind === "pbs" ? undefined : place;
}

function ownerFor({ owner, targetPath }: RestoreRequest): Owner | undefined {
  if (owner !== undefined || host.getEffectiveUid() !== 0) return owner;
  return hostFiles.status(targetPath) === undefined ? undefined : ownerOf(targetPath);
}

/** Files that get another text than they have in the source. */
function settingsOf(
  { backup, roots, files }: RestoreLayout,
  request: RestoreRequest,
): SettingsFile[] {
  if (backup === undefined) return [];
  const file = roots[0]!.node.lookup(AUTO_CONF_NAME);
  const stored = file?.kind === "file" ? readText(file, AUTO_CONF_SIZE_MAX) : undefined;
  const recovery = recoveryFiles(request.recovery, backup, stored, new Date().toISOString());
  return [...recovery, ...files];
}

/** As servers want it: the root of a set of tar archives has no mode, and that of a copy any. */
function closeToOthers(path: string): void {
  const stat = new host.HostStat();
  host.unwrap(host.stat(path, stat), "stat", path);
  if ((stat.mode & FOREIGN_MODE) !== 0) host.unwrap(host.chmod(path, OWN_MODE), "chmod", path);
}

/** What a restore is made of, once its target is claimed. */
interface RestoreParts {
  readonly source: Source;
  readonly tree: MountableTree;
  readonly layout: RestoreLayout;
  readonly settings: readonly SettingsFile[];
  readonly claimed: ClaimedTarget;
  readonly request: RestoreRequest;
  readonly spawn: SpawnThread;
}

/** The steps of a restore. */
class Restore {
  readonly #parts: RestoreParts;
  readonly #writing: WritingOptions;
  readonly #metadata: NodeMetadata;
  readonly #written: WriteCounts = { written: 0, unchanged: 0, warnings: 0 };
  #made: TreeCounts = { files: 0, directories: 0, links: 0, removed: 0 };

  constructor(parts: RestoreParts) {
    const { tree, claimed: { unfinished }, request } = parts;
    this.#parts = parts;
    this.#writing = {
      isValidating: request.isValidating,
      isIncremental: unfinished.identity.incremental,
      knownFields: [...tree.knownFields],
      // Where the tree knows owners, only what was asked for takes their place.
      owner: tree.knownFields.has("uid") ? request.owner : unfinished.identity.owner ?? undefined,
      umask: readUmask(),
    };
    this.#metadata = new NodeMetadata(this.#writing);
  }

  get summary(): RestoreSummary {
    const { isResumed, unfinished } = this.#parts.claimed;
    const { written, unchanged, warnings } = this.#written;
    return {
      isResumed,
      isIncremental: this.#writing.isIncremental,
      ...this.#made,
      keptFiles: unfinished.doneCount,
      writtenBytes: written,
      unchangedBytes: unchanged,
      warnings,
    };
  }

  get #targetPath(): string {
    return this.#parts.layout.roots[0]!.path;
  }

  /** What is written last; undefined where the source is no data directory. */
  get #controlFile(): FileNode | undefined {
    const { backup, roots } = this.#parts.layout;
    return backup === undefined ? undefined : controlFileOf(roots[0]!.node);
  }

  /** Makes everything but the last file, and that under another name; durable at the end. */
  write(onProgress: (progress: RestoreProgress) => void): void {
    const { layout, settings, claimed: { unfinished } } = this.#parts;
    const controlFile = this.#controlFile;
    // From now on no server starts on what was there before.
    if (controlFile !== undefined) this.#removeControlFile();
    const heldBack = new Set(settings.map(({ name }) => name));
    if (controlFile !== undefined) heldBack.add(CONTROL_FILE_PATH);
    using jobs = this.#openJobs(onProgress);
    const walk = new RestoreWalk({
      layout,
      jobs,
      heldBack,
      metadata: this.#metadata,
      isIncremental: this.#writing.isIncremental,
      doneCount: unfinished.doneCount,
      written: this.#written,
    });
    this.#made = walk.counts;
    try {
      walk.writeFiles();
      jobs.finish();
    } catch (error) {
      this.#keepWhatIsDone(jobs);
      throw error;
    }
    walk.writeLinks();
    for (const file of settings) this.#writeSettings(file);
    walk.finishDirectories();
    if (controlFile !== undefined) this.#writeControlFile(controlFile);
    if (!this.#parts.request.isDurable) return;
    this.#sync();
    unfinished.recordComplete();
  }

  /** Gives the last file its name, and removes the record. */
  complete(): void {
    const { layout, claimed: { unfinished }, request: { isDurable } } = this.#parts;
    const target = this.#targetPath;
    if (this.#controlFile !== undefined) {
      const [from, to] = [`${target}/${NEW_CONTROL_FILE_PATH}`, `${target}/${CONTROL_FILE_PATH}`];
      const renamed = host.rename(from, to);
      // A restore that was killed here has done it.
      if (renamed !== -host.Errno.ENOENT) host.unwrap(renamed, "rename", from);
      if (isDurable) syncDirectory(`${target}/global`);
    }
    unfinished.remove();
    this.#metadata.restorePath(target, layout.roots[0]!.node, this.#written);
    if (layout.backup !== undefined) closeToOthers(target);
    if (isDurable) syncDirectory(target);
  }

  #openJobs(onProgress: (progress: RestoreProgress) => void): FileJobs {
    const { source, tree, layout, spawn, request, claimed: { unfinished } } = this.#parts;
    const { threadCount, isDurable, checkpointBytes = CHECKPOINT_BYTES } = request;
    let checkpoint = 0;
    const jobs: FileJobs = new FileJobs({
      source,
      tree,
      threadCount,
      spawn,
      writing: this.#writing,
      onWritten: ({ written, unchanged, warnings }) => {
        this.#written.written += written;
        this.#written.unchanged += unchanged;
        this.#written.warnings += warnings;
        const bytes = this.#written.written + this.#written.unchanged;
        onProgress({
          files: unfinished.doneCount + jobs.doneCount,
          bytes,
          totalBytes: layout.totalBytes,
        });
        if (!isDurable || bytes - checkpoint < checkpointBytes) return;
        checkpoint = bytes;
        this.#checkpoint(jobs);
      },
    });
    return jobs;
  }

  #checkpoint(jobs: FileJobs): void {
    const done = this.#parts.claimed.unfinished.doneCount + jobs.doneCount;
    this.#sync();
    this.#parts.claimed.unfinished.recordDone(done);
  }

  /** A restore that fails, as on a full disk, is gone on with when the reason is gone. */
  #keepWhatIsDone(jobs: FileJobs): void {
    if (!this.#parts.request.isDurable) return;
    try {
      this.#checkpoint(jobs);
    } catch (error) {
      // The next one writes more than it would have to.
      if (!(error instanceof OsError)) throw error;
    }
  }

  #removeControlFile(): void {
    const path = `${this.#targetPath}/${CONTROL_FILE_PATH}`;
    const removed = host.unlink(path);
    const { ENOENT, ENOTDIR } = host.Errno;
    if (removed === -ENOENT || removed === -ENOTDIR) return;
    host.unwrap(removed, "remove", path);
    if (this.#parts.request.isDurable) syncDirectory(`${this.#targetPath}/global`);
  }

  #writeControlFile(node: FileNode): void {
    const path = `${this.#targetPath}/${NEW_CONTROL_FILE_PATH}`;
    const bytes = readBytes(node, CONTROL_FILE_SIZE_MAX);
    if (this.#parts.request.isValidating) this.#checkControlFile(bytes);
    writeNewFile(path, bytes, { mode: SETTINGS_MODE, isDurable: false });
    this.#metadata.restorePath(path, node, this.#written);
    this.#made.files += 1;
    this.#written.written += bytes.length;
  }

  /** It has its checksum inside. */
  #checkControlFile(bytes: Uint8Array): void {
    const { label, serverVersion } = this.#parts.layout.backup!;
    if (!isDamagedControlFile(bytes, serverVersion)) return;
    throw new IntegrityError(`Cannot restore "${CONTROL_FILE_PATH}" of ${label}: wrong checksum`);
  }

  #writeSettings({ name, text }: SettingsFile): void {
    const { node } = this.#parts.layout.roots[0]!;
    const stored = node.lookup(name);
    const path = `${this.#targetPath}/${name}`;
    const bytes = new Uint8Array(encodeFileName(text));
    writeNewFile(path, bytes, { mode: SETTINGS_MODE, isDurable: false });
    // What the backup does not have gets the owner of the data directory.
    if (stored?.kind === "file") this.#metadata.restorePath(path, stored, this.#written);
    else this.#metadata.giveToOwnerOf(node, path);
    this.#made.files += 1;
    this.#written.written += bytes.length;
  }

  /** Makes everything durable, file system by file system. */
  #sync(): void {
    const devices = new Set<number>();
    const places = this.#parts.layout.roots.map(({ path }) => path);
    // The directory of the WAL may be a link.
    for (const path of [...places, `${this.#targetPath}/pg_wal`]) {
      const status = hostFiles.status(path);
      if (status?.kind !== "directory" || devices.has(status.device)) continue;
      devices.add(status.device);
      syncFileSystem(path);
    }
  }
}

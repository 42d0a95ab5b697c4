/**
 * A backup with its progress, what could not be read, and its end: finished, partial, or given up
 * without a trace.
 *
 * @module
 */

import type { SnapshotStore } from "#src/pbs/ports.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import { backup, planBackup } from "#src/backup/backup.ts";
import type { BackupOptions, BackupReport } from "#src/backup/backup_options.ts";
import type { BackupSpec } from "#src/backup/backup_spec.ts";
import { IntegrityError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { CHUNKS_DIRECTORY } from "#src/pbs/storage/directory/directory_chunks.ts";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { spawnThread } from "#src/usecases/threads.ts";
import { quoteName } from "#src/bytes/quoting.ts";
import { partialError, ProblemOutput } from "../output/problem_output.ts";
import type { BackupRequest } from "../options/backup_options.ts";
import { backupSummary, type FinishedBackup, formatBackupReport } from "../output/backup_report.ts";
import { formatHumanBytes } from "../terminal/human_bytes.ts";
import type { Output } from "../output/output.ts";
import { ProgressLine } from "../output/progress_line.ts";

/** A chunk is known by its name, whatever is in its file. */
const DAMAGE_HINT =
  "; this snapshot may need the same chunk: run pbkfs pbs verify and back up again";

/** The keys of a backup, ready for use. */
export interface BackupKeys {
  readonly mode: CryptMode;
  /** Undefined for mode `none`. */
  readonly crypt: CryptConfig | undefined;
  /** The key, encrypted with a master key. */
  readonly encryptedKey: Uint8Array<ArrayBuffer> | undefined;
}

/** Where a backup tells of itself. */
export interface BackupOutput {
  readonly terminal: Terminal;
  readonly output: Output;
}

/**
 * Makes a snapshot. SIGINT and SIGTERM give it up.
 *
 * @throws {StateError} `partial` when entries are missing: the snapshot is there; `interrupted`: it
 *   is not
 * @throws what {@link backup} throws, and starting a snapshot
 */
export function runBackup(
  store: SnapshotStore,
  request: BackupRequest,
  keys: BackupKeys,
  told: BackupOutput,
): void {
  const start = performance.now();
  const interruption = host.latchSignals([host.SIGINT, host.SIGTERM, host.SIGHUP]);
  try {
    const writer = store.startSnapshot({
      group: request.group,
      cryptMode: keys.mode,
      workers: request.workers === 0 ? undefined : { count: request.workers, spawn: spawnThread },
      time: request.time,
      owner: request.owner,
      crypt: keys.crypt,
    });
    const { id } = writer;
    const place = { request, storePath: store.localPath };
    const report = tellingOf(place, told, interruption, (options, log) => {
      log(`Starting backup: ${qualifiedName(id)}`);
      return backup(writer, request.specs, {
        ...options,
        encryptedKey: keys.encryptedKey,
      });
    });
    finish({ report, id, cryptMode: keys.mode, durationMs: performance.now() - start }, told);
  } finally {
    interruption.release();
  }
}

/**
 * Tells what {@link runBackup} would do.
 *
 * @throws {StateError} as when a snapshot is started
 * @throws what {@link planBackup} throws
 */
export function runBackupPlan(
  store: SnapshotStore,
  request: BackupRequest,
  cryptMode: CryptMode,
  told: BackupOutput,
): void {
  const start = performance.now();
  const id = store.plannedSnapshot(request.group, request.time);
  const interruption = { isRaised: false };
  const report = tellingOf(
    { request, storePath: store.localPath },
    told,
    interruption,
    (options) => planBackup(request.specs, options),
  );
  finish({ report, id, cryptMode, durationMs: performance.now() - start }, told);
}

function finish(finished: FinishedBackup, { output }: BackupOutput): void {
  output.value(
    { type: "summary", ...backupSummary(finished) },
    () => formatBackupReport(finished),
  );
  const { archives, isPartial } = finished.report;
  if (!isPartial) return;
  throw partialError(
    archives.reduce(
      (sum, { build, unreadableCount = 0 }) => sum + (build?.errorCount ?? 0) + unreadableCount,
      0,
    ),
    "backed up",
  );
}

/** What is backed up where. */
interface BackupPlace {
  readonly request: BackupRequest;
  readonly storePath: string | undefined;
}

type Run = (options: BackupOptions, log: (line: string) => void) => BackupReport;

/** Runs a backup with options that tell of it, keep the client's log, and stop it. */
function tellingOf(
  { request, storePath }: BackupPlace,
  { terminal, output }: BackupOutput,
  interruption: { readonly isRaised: boolean },
  run: Run,
): BackupReport {
  using line = new ProgressLine(terminal, output);
  const problems = new ProblemOutput(terminal, output.isJson ? "json" : "text", line);
  const log = new ClientLog();
  const startMs = performance.now();
  let archive = "";
  let ownChunks: string | undefined;
  let doneBytes = 0;
  const show = (files: number, bytes: number) => {
    if (interruption.isRaised) throw interrupted();
    line.show(() => describeProgress(archive, files, doneBytes + bytes, startMs));
  };
  let contentBytes = 0;
  const warn = (message: string) => {
    line.clear();
    log.add(message);
    output.warning(message);
  };
  return run({
    mode: request.mode,
    chunkSize: request.chunkSize,
    build: {
      ...request.build,
      onEntry: (path) => {
        if (path === ownChunks) warn(describeOwnChunks(archive, path));
        if (!request.isVerbose) return;
        line.clear();
        terminal.err(`${quoteName(path)}\n`);
      },
      onProgress: (progress) => {
        contentBytes = progress.contentBytes;
        show(progress.entryCount, contentBytes);
      },
      onProblem: ({ kind, severity, path, message }) => {
        const place = `${archive}:${path}`;
        log.add(`${severity}: ${place}: ${message}`);
        problems.print({ path: place, severity, code: kind, message });
      },
    },
    onArchive: ({ spec, files }) => {
      doneBytes += contentBytes;
      contentBytes = 0;
      archive = spec.name;
      ownChunks = chunksWithin(spec, storePath);
      log.add(describeSource(spec, files));
      output.event({ type: "archive", name: spec.name, source: spec.path, files });
      show(0, 0);
    },
    onImage: (bytes) => {
      contentBytes = bytes;
      show(1, bytes);
    },
    onUnreadable: ({ name }, message) => {
      log.add(`error: ${name}: ${message}`);
      problems.print({ path: name, severity: "error", code: "incomplete", message });
    },
    onPreviousUnusable: (spec, error) => {
      const hint = error instanceof IntegrityError ? DAMAGE_HINT : "";
      warn(`${spec.name}: cannot reuse the last snapshot: ${error.message}${hint}`);
    },
    log: () => log.bytes(),
  }, (text) => log.add(text));
}

function describeProgress(archive: string, files: number, bytes: number, startMs: number) {
  const seconds = (performance.now() - startMs) / 1000;
  const speed = Math.round(bytes / Math.max(seconds, 0.001));
  return {
    text: `${archive}: ${files} entries, ${formatHumanBytes(bytes)}, ${formatHumanBytes(speed)}/s`,
    fields: { archive, entries: files, bytes, bytes_per_s: speed },
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
  { kind, path }: BackupSpec,
  storePath: string | undefined,
): string | undefined {
  if (kind !== "pxar" || storePath === undefined) return undefined;
  const root = hostFiles.realPath(path);
  const prefix = root === "/" ? "" : root;
  const chunks = `${hostFiles.realPath(storePath)}/${CHUNKS_DIRECTORY}`;
  return chunks.startsWith(`${prefix}/`) ? chunks.slice(prefix.length) : undefined;
}

function describeOwnChunks(archive: string, path: string): string {
  return `${archive}: ${
    quoteName(path)
  } is what this datastore stores: each backup holds those before it; ` +
    "--exclude leaves it out";
}

function interrupted(): StateError {
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

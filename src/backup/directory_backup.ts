/**
 * Directories as archives of a snapshot, in each of the modes of change detection.
 *
 * @module
 */

import { directoryBehind } from "#src/io/files/files.ts";
import { Failure, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { pxarIndexName, splitIndexNames } from "#src/pbs/format/archive_name.ts";
import type { IndexedStream, SnapshotWriter } from "#src/pbs/ports.ts";
import { buildInto, planArchive } from "#src/pxar/builder/build_archive.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import type { BuildReport } from "#src/pxar/builder/report.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import { PxarEncoder } from "#src/pxar/encoder.ts";
import type { EntryWriter, StartArchive } from "#src/pxar/new_entry.ts";
import { archiveTree, planTree } from "#src/transfer/tree_archive.ts";
import { FileType } from "#src/tree/node.ts";
import {
  type ArchiveReport,
  type BackupOptions,
  CHUNK_SIZE_DEFAULT,
  type PlannedArchive,
} from "./backup_options.ts";
import { archiveStem, type BackupSpec } from "./backup_spec.ts";
import { SnapshotCatalog } from "./catalog_recorder.ts";
import { PayloadReuse } from "./reuse/payload_reuse.ts";
import { ChangedFiles } from "./reuse/changed_files.ts";
import { KeptChunks } from "./kept_chunks.ts";
import { OriginalFiles, type PayloadOrigin } from "./reuse/original_files.ts";
import { PreviousArchive } from "./reuse/previous_archive.ts";
import { ReuseCounters } from "./reuse/reuse_statistics.ts";
import { type ReuseBase, ReusingWriter } from "./reuse/reusing_writer.ts";
import { streamOf } from "./source_stream.ts";
import { SplitWriter } from "./split_writer.ts";

/**
 * Checks that there is a directory, or a link to one; only on this computer. @throws {UsageError}
 * when there is something else @throws {OsError} when there is nothing
 */
export function checkDirectory({ path, makeSource, tree }: BackupSpec): void {
  if (makeSource !== undefined || tree !== undefined) return;
  const stat = new host.HostStat();
  host.unwrap(host.stat(path, stat), "access", path);
  if ((stat.mode & FileType.MASK) !== FileType.DIRECTORY) {
    throw new UsageError(`Cannot back up "${path}": got unexpected file type (expected directory)`);
  }
}

/** Goes through what is to be archived, but reads no contents and writes nothing. */
export function planDirectory(spec: BackupSpec, build: BuildOptions = {}): BuildReport {
  if (spec.tree !== undefined) return planTree(spec.tree.tree, build);
  return planArchive(...directoryToBuild(spec, build));
}

/** The directory that is archived, and how. */
function directoryToBuild(
  { path, makeSource }: BackupSpec,
  build: BuildOptions = {},
): [path: string, options: BuildOptions] {
  return makeSource === undefined
    ? [directoryBehind(path), build]
    : [path, { ...build, makeSource }];
}

/** The archives of directories of one snapshot, which share a catalog. */
export class DirectoryBackup {
  readonly #writer: SnapshotWriter;
  readonly #options: BackupOptions;
  #catalog: SnapshotCatalog | undefined;

  constructor(writer: SnapshotWriter, options: BackupOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** Makes an archive. */
  add(spec: BackupSpec): Omit<ArchiveReport, keyof PlannedArchive> {
    switch (this.#options.mode ?? "legacy") {
      case "legacy":
        return this.#addPlain(spec);
      case "data":
        return this.#addSplit(spec, false);
      case "metadata":
        return this.#addSplit(spec, true);
    }
  }

  /** Ends the catalog, when there is one. */
  finish(): void {
    this.#catalog?.finish();
  }

  #addPlain(spec: BackupSpec): Omit<ArchiveReport, keyof PlannedArchive> {
    const file = pxarIndexName(archiveStem(spec.name));
    this.#catalog ??= SnapshotCatalog.start(this.#writer);
    const catalog = this.#catalog;
    const stream = this.#open(file, "dynamic");
    const build = this.#build(spec, false, (root) => {
      return catalog.record(file, new PxarEncoder(stream, { root }));
    });
    const { size, newBytes, newStoredBytes } = stream.finish();
    return { size, newBytes, newStoredBytes, build, reuse: undefined };
  }

  /** @param isCompared whether files of the previous snapshot with the same metadata are used */
  #addSplit(spec: BackupSpec, isCompared: boolean): Omit<ArchiveReport, keyof PlannedArchive> {
    using opened = new DisposableStack();
    const files = splitIndexNames(archiveStem(spec.name));
    const previous = isCompared ? this.#openPrevious(spec, opened) : undefined;
    const payload = this.#open(files.payload, "payload");
    const metadata = this.#open(files.metadata, "dynamic");
    const bases = [
      ...(previous === undefined ? [] : [previous]),
      ...(spec.tree?.origins ?? []).map((origin) => this.#openOrigin(origin, payload)),
    ];
    const counters = bases.length === 0 ? undefined : new ReuseCounters();
    // What was changed during that second may be newer than what is stored.
    const readsSinceSeconds = previous && this.#writer.previous!.id.time - 1;
    const build = this.#build(spec, true, (root, prelude): EntryWriter => {
      const writer = new SplitWriter({ root, prelude, metadata, payload });
      if (counters === undefined) return writer;
      const { waitingCountMax } = this.#options;
      return new ReusingWriter({ writer, bases, counters, waitingCountMax });
    }, readsSinceSeconds);
    const stored = payload.finish();
    const described = metadata.finish();
    return {
      size: stored.size + described.size,
      newBytes: stored.newBytes + described.newBytes,
      newStoredBytes: stored.newStoredBytes + described.newStoredBytes,
      build,
      reuse: counters,
    };
  }

  #open(file: string, kind: "dynamic" | "payload"): IndexedStream {
    const averageSize = this.#options.chunkSize ?? CHUNK_SIZE_DEFAULT;
    return this.#writer.openDynamic(file, { kind, averageSize });
  }

  #build(
    spec: BackupSpec,
    isSplit: boolean,
    start: StartArchive,
    readsSinceSeconds?: number,
  ): BuildReport {
    if (spec.tree !== undefined) {
      return archiveTree(spec.tree.tree, { startRoot: start }, this.#options.build);
    }
    const [path, options] = directoryToBuild(spec, this.#options.build);
    return buildInto(path, start, isSplit, { ...options, readsSinceSeconds });
  }

  /** Contents that lie in the store, in a snapshot which somebody else holds. */
  #openOrigin(from: PayloadOrigin, stream: IndexedStream): ReuseBase {
    const { origin, snapshot } = from;
    const chunks = new KeptChunks(this.#writer);
    const index = snapshot.dynamicIndex(from.index);
    return {
      files: new OriginalFiles(origin),
      reuse: new PayloadReuse(index, (digest) => snapshot.chunks.has(digest)),
      changed: new ChangedFiles(from, index),
      keep: ({ digest, size }) => chunks.keep(digest, { snapshot, size, stream }),
    };
  }

  /** The archive of the same name in the previous snapshot, when it can be used. */
  #openPrevious(spec: BackupSpec, stack: DisposableStack): ReuseBase | undefined {
    const { previous, cryptMode } = this.#writer;
    const { metadata, payload } = splitIndexNames(archiveStem(spec.name));
    const has = (name: string) => previous?.manifest.files.some((file) => file.filename === name);
    if (previous === undefined || previous.cryptMode !== cryptMode) return undefined;
    // Who could change the manifest could let files refer to chunks of others.
    if (cryptMode !== "none" && previous.manifest.signature === undefined) return undefined;
    if (!has(metadata) || !has(payload)) return undefined;
    const onFailure = (error: Error) => this.#options.onPreviousUnusable?.(spec, error);
    using opened = new DisposableStack();
    try {
      const reuse = new PayloadReuse(
        previous.dynamicIndex(payload),
        (digest) => previous.chunks.has(digest),
      );
      const source = previous.openArchive(metadata);
      opened.defer(() => source.close());
      const decoder = new PxarDecoder(streamOf(source), { name: metadata });
      const files = new PreviousArchive(decoder, onFailure);
      stack.use(opened.move());
      return { files, reuse };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      onFailure(error);
      return undefined;
    }
  }
}

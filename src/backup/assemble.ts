/**
 * New snapshots made of old ones: payload chunks are taken over as they are, not decoded
 * and not encoded again.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
import { ENCRYPTED_KEY_NAME, keyFingerprintOf } from "#src/pbs/format/manifest.ts";
import { archiveNameOf, splitIndexNames } from "#src/pbs/format/archive_name.ts";
import type {
  IndexedStream,
  IndexedStreamSummary,
  SnapshotReader,
  SnapshotSummary,
  SnapshotWriter,
} from "#src/pbs/ports.ts";
import { PxarAccessor } from "#src/pxar/accessor.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { compose, type CompositionOptions, type Placement } from "#src/transfer/compose.ts";
import { writeTree } from "#src/transfer/write_tree.ts";
import { requireDirectoryFiles, requireFiles } from "./archive_access.ts";
import { CHUNK_SIZE_DEFAULT } from "./backup_options.ts";
import { archiveStem } from "./backup_spec.ts";
import { KeptChunks } from "./kept_chunks.ts";
import { PayloadOrigins, ReferringWriter } from "./referring_writer.ts";
import { chunksOfIndex } from "./reuse/payload_reuse.ts";

/** A part of an old snapshot, and where it goes. */
export interface SnapshotPart {
  /** The old snapshot, open for reading; it is not closed here. */
  readonly snapshot: SnapshotReader;
  /** Name of the archive, image or blob in the old snapshot. */
  readonly archive: string;
  /**
   * Name in the new one; the same unless given. Parts of the same name are put together to one
   * split archive.
   */
  readonly to?: string;
  /** Path of an entry of the archive, with all that is in it; everything unless given. */
  readonly from?: string;
  /**
   * Path in the new archive; that in the old one unless given. With a slash at the end the entry
   * goes into that directory.
   */
  readonly place?: string;
}

/** How parts are put together. */
export interface AssemblyOptions extends CompositionOptions {
  /** Average chunk size of new metadata streams in bytes, a power of two. Default: 4 MiB. */
  readonly chunkSize?: number;
}

/** What a new archive is made of. */
export interface AssembledArchive {
  /** As in {@link SnapshotPart.to}. */
  readonly name: string;
  /** Bytes of its streams. */
  readonly size: number;
  /** Bytes of the streams that are chunks taken over without reading them. */
  readonly reusedBytes: number;
}

/** What an assembled snapshot is made of. */
export interface AssemblyReport {
  /** What became of each part, in their order. */
  readonly archives: readonly AssembledArchive[];
  /** The new snapshot: its name, files and sizes. */
  readonly snapshot: SnapshotSummary;
  /** Part of all bytes that was taken over, 0…1. */
  readonly reusedShare: number;
}

/**
 * Makes a snapshot of parts of others, and finishes it; after an exception it is given up. The
 * others must be of the same store and made with the same key. An archive that is taken as a whole
 * is the same to the last byte; one that is put together of parts is a split archive whose metadata
 * is written anew, and whose payload consists of the chunks that hold the files. What was taken
 * over stays, even if the old snapshots are removed and garbage is collected before this one is
 * finished.
 *
 * @throws {StateError} `not-found` when a snapshot has no such archive, or an archive no such
 *   entry, or a chunk is missing
 * @throws {UsageError} when a snapshot was made with another key, or parts do not fit together
 * @throws {OsError} EEXIST when two parts have an entry of the same name
 */
export function assembleSnapshot(
  writer: SnapshotWriter,
  parts: readonly SnapshotPart[],
  options: AssemblyOptions = {},
): AssemblyReport {
  try {
    if (parts.length === 0) throw new UsageError("Cannot assemble a snapshot: there are no parts");
    checkKeys(writer, parts);
    const archives = [...partsByName(parts)].map(([name, own]) =>
      assembleArchive(writer, name, own, options)
    );
    const snapshot = writer.finish();
    const size = archives.reduce((sum, archive) => sum + archive.size, 0);
    const reused = archives.reduce((sum, archive) => sum + archive.reusedBytes, 0);
    return { archives, snapshot, reusedShare: size === 0 ? 0 : reused / size };
  } catch (error) {
    writer.abort();
    throw error;
  }
}

/** Chunks are named and encrypted by the key. */
function checkKeys(writer: SnapshotWriter, parts: readonly SnapshotPart[]): void {
  const isEncrypted = writer.cryptMode === "encrypt";
  const keys = new Set<string | undefined>(isEncrypted ? [writer.keyFingerprint] : []);
  for (const { snapshot } of parts) {
    if ((snapshot.cryptMode === "encrypt") !== isEncrypted) {
      throw new UsageError(
        "Cannot assemble a snapshot: chunks that are encrypted and chunks that are not do not go together",
      );
    }
    if (isEncrypted) keys.add(keyFingerprintOf(snapshot.manifest));
  }
  if (keys.size > 1) {
    throw new UsageError("Cannot assemble a snapshot: it and its parts have different keys");
  }
}

function partsByName(parts: readonly SnapshotPart[]): Map<string, SnapshotPart[]> {
  const byName = new Map<string, SnapshotPart[]>();
  for (const part of parts) {
    const old = nameOf(part);
    const name = part.to ?? old;
    if (kindOf(name) !== kindOf(old)) {
      throw new UsageError(
        `Cannot take "${old}" over as "${name}": that is another kind of archive`,
      );
    }
    const own = byName.get(name);
    if (own === undefined) byName.set(name, [part]);
    else own.push(part);
  }
  return byName;
}

/** What people call the archive of a part, which may be named by one of its files. */
function nameOf({ snapshot, archive }: SnapshotPart): string {
  const files = requireFiles(snapshot, archive);
  if (files.kind === "split-pxar") return `${archiveStem(archiveNameOf(files.metadata))}.pxar`;
  return archiveNameOf(files.kind === "blob" ? files.file : files.index);
}

/** What the name of an archive says of its content; blobs have all kinds of names. */
function kindOf(name: string): string {
  const [, extension = "blob"] = /\.(pxar|img|pcat1)$/.exec(name) ?? [];
  return extension;
}

function assembleArchive(
  writer: SnapshotWriter,
  name: string,
  parts: readonly SnapshotPart[],
  options: AssemblyOptions,
): AssembledArchive {
  const [part] = parts as readonly [SnapshotPart, ...SnapshotPart[]];
  const isWhole = parts.length === 1 && part.from === undefined && part.place === undefined;
  return isWhole ? takeOver(writer, name, part) : putTogether(writer, name, parts, options);
}

/** Takes an archive, image or blob over as it is. */
function takeOver(writer: SnapshotWriter, name: string, part: SnapshotPart): AssembledArchive {
  const { snapshot, archive } = part;
  const chunks = new KeptChunks(writer);
  const files = requireFiles(snapshot, archive);
  const stem = archiveStem(name);
  const dynamic = (file: string, to: string): IndexedStreamSummary => {
    const stream = writer.openDynamic(to, { kind: "dynamic", averageSize: CHUNK_SIZE_DEFAULT });
    return fill(stream, snapshot, snapshot.dynamicIndex(file), chunks);
  };
  switch (files.kind) {
    case "blob": {
      const content = snapshot.blob(files.file);
      // A key that is encrypted already is stored as it is.
      const isKey = files.file === ENCRYPTED_KEY_NAME;
      writer.addBlob(`${name}.blob`, content, isKey ? { compress: false, encrypt: false } : {});
      return { name, size: content.length, reusedBytes: 0 };
    }
    case "image": {
      const index = snapshot.fixedIndex(files.index);
      return summaryOf(name, [
        fill(
          writer.openFixed(`${name}.fidx`, index.size, index.chunkSize),
          snapshot,
          index,
          chunks,
        ),
      ]);
    }
    case "split-pxar": {
      const names = splitIndexNames(stem);
      const payload = dynamic(files.payload, names.payload);
      return summaryOf(name, [payload, dynamic(files.metadata, names.metadata)]);
    }
    default:
      return summaryOf(name, [dynamic(files.index, `${name}.didx`)]);
  }
}

function fill(
  stream: IndexedStream,
  snapshot: SnapshotReader,
  index: ChunkIndex,
  chunks: KeptChunks,
): IndexedStreamSummary {
  for (const batch of chunksOfIndex(index)) {
    for (const { digest, size } of batch) chunks.keep(digest, { snapshot, size, stream });
    stream.inject(batch);
  }
  return stream.finish();
}

/** Makes a split archive of entries of others. */
function putTogether(
  writer: SnapshotWriter,
  name: string,
  parts: readonly SnapshotPart[],
  options: AssemblyOptions,
): AssembledArchive {
  if (!name.endsWith(".pxar")) {
    throw new UsageError(
      `Cannot put parts together to "${name}": only archives NAME.pxar have parts`,
    );
  }
  using open = new DisposableStack();
  const origins = new PayloadOrigins(new KeptChunks(writer));
  const placements = parts.map(({ snapshot, archive, from, place }): Placement => {
    const files = requireDirectoryFiles(snapshot, archive);
    const [described, stored] = files.kind === "pxar"
      ? [files.index, files.index]
      : [files.metadata, files.payload];
    const source = open.adopt(snapshot.openArchive(described), (it) => it.close());
    const tree = pxarTree(PxarAccessor.open(source, { name: archive }));
    origins.add(tree, { snapshot, index: snapshot.dynamicIndex(stored) });
    return { tree, from: from ?? "/", to: place };
  });
  const tree = compose(placements, options);
  const names = splitIndexNames(archiveStem(name));
  const averageSize = options.chunkSize ?? CHUNK_SIZE_DEFAULT;
  const payload = writer.openDynamic(names.payload, { kind: "payload", averageSize });
  const metadata = writer.openDynamic(names.metadata, { kind: "dynamic", averageSize });
  writeTree(tree, {
    startRoot: (root, prelude) =>
      new ReferringWriter({ root, prelude, metadata, payload }, origins),
  });
  return summaryOf(name, [payload.finish(), metadata.finish()]);
}

function summaryOf(name: string, streams: readonly IndexedStreamSummary[]): AssembledArchive {
  return {
    name,
    size: streams.reduce((sum, { size }) => sum + size, 0),
    reusedBytes: streams.reduce((sum, { injectedBytes }) => sum + injectedBytes, 0),
  };
}

/**
 * What lies at a place: a source of which kind, and where in it. By what is in it, never by its
 * name alone: a directory by the entries that only this kind has, a file by its first bytes.
 *
 * @module
 */

import { Errno, FormatError, OsError, UsageError } from "#src/errors.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { parseBlobHeader } from "#src/pbs/format/blob.ts";
import { CHUNKS_DIRECTORY } from "#src/pbs/storage/directory/directory_chunks.ts";
import { DYNAMIC_INDEX_MAGIC } from "#src/pbs/format/dynamic_index.ts";
import { FIXED_INDEX_MAGIC } from "#src/pbs/format/fixed_index.ts";
import { decodeItem, HEADER_SIZE, Item } from "#src/pxar/format/item.ts";
import { archiveNameOf } from "#src/pbs/format/archive_name.ts";
import { formatSnapshot, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { SourceKindName, SourceName } from "./name.ts";
import { nearestName } from "./nearest_name.ts";
import { isCompressedTar } from "./tar/tar_compression.ts";
import { baseTarIn } from "./tar/tar_files.ts";
import { locateIndex, locateSnapshot } from "./pbs/snapshot_place.ts";

/** A name whose kind is known. */
export interface RecognisedName extends SourceName {
  /** What lies there. */
  readonly kind: SourceKindName;
}

/**
 * A name with its kind: the one it says, or what lies there. A datastore may be called
 * `dir:PATH#ITEM`, as in PBS_REPOSITORY: a directory has no items.
 *
 * @throws what {@link recognise} throws
 */
export function resolveName({ kind, place, item }: SourceName): RecognisedName {
  if (kind === undefined) return recognise({ place, item });
  const isStore = kind === "dir" && item !== undefined &&
    isDirectory(`${absolutePath(place)}/${CHUNKS_DIRECTORY}`);
  return { kind: isStore ? "pbs" : kind, place, item };
}

/**
 * The kind of the source at a place. A place inside of a catalog or a datastore becomes an item of
 * it, which `item` goes on from: `/backups/backups/main#TOTXQL` is `main/TOTXQL` in `/backups`.
 *
 * @throws {UsageError} when it is no source, with what was looked for and what was found
 * @throws {OsError} when there is nothing, or it may not be looked at
 */
export function recognise({ place, item }: Pick<SourceName, "place" | "item">): RecognisedName {
  const path = absolutePath(place);
  const status = hostFiles.status(path);
  if (status === undefined) {
    throw new OsError(Errno.ENOENT, "open", path, { hint: hintBeside(path) });
  }
  const found = status.kind === "directory"
    ? recogniseDirectory(path)
    : status.kind === "file"
    ? recogniseFile(path)
    : `a ${status.kind}`;
  if (typeof found === "string") throw unknown(place, found);
  const parts = [found.item, item].filter((part) => part !== undefined);
  return { ...found, item: parts.length === 0 ? undefined : parts.join("/") };
}

/** What somebody may have meant who named something that is not there. */
function hintBeside(path: string): string | undefined {
  const slash = path.lastIndexOf("/");
  try {
    const names = hostFiles.entries(path.slice(0, slash + 1)).map(({ name }) => name);
    const nearest = nearestName(path.slice(slash + 1), names);
    return nearest && `Did you mean "${path.slice(0, slash + 1)}${nearest}"?`;
  } catch (error) {
    if (error instanceof OsError) return undefined;
    throw error;
  }
}

function recogniseDirectory(path: string): RecognisedName | string {
  const has = (name: string, kind: "file" | "directory") =>
    hostFiles.status(`${path}/${name}`)?.kind === kind;
  if (has(BINDING_FILE_NAME, "file")) return { kind: "diff", place: path, item: undefined };
  if (has(CHUNKS_DIRECTORY, "directory")) return { kind: "pbs", place: path, item: undefined };
  if (has("index.json.blob", "file")) {
    const { storePath, snapshot } = locateSnapshot(path);
    return { kind: "pbs", place: storePath, item: itemOf(snapshot) };
  }
  if (has("backup.control", "file")) return insideCatalog(path, 2);
  if (has("pg_probackup.conf", "file")) return insideCatalog(path, 1);
  if (has("backups", "directory") && has("wal", "directory")) {
    return { kind: "pgpro", place: path, item: undefined };
  }
  const base = has("PG_VERSION", "file") ? undefined : baseTarIn(path);
  if (base !== undefined) return { kind: "tar", place: base, item: undefined };
  // Its files are compressed and bundled: nobody wants to see them as they lie there.
  if (has("backup.manifest", "file")) return "a backup of pgBackRest";
  return { kind: "dir", place: path, item: undefined };
}

/** A directory `depth` names below `backups/` of a catalog. */
function insideCatalog(path: string, depth: number): RecognisedName | string {
  const names = hostFiles.realPath(path).split("/");
  const item = names.splice(-depth).join("/");
  if (names.pop() !== "backups") return "a part of a catalog of pg_probackup that is elsewhere";
  return { kind: "pgpro", place: names.join("/") || "/", item };
}

/** Beginnings of files that are no sources, for messages. */
const OTHER_FILES: readonly (readonly [magic: string, what: string])[] = [
  ["28b52ffd", "a file compressed by zstd"],
  ["1f8b", "a file compressed by gzip"],
  ["04224d18", "a file compressed by lz4"],
  ["fd377a585a00", "a file compressed by xz"],
  ["504b0304", "a ZIP file"],
];

const TAR_MAGIC = "7573746172";
const TAR_MAGIC_OFFSET = 257;
/** Enough for the first block of an archive that is compressed. */
const HEAD_SIZE = 256 << 10;

function recogniseFile(path: string): RecognisedName | string {
  const head = readHead(path);
  const begins = (magic: Uint8Array) => magic.every((byte, index) => head[index] === byte);
  if (head.length >= HEADER_SIZE) {
    switch (decodeItem(new DataView(head.buffer), 0)) {
      case Item.ENTRY:
      case Item.ENTRY_V1:
      case Item.FORMAT_VERSION:
        return { kind: "pxar", place: path, item: undefined };
      case Item.PAYLOAD_START_MARKER:
        return "the payload stream of an archive, which is named by its metadata (.mpxar)";
    }
  }
  if (begins(DYNAMIC_INDEX_MAGIC) || begins(FIXED_INDEX_MAGIC) || isBlob(head)) {
    return insideStore(path);
  }
  const hex = head.toHex();
  const isTar = hex.startsWith(TAR_MAGIC, 2 * TAR_MAGIC_OFFSET) || isCompressedTar(head);
  if (isTar) return { kind: "tar", place: path, item: undefined };
  const other = OTHER_FILES.find(([magic]) => hex.startsWith(magic));
  return other === undefined ? "a file of something else" : other[1];
}

function readHead(path: string): Uint8Array<ArrayBuffer> {
  const source = hostFiles.openSource(path);
  try {
    const head = nativeBufferOf(new Uint8Array(Math.min(source.size, HEAD_SIZE)));
    const count = source.readAt(head, 0, head.bytes.length, 0);
    return head.bytes.slice(0, count);
  } finally {
    source.close();
  }
}

function isBlob(head: Uint8Array<ArrayBuffer>): boolean {
  try {
    parseBlobHeader(head);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** A file of a snapshot. */
function insideStore(path: string): RecognisedName | string {
  const { storePath, snapshot, file } = locateIndex(path);
  if (snapshot === undefined) return "an index that is in no snapshot";
  return { kind: "pbs", place: storePath, item: `${itemOf(snapshot)}/${archiveNameOf(file)}` };
}

function itemOf(snapshot: SnapshotId): string {
  const { ns } = snapshot.group;
  return ns === "" ? formatSnapshot(snapshot) : `${ns}/${formatSnapshot(snapshot)}`;
}

function unknown(place: string, found: string): UsageError {
  return new UsageError(`Cannot open "${place}": it is ${found}`, {
    code: "unknown-source",
    hint:
      "Looked for: a catalog or backup of pg_probackup (backups/ and wal/, backup.control); a " +
      "datastore (.chunks), a snapshot in it (index.json.blob), an index or blob of that; a pxar " +
      "archive, a tar archive, also in gzip or zstd (by their first bytes); a diff directory (.pbkfs-binding.json); any other directory. " +
      "`dir:PATH` is a directory whatever is in it",
  });
}

/**
 * Archives and directories by their paths, as readers for copies, comparisons and searches.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import type { PxarEntry } from "#src/pxar/entry.ts";
import { readArchive } from "#src/transfer/archive_reader.ts";
import { readDirectory } from "#src/transfer/directory_reader.ts";
import type { MetadataField, ReaderEntry, TreeReader } from "#src/transfer/reader.ts";
import { readTree } from "#src/transfer/tree_reader.ts";
import { LoopbackTree } from "#src/tree/loopback_tree.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { openAccessor } from "./archive_tables.ts";

/** What the runtime tells of a directory's files without FFI. */
const DIRECTORY_FIELDS: ReadonlySet<MetadataField> = new Set([
  "mode",
  "uid",
  "gid",
  "mtime",
  "links",
]);
/** The runtime's own calls round times to milliseconds. */
const MTIME_PRECISION_NS = 1_000_000;

/** A reader that must be closed. */
export interface OpenReader extends Disposable {
  readonly reader: TreeReader;
}

/** Opens an archive. @throws {OsError} @throws {FormatError} */
export function openArchiveReader(archive: Pick<ArchiveInput, "openFiles">): OpenReader {
  const files = archive.openFiles();
  try {
    const accessor = openAccessor(files);
    return {
      reader: readArchive(accessor),
      [Symbol.dispose]: () => files[Symbol.dispose](),
    };
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/**
 * Opens an archive, or a directory where one has that name; of the latter less is known where there
 * is no FFI.
 */
export function openReader(named: ArchiveInput): OpenReader {
  const { name } = named;
  if (!isDirectory(name)) return openArchiveReader(named);
  if (mayUseFfi) return { reader: readDirectory(hostFiles.realPath(name)), [Symbol.dispose]() {} };
  const tree = new LoopbackTree(Deno.realPathSync(name));
  return {
    reader: readTree(tree, {
      knownFields: DIRECTORY_FIELDS,
      mtimePrecisionNs: MTIME_PRECISION_NS,
    }),
    [Symbol.dispose]: () => tree.close(),
  };
}

/** Closes several readers. */
export function closeAll(readers: readonly Disposable[]): void {
  for (const reader of readers) reader[Symbol.dispose]();
}

/** An entry of a reader in the terms of an archive, for printing. */
export function printableEntry(entry: ReaderEntry): PxarEntry {
  const { metadata } = entry;
  switch (entry.kind) {
    case "file": {
      const payload = {
        kind: "inline",
        offset: entry.payload?.offset ?? 0,
        size: entry.size,
      } as const;
      return { metadata, kind: "file", payload };
    }
    case "symlink":
      return { metadata, kind: "symlink", target: entry.target };
    case "device":
      return { metadata, kind: "device", major: entry.major, minor: entry.minor };
    default:
      return { metadata, kind: entry.kind };
  }
}

function isDirectory(path: string): boolean {
  try {
    return hostFiles.status(path)?.kind === "directory";
  } catch {
    // Opening it as an archive says what is wrong.
    return false;
  }
}

/**
 * What is to be backed up: `NAME.pxar:/directory`, `NAME.img:/device`, `NAME.conf:/file`,
 * `NAME.log:/file`.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { MakeBuildSource } from "#src/pxar/builder/source.ts";
import type { Tree } from "#src/tree/node.ts";
import { isStandardInput } from "./image_stream.ts";
import type { PayloadOrigin } from "./reuse/original_files.ts";
import { CLIENT_LOG_NAME } from "#src/pbs/format/manifest.ts";

/** Kinds of archives in a snapshot. */
export type ArchiveKind = "pxar" | "image" | "blob";

/** One archive of a backup and where its content comes from. */
export interface BackupSpec {
  /** How the source is read and stored; follows from the extension of `name`. */
  readonly kind: ArchiveKind;
  /** Name of the archive with its extension: `root.pxar`, `disk.img`, `vm.conf`. */
  readonly name: string;
  /** The directory, image or file; `-` is standard input. */
  readonly path: string;
  /**
   * What came through that path already, where it is a stream: an open file, which is read in its
   * place, and its length in bytes.
   */
  readonly spool?: { readonly fd: number; readonly position: number } | undefined;
  /** How a directory is reached that is not one of this computer; `path` is what it has there. */
  readonly makeSource?: MakeBuildSource | undefined;
  /** A tree that is archived in place of a directory; `path` is what it is called. */
  readonly tree?: TreeToArchive | undefined;
}

/** A tree on its way into a snapshot, complete and as it is: files that say so exclude nothing. */
export interface TreeToArchive {
  /** It stays the caller's to close. */
  readonly tree: Tree;
  /** Where contents of its files lie in the store already. */
  readonly origins: readonly PayloadOrigin[];
}

const SPEC = /^([A-Za-z0-9_-]+\.(pxar|img|conf|log)):(.+)$/s;

const KINDS: Readonly<Record<string, ArchiveKind>> = {
  pxar: "pxar",
  img: "image",
  conf: "blob",
  log: "blob",
};

/** Reads `NAME.EXTENSION:PATH`. @throws {UsageError} when it is none */
export function parseBackupSpec(text: string): BackupSpec {
  const [, name, extension, path] = SPEC.exec(text) ?? [];
  if (name === undefined || extension === undefined || path === undefined) {
    throw new UsageError(`Cannot back up ${JSON.stringify(text)}: it is not NAME.EXTENSION:PATH`, {
      hint: "Extensions are pxar (directory), img (file or block device), conf and log (file)",
    });
  }
  return { kind: KINDS[extension]!, name, path };
}

/**
 * Checks that no archive is there twice. @throws {UsageError} when there is none, one twice, or one
 * of a name that is taken
 */
export function checkBackupSpecs(specs: readonly BackupSpec[]): void {
  if (specs.length === 0) throw new UsageError("Cannot back up: no archive is named");
  checkStandardInput(specs);
  const seen = new Set<string>();
  for (const { name } of specs) {
    if (`${name}.blob` === CLIENT_LOG_NAME) {
      throw new UsageError(`Cannot back up: "${name}" is the log of the backup itself`, {
        hint: "Give the file another name: NAME.log:PATH",
      });
    }
    if (seen.has(name)) throw new UsageError(`Cannot back up: got target twice: "${name}"`);
    seen.add(name);
  }
}

/** Only an image can be what comes through a pipe, and only one. */
function checkStandardInput(specs: readonly BackupSpec[]): void {
  const [first, second] = specs.filter(({ path }) => isStandardInput(path));
  if (second !== undefined) {
    throw new UsageError(`Cannot back up standard input twice: "${first!.name}", "${second.name}"`);
  }
  if (first === undefined || first.kind === "image") return;
  throw new UsageError(`Cannot back up "${first.name}" from standard input: it needs a size`, {
    hint: "Give a directory or file for it, or take NAME.img:- for what comes through a pipe",
  });
}

/** Name of an archive without its extension. */
export function archiveStem(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}

/**
 * Any source for a mount, by its name.
 *
 * @module
 */

import { notOfKind } from "#src/backup/archive_access.ts";
import { readBinding } from "#src/overlay/diff_directory.ts";
import { checkOverlap, realPathOfMissing } from "#src/overlay/diff_place.ts";
import {
  formatSourceName,
  parseSourceName,
  SOURCE_KINDS,
  type SourceKindName,
} from "#src/sources/name.ts";
import { serverOf, storeDirectory } from "#src/sources/pbs/store_place.ts";
import { findNamedBackup } from "#src/sources/pgpro/named_backup.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { type RecognisedName, resolveName } from "#src/sources/recognise.ts";
import { openSource } from "#src/sources/registry.ts";
import type { Credentials, OpenSourceOptions } from "#src/sources/source.ts";
import { type BackupRequest, backupToMount } from "./backup_to_mount.ts";
import { branchToMount } from "./branch_to_mount.ts";
import type { WritableRequest } from "./mount_request.ts";
import type { SourceToMount } from "./source_to_mount.ts";

/**
 * What a name means (`sources/name.ts`), wherever the working directory will be then.
 *
 * @throws {UsageError} when the name cannot be read, or nothing like a source lies there
 * @throws {OsError}
 */
export function nameToMount(text: string): RecognisedName {
  const { kind, place, item } = resolveName(parseSourceName(text));
  return {
    kind,
    place: kind === "pbs" ? place : absolutePath(place),
    // Of an archive it is a path as well.
    item: kind === "pxar" && item !== undefined ? absolutePath(item) : item,
  };
}

/** How a backup of pg_probackup is mounted; other kinds have nothing like it. */
export type BackupShowing = Pick<BackupRequest, "lockCatalog" | "relativeTablespaces">;

/** How a source is mounted, of whatever kind it is. */
export type SourceShowing =
  & BackupShowing
  & Pick<OpenSourceOptions, "serverStore" | "onWarning">;

/**
 * A named source as what a mount shows.
 *
 * @param writable where changes go; undefined for a read-only mount
 * @throws {UsageError} when the name says too little
 * @throws {StateError} `not-found`
 */
export function namedSourceToMount(
  name: RecognisedName,
  writable: WritableRequest | undefined,
  credentials: Credentials,
  { lockCatalog, relativeTablespaces, serverStore, onWarning }: SourceShowing,
): SourceToMount {
  const { kind, place, item } = name;
  if (kind === "pgpro") {
    // A server is to start on it: owner, tablespaces and the record of the diff are its own matter.
    const { store, instance, backupId } = findNamedBackup(place, item);
    const backup = { storePath: store, instance, backupId, lockCatalog, relativeTablespaces };
    return backupToMount(backup, writable);
  }
  if (kind === "diff" && item === undefined) {
    const branch = { parentPath: place, lockCatalog, relativeTablespaces };
    return branchToMount(branch, credentials);
  }
  return {
    places: () => placesOf(name).map((path) => ({ what: WORDS[kind] ?? "source", path })),

    async open({ mountPath, threadCount }) {
      // Whoever walks through the mount would walk through it in itself.
      if (kind === "dir") {
        checkOverlap([...this.places(), { what: "mount point", path: mountPath }]);
      }
      const options = { credentials, threadCount, serverStore, onWarning };
      const source = await openSource(formatSourceName(name), options);
      if (source.description.content === "blob") {
        source[Symbol.dispose]();
        throw notOfKind(source.description.name, "an archive or an image");
      }
      return { source, bound: () => source.identify() };
    },
  };
}

/** What messages call it, where not a source. */
const WORDS: Partial<Readonly<Record<SourceKindName, string>>> = {
  pbs: "datastore",
  pxar: "archive",
  tar: "archive",
};

/** Paths of what lies on this machine. */
function placesOf({ kind, place, item }: RecognisedName): string[] {
  if (kind === "pbs") return serverOf(place) === undefined ? [storeDirectory(place)] : [];
  const paths = kind === "pxar" && item !== undefined ? [place, item] : [place];
  return paths.map(realPathOfMissing);
}

/**
 * What a diff directory that was mounted before lies over, as far as a name says it.
 *
 * @returns undefined for a new one, and over a backup of pg_probackup, which is found again by more
 *   than its name
 * @throws {FormatError | StateError} when it is damaged, or none
 */
export function nameBelow(diffPath: string): RecognisedName | undefined {
  const source = readBinding(diffPath)?.source;
  if (source === undefined || !SOURCE_KINDS.some((kind) => kind === source.kind)) return undefined;
  return nameToMount(source.name);
}

/**
 * What of a backup of pg_probackup goes where: the data directory, tablespaces, external
 * directories.
 *
 * @module
 */

import { FormatError, StateError } from "#src/errors.ts";
import {
  EXTERNAL_NAME,
  EXTRAS_NAME,
  TABLESPACE_LINKS_NAME,
  TABLESPACES_NAME,
} from "#src/pgprobackup/extras.ts";
import { readDatabaseMap, readTablespaceMap } from "#src/pgprobackup/restore_maps.ts";
import { parseSourceName } from "#src/sources/name.ts";
import type { PgproSource } from "#src/sources/pgpro/pgpro_source.ts";
import type { DirectoryNode, MountableTree, Node, Tree } from "#src/tree/node.ts";
import { findEntry } from "#src/tree/paths.ts";
import { ArchiveDirectory } from "../wal/archive_directory.ts";
import { findNeededWal } from "../wal/needed_wal.ts";
import { requireKnownPlaces } from "../known_places.ts";
import { databasesLeftOut, emptied, type KnownDatabases } from "./database_choice.ts";
import {
  type DatabaseChoice,
  type LayoutRequest,
  linkAsItIs,
  restoredWal,
  type RestoreLayout,
  type RestoreRoot,
} from "./layout.ts";

/**
 * The layout of a backup.
 *
 * @param archiveCommand the command that fetches WAL of an instance of a catalog
 * @throws {UsageError} for a tablespace, directory or database that the backup does not have
 * @throws {FormatError} when the backup does not say where a tablespace was
 */
export function backupLayout(
  source: PgproSource,
  tree: MountableTree,
  request: LayoutRequest,
  archiveCommand: (store: string, instance: string) => string | undefined,
): RestoreLayout {
  const { control, id } = source.chain[0]!;
  const tablespaces = tablespacePlaces(source, tree, request);
  const target: RestoreRoot = { node: tree.root, path: request.targetPath, kind: "target" };
  const links = new Map(
    [...tablespaces].map(([oid, { path }]) => [`${TABLESPACE_LINKS_NAME}/${oid}`, path]),
  );
  const leftOut = request.databases === undefined
    ? new Set<number>()
    : databasesLeftOut(databasesOf(source, request.databases), request.databases);
  const archive = new ArchiveDirectory(storeOf(source), source.instance);
  return {
    roots: [
      target,
      ...[...tablespaces.values()],
      ...request.skipsExternalDirectories ? [] : externalPlaces(source, tree, request),
    ],
    isLeftOut: (path) => path === EXTRAS_NAME,
    linkTarget: (path, node) => links.get(path) ?? linkAsItIs(node),
    isEmptied: emptied(leftOut),
    totalBytes: sumOfSizes(tree),
    leftOutDatabases: [...leftOut].sort((a, b) => a - b),
    files: [],
    backup: {
      label: id,
      serverVersion: control.serverVersion,
      stopLsn: control.stopLsn,
      recoveryTime: control.recoveryTime,
      needsArchive: !control.isStream,
      archiveCommand: archiveCommand(storeOf(source), source.instance),
    },
    wal: restoredWal(findNeededWal(tree.root, control), archive),
  };
}

/** As far as the lists tell: holes may be left out. */
function sumOfSizes(tree: MountableTree): number {
  let sum = 0;
  // Nodes have numbers without gaps: no name is needed.
  for (let id = tree.root.id, node: Node | undefined; (node = tree.nodeById(id)); id++) {
    if (node.kind === "file") sum += node.attributes.dataBytes ?? node.attributes.size;
  }
  return sum;
}

/** Directory of the catalog. */
export function storeOf(source: PgproSource): string {
  return parseSourceName(source.description.name).place;
}

/** By OID. */
function tablespacePlaces(
  source: PgproSource,
  tree: Tree,
  { tablespaces: mapping }: LayoutRequest,
): Map<string, RestoreRoot> {
  const target = source.chain[0]!;
  const directory = extraDirectory(tree, TABLESPACES_NAME);
  const original = directory === undefined ? new Map<string, string>() : readTablespaceMap(target);
  const known = [...original].map(([oid, place]) => ({ oid, place }));
  const named = { owner: "the backup", what: "tablespace", option: "tablespaceMapping" };
  requireKnownPlaces(mapping, known, named);
  const places = new Map<string, RestoreRoot>();
  for (const { name: oid, node } of directory?.entries() ?? []) {
    if (node.kind !== "directory") continue;
    const from = original.get(oid);
    if (from === undefined) {
      throw new FormatError(`Cannot restore tablespace ${oid}: tablespace_map does not name it`, {
        path: `${target.directory}/database/tablespace_map`,
        backupId: target.id,
      });
    }
    const path = mapping.get(oid) ?? mapping.get(from) ?? from;
    places.set(oid, { node, path, kind: "tablespace" });
  }
  return places;
}

function externalPlaces(
  source: PgproSource,
  tree: Tree,
  { externalDirectories: mapping }: LayoutRequest,
): RestoreRoot[] {
  const { externalDirectories } = source.chain[0]!.control;
  const named = { owner: "the backup", what: "external directory", option: "externalMapping" };
  requireKnownPlaces(mapping, externalDirectories.map((place) => ({ place })), named);
  const directory = extraDirectory(tree, EXTERNAL_NAME);
  return externalDirectories.flatMap((path, index) => {
    const node = directory?.lookup(String(index + 1));
    if (node?.kind !== "directory") return [];
    return [{ node, path: mapping.get(path) ?? path, kind: "external" }];
  });
}

function extraDirectory(tree: Tree, name: string): DirectoryNode | undefined {
  const found = findEntry(tree, `${EXTRAS_NAME}/${name}`);
  return found?.kind === "directory" ? found : undefined;
}

/** By the map that the backup has for it. */
function databasesOf(source: PgproSource, { isIncluding }: DatabaseChoice): KnownDatabases {
  const target = source.chain[0]!;
  const names = readDatabaseMap(target);
  if (names === undefined) {
    throw new StateError(
      "not-found",
      `Cannot choose databases: backup ${target.id} does not say which ones it has`,
      { option: isIncluding ? "includeDb" : "excludeDb" },
    );
  }
  return {
    oids: new Set(names.values()),
    names: new Map([...names].map(([name, oid]) => [name, [oid]])),
    label: `backup ${target.id}`,
  };
}

/**
 * What of a source that is one directory tree goes where: all of it to the target, but for
 * tablespaces of a data directory.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { DirectoryNode, Tree } from "#src/tree/node.ts";
import { controlFileOf, fileIn, readText } from "../data_directory_files.ts";
import { findNeededWal } from "../wal/needed_wal.ts";
import { databasesLeftOut, emptied } from "./database_choice.ts";
import { type LayoutRequest, linkAsItIs, restoredWal, type RestoreLayout } from "./layout.ts";
import { findDatabases } from "./tree_databases.ts";
import { placeTablespaces } from "./tree_tablespaces.ts";

const VERSION_SIZE_MAX = 64;

/**
 * The layout of a tree.
 *
 * @throws {UsageError} for what only a data directory has, or a backup of pg_probackup; for a
 *   tablespace or database that is not there
 * @throws {FormatError} when databases are chosen, and nothing says which ones there are
 */
export function treeLayout(tree: Tree, label: string, request: LayoutRequest): RestoreLayout {
  const { targetPath, tablespaces, externalDirectories, databases } = request;
  const { root } = tree;
  if (externalDirectories.size > 0) {
    throw new UsageError("Cannot use `externalMapping`: only backups of pg_probackup have such", {
      option: "externalMapping",
    });
  }
  const target = { node: root, path: targetPath, kind: "target" } as const;
  const serverVersion = versionOf(root);
  if (serverVersion === undefined) {
    requireNothing(request);
    return {
      roots: [target],
      isLeftOut: () => false,
      linkTarget: (_path, node) => linkAsItIs(node),
      isEmptied: () => false,
      leftOutDatabases: [],
      files: [],
      backup: undefined,
      wal: undefined,
    };
  }
  const { roots, directories, moved, links, map } = placeTablespaces(root, tablespaces);
  const leftOut = databases === undefined
    ? new Set<number>()
    : databasesLeftOut(findDatabases(root, directories, label, serverVersion), databases);
  return {
    roots: [target, ...roots],
    isLeftOut: (path) => moved.has(path) && !links.has(path),
    linkTarget: (path, node) => links.get(path) ?? linkAsItIs(node),
    isEmptied: emptied(leftOut),
    leftOutDatabases: [...leftOut].sort((a, b) => a - b),
    files: map === undefined ? [] : [map],
    backup: { label, serverVersion, needsArchive: false, archiveCommand: undefined },
    wal: restoredWal(findNeededWal(root, undefined), undefined),
  };
}

/** Of the server whose data directory it is; undefined where it is none. */
function versionOf(root: DirectoryNode): string | undefined {
  const file = controlFileOf(root) && fileIn(root, "PG_VERSION");
  return file && readText(file, VERSION_SIZE_MAX).trim();
}

function requireNothing({ tablespaces, databases }: LayoutRequest): void {
  const option = tablespaces.size > 0
    ? "tablespaceMapping"
    : databases === undefined
    ? undefined
    : databases.isIncluding
    ? "includeDb"
    : "excludeDb";
  if (option === undefined) return;
  throw new UsageError(
    `Cannot use \`${option}\`: the source is not a data directory of PostgreSQL`,
    {
      option,
    },
  );
}

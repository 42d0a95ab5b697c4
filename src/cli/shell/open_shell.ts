/**
 * A shell for an archive of a snapshot.
 *
 * @module
 */

import { defaultFileName } from "#src/pbs/format/archive_name.ts";
import type { CatalogEntry } from "#src/pbs/format/catalog.ts";
import type { CatalogReader } from "#src/pbs/format/catalog_reader.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import { compareNames, splitPath } from "#src/tree/paths.ts";
import { DamageOutput } from "../output/damage_output.ts";
import { type ExtractOutput, reportExtraction } from "../output/extract_output.ts";
import { extractBelow, type ExtractRequest } from "#src/usecases/archive/extraction.ts";
import { openAccessor } from "#src/usecases/archive/archive_tables.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { hasCatalog, openCatalog } from "#src/backup/catalog_access.ts";
import { CatalogShell } from "./catalog_shell.ts";
import { listByAccessor, type Listing } from "./listing.ts";

/** A shell that must be closed. */
export interface OpenShell extends Disposable {
  readonly shell: CatalogShell;
}

/**
 * Opens a shell in the archive `name`.
 *
 * @param request how entries are restored
 * @param report how that is reported
 * @throws {StateError} `not-found`
 * @throws {FormatError}
 */
export function openShell(
  snapshot: SnapshotReader,
  name: string,
  request: ExtractRequest,
  report: ExtractOutput,
  terminal: Terminal,
): OpenShell {
  const files = request.archive.openFiles();
  try {
    const accessor = openAccessor(files);
    const damages = new DamageOutput(terminal, "text");
    const shell = new CatalogShell({
      name: files.name,
      accessor,
      listing: catalogListing(snapshot, name) ??
        listByAccessor(accessor, (path, damage) => damages.print(path, damage)),
      restore: (from, paths, target) =>
        reportExtraction(
          report,
          terminal,
          (callbacks) => extractBelow(request, accessor, from, paths, target, callbacks),
        ),
      terminal,
    });
    return { shell, [Symbol.dispose]: () => files[Symbol.dispose]() };
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/**
 * Directories by the catalog, where the archive is in one: its tables lie together, those of the
 * archive between the contents.
 */
function catalogListing(snapshot: SnapshotReader, name: string): Listing | undefined {
  if (!hasCatalog(snapshot)) return undefined;
  const catalog = openCatalog(snapshot);
  const archive = defaultFileName(name);
  return catalog.find([archive]) === undefined ? undefined : listByCatalog(catalog, archive);
}

/** Directories of the archive that a catalog calls `archive`. */
export function listByCatalog(catalog: CatalogReader, archive: string): Listing {
  const find = (path: string): CatalogEntry | undefined =>
    catalog.find([archive, ...splitPath(path)]);
  return {
    isDirectory(path) {
      const entry = find(path);
      return entry === undefined ? undefined : entry.kind === "directory";
    },
    list(path) {
      const directory = find(path);
      if (directory?.kind !== "directory") return [];
      return catalog.entries(directory)
        .map(({ name, kind }) => ({ name, isDirectory: kind === "directory" }))
        .sort((a, b) => compareNames(a.name, b.name));
    },
  };
}

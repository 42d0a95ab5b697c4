/**
 * A shell for an archive of a snapshot.
 *
 * @module
 */

import type { SnapshotReader } from "#src/pbs/ports.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";
import { pxarTree } from "#src/pxar/pxar_tree.ts";
import { DamageOutput } from "../output/damage_output.ts";
import { type ExtractOutput, reportExtraction } from "../output/extract_output.ts";
import { extractBelow, type ExtractRequest } from "#src/usecases/archive/extraction.ts";
import { openAccessor } from "#src/usecases/archive/archive_tables.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { CatalogShell } from "./catalog_shell.ts";
import { listByTree } from "#src/usecases/archive/directories.ts";
import { catalogListing } from "#src/usecases/datastore/catalog_listing.ts";

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
  archive: ArchiveInput,
  request: ExtractRequest,
  report: ExtractOutput,
  terminal: Terminal,
): OpenShell {
  const files = archive.openFiles();
  try {
    const accessor = openAccessor(files);
    const tree = pxarTree(accessor);
    const damages = new DamageOutput(terminal, "text");
    const shell = new CatalogShell({
      name: files.name,
      tree,
      listing: catalogListing(snapshot, name) ??
        listByTree(tree, (path, damage) => damages.print(path, damage)),
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

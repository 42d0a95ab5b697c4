/**
 * The kinds of sources: what a name means, who opens it. A new kind is a folder, a line here, and
 * one in `attach.ts`. What is special about a kind is loaded when a name is of that kind.
 *
 * @module
 */

import { parseSourceName, type SourceKindName } from "./name.ts";
import { resolveName } from "./recognise.ts";
import type { OpenSourceOptions, Source, SourceSummary } from "./source.ts";

/** What there is to a kind. */
interface SourceKind {
  /** Opens an item of a place, in the thread that says what there is. */
  open(place: string, item: string | undefined, options: OpenSourceOptions): Promise<Source>;
  /**
   * What there is at a place, as far as the item says; undefined where that names one source.
   * Default: a place is one source.
   */
  list?(
    place: string,
    item: string | undefined,
    options: OpenSourceOptions,
  ): Promise<SourceSummary[] | undefined>;
}

const KINDS: Readonly<Record<SourceKindName, () => Promise<SourceKind>>> = {
  async pgpro() {
    const { openNamedBackup, listNamedBackups } = await import("./pgpro/named_backup.ts");
    return { open: openNamedBackup, list: listNamedBackups };
  },
  pxar: async () => ({ open: (await import("./pxar/named_archive.ts")).openNamedArchive }),
  async pbs() {
    const { openNamedSnapshot, listNamedParts } = await import("./pbs/named_snapshot.ts");
    return { open: openNamedSnapshot, list: listNamedParts };
  },
  tar: async () => ({ open: (await import("./tar/named_tar.ts")).openNamedTar }),
  dir: async () => ({ open: (await import("./directory/named_directory.ts")).openNamedDirectory }),
  async diff() {
    const { openNamedDiff } = await import("./diff/named_diff.ts");
    return { open: (place, item, options) => openNamedDiff(place, item, options, openSource) };
  },
};

/**
 * Opens a source by its name (`name.ts`). Where the name does not say of which kind it is, what
 * lies there does.
 *
 * @example
 * ```ts
 * import { openSource } from "@pbkfs/pbkfs/sources";
 *
 * export async function names(text: string): Promise<string[]> {
 *   using source = await openSource(text);
 *   const tree = source.openTree();
 *   const found = [...tree.root.entries()].map(({ name }) => name);
 *   tree.close();
 *   return found;
 * }
 * ```
 *
 * @param text such as `/backups#main/latest`, `a.pxar` or `pbs:/store#host/elsa/latest/root.pxar`
 * @throws {UsageError} when the name cannot be read, or says too little: then its hint has what
 *   there is
 * @throws {StateError} `not-found`
 * @throws {Failure} what opening a source of the kind throws
 */
export async function openSource(text: string, options: OpenSourceOptions = {}): Promise<Source> {
  const { kind, place, item } = resolveName(parseSourceName(text));
  const { open } = await KINDS[kind]();
  return await open(place, item, options);
}

/**
 * Lists what there is where a name leads to several sources: a catalog, a datastore, a part of one.
 * Nothing is opened that would take a key.
 *
 * @returns undefined where the name is that of one source
 * @throws what {@link openSource} throws of a name
 */
export async function listSources(
  text: string,
  options: OpenSourceOptions = {},
): Promise<SourceSummary[] | undefined> {
  const { kind, place, item } = resolveName(parseSourceName(text));
  const { list } = await KINDS[kind]();
  return await list?.(place, item, options);
}

/**
 * The kinds of sources: what a name means, who opens it. A new kind is a folder and a line here.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { attachDirectory } from "./directory/directory_source.ts";
import { openNamedDirectory } from "./directory/named_directory.ts";
import { parseSourceName, type SourceKindName } from "./name.ts";
import { attachDiff } from "./diff/diff_source.ts";
import { nameOfBottom, openNamedDiff } from "./diff/named_diff.ts";
import { listNamedBackups, openNamedBackup } from "./pgpro/named_backup.ts";
import { attachPgpro } from "./pgpro/pgpro_source.ts";
import type { ServerRepository } from "#src/pbs/client/repository.ts";
import { listNamedParts, openNamedSnapshot, serverOf } from "./pbs/named_snapshot.ts";
import { attachPbs } from "./pbs/pbs_source.ts";
import { openNamedArchive } from "./pxar/named_archive.ts";
import { attachPxar } from "./pxar/pxar_source.ts";
import { openNamedTar } from "./tar/named_tar.ts";
import { attachTar } from "./tar/tar_source.ts";
import { resolveName } from "./recognise.ts";
import type {
  OpenSourceOptions,
  Source,
  SourceDescription,
  SourceSummary,
  SourceThread,
} from "./source.ts";

/** What there is to a kind. */
interface SourceKind {
  /** Opens an item of a place, in the thread that says what there is. */
  open(place: string, item: string | undefined, options: OpenSourceOptions): Promise<Source>;
  /** Opens what another thread has described. */
  attach(description: SourceDescription, thread: SourceThread): MountableTree;
  /**
   * What there is at a place, as far as the item says; undefined where that names one source.
   * Default: a place is one source.
   */
  list?(
    place: string,
    item: string | undefined,
    options: OpenSourceOptions,
  ): Promise<SourceSummary[] | undefined>;
  /** The server that a place is on. Default: it is on none. */
  serverOf?(place: string): ServerRepository | undefined;
}

const KINDS: Readonly<Record<SourceKindName, SourceKind>> = {
  pgpro: { open: openNamedBackup, attach: attachPgpro, list: listNamedBackups },
  pxar: { open: openNamedArchive, attach: attachPxar },
  pbs: { open: openNamedSnapshot, attach: attachPbs, list: listNamedParts, serverOf },
  tar: { open: openNamedTar, attach: attachTar },
  dir: { open: openNamedDirectory, attach: attachDirectory },
  diff: {
    open: (place, item, options) => openNamedDiff(place, item, options, openSource),
    attach: (description, thread) => attachDiff(description, thread, attachSource),
    serverOf(place) {
      const bottom = nameOfBottom(place);
      return bottom === undefined ? undefined : serverOfSource(bottom);
    },
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
  return await KINDS[kind].open(place, item, options);
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
  return await KINDS[kind].list?.(place, item, options);
}

/**
 * Opens a described source in this thread. The caller closes the tree.
 *
 * @throws what reading it throws
 */
export function attachSource(description: SourceDescription, thread: SourceThread): MountableTree {
  return KINDS[description.kind].attach(description, thread);
}

/**
 * The server that a name names; undefined for what lies on this machine, and for what is no name.
 * What is wrong with a name is said where it is opened.
 */
export function serverOfSource(text: string): ServerRepository | undefined {
  try {
    const { kind, place } = parseSourceName(text);
    // What lies on this machine may be a diff directory.
    return KINDS[kind ?? "diff"].serverOf?.(place);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/**
 * A backup, with the chain it stands on, as a {@link MountableTree}.
 *
 * The tree has exactly the entries of the target's list, without `tablespace_map` and
 * `database_map`. A tablespace is a link from `pg_tblspc/OID` to `.pbkfs/tblspc/OID`; external
 * directory N is `.pbkfs/external/N`. All times are the target's recovery time.
 *
 * A relation file is as long as a restore makes it: to the last block below the target's `n_blocks`
 * that any backup of the chain stores (`relation_length.ts`).
 *
 * @module
 */

import { ownerOf } from "#src/io/files/files.ts";
import type { Codecs } from "#src/codecs/codecs.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { readingAround } from "#src/io/read_around.ts";
import { SourcePool } from "#src/io/source_pool.ts";
import type { MetadataField } from "#src/tree/metadata.ts";
import type { DirectoryNode, MountableTree, Node, Timestamp } from "#src/tree/node.ts";
import { readInstance } from "./catalog.ts";
import { type Chain, type ChainMember, resolveChain } from "./chain.ts";
import { ChainTable } from "./chain_table.ts";
import { makeNode, type TreeContext } from "./nodes.ts";
import { PageCounters, type PageCounts } from "./page_counters.ts";
import { createIndexMemory } from "./page_index_cache.ts";
import { PageStore } from "./page_store.ts";
import { createChainTable } from "./tree_builder.ts";

/** Memory for page indexes unless said otherwise; threads that attach to a tree share it. */
const INDEX_BUDGET_BYTES = 256 * 1024 * 1024;

/** Which backup to open. */
export interface PgProbackupTarget {
  /** The catalog: what was the `-B` of the backups. */
  readonly store: string;
  /** Its name in the catalog. */
  readonly instance: string;
  /** In upper or lower case. */
  readonly backupId: string;
  /** Open a chain with members that are only marked as damaged. */
  readonly force?: boolean;
  /** Owner of all nodes; the owner of the backup's directory when absent. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /**
   * Absolute path at which the tree is shown, for the links of tablespaces; without it they are
   * relative.
   */
  readonly mountPath?: string | undefined;
}

/** What one thread reads by. Sources and codecs must both use FFI or both not. */
export interface PgProbackupAccess {
  /** How the files of the backups are opened, again and again: the tree keeps few of them open. */
  readonly openSource: OpenSource;
  /** What expands compressed pages. */
  readonly codecs: Codecs;
  /** Where to count; of its own when absent. */
  readonly counters?: PageCounters;
}

/** Owner and links of the tree, its memory, and the access to the files of the chain. */
export interface OpenChainOptions
  extends Pick<PgProbackupTarget, "owner" | "mountPath">, PgProbackupAccess {
  /** Memory for page indexes: 256 MiB when absent, of which only what is used is taken. */
  readonly indexBudgetBytes?: number;
}

/** Which backup to open, and by what. */
export interface PgProbackupOptions extends PgProbackupTarget, OpenChainOptions {}

/**
 * What is known of an opened backup: all of its lists. Can be posted to other threads, which
 * {@link attachPgProbackupTree} then gives the same tree at once, in the same memory.
 */
export interface OpenedChain {
  /** Target first. */
  readonly chain: Chain;
  /** Owner of all nodes; see {@link PgProbackupTarget}. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** See {@link PgProbackupTarget}. */
  readonly mountPath: string | undefined;
  /** Files and stored versions of the whole chain. */
  readonly table: SharedArrayBuffer;
  /** Page indexes that any of the threads has built. */
  readonly indexes: SharedArrayBuffer;
}

/**
 * Opens a backup. Reads control files and file lists only; the time grows with the number of files,
 * not with bytes. Node ids are the same whenever the same backup is opened.
 *
 * @example
 * ```ts
 * import { openPlainSource } from "@pbkfs/pbkfs/io";
 * import { builtInCodecs, openPgProbackupTree } from "@pbkfs/pbkfs/pgprobackup";
 *
 * export function listRoot(store: string): string[] {
 *   const tree = openPgProbackupTree({
 *     store,
 *     instance: "main",
 *     backupId: "TOTXMX",
 *     openSource: openPlainSource,
 *     codecs: builtInCodecs(),
 *   });
 *   const names = [...tree.root.entries()].map((entry) => entry.name);
 *   tree.close();
 *   return names;
 * }
 * ```
 *
 * @throws {StateError} `not-found`, `chain-broken` or `chain-corrupt`
 * @throws {FormatError} when a control file or list is malformed or of an unknown version
 * @throws {IntegrityError} when a list has another checksum than its backup says
 */
export function openPgProbackupTree(options: PgProbackupOptions): PgProbackupTree {
  const instance = readInstance(options.store, options.instance);
  return openChain(resolveChain(instance, options.backupId, options.force ?? false), options);
}

/**
 * Opens the backup whose chain this is; see {@link openPgProbackupTree}.
 *
 * @throws {FormatError} when a list is malformed
 * @throws {IntegrityError} when a list has another checksum than its backup says
 */
export function openChain(chain: Chain, options: OpenChainOptions): PgProbackupTree {
  const owner = options.owner ?? ownerOf(chain[0]!.directory);
  const { mountPath, indexBudgetBytes = INDEX_BUDGET_BYTES } = options;
  const table = createChainTable(chain);
  const indexes = createIndexMemory(indexBudgetBytes, ChainTable.of(table).nodeCount);
  return new PgProbackupTree({ chain, owner, mountPath, table, indexes }, options);
}

/** The tree that another thread has opened. Reads nothing. */
export function attachPgProbackupTree(
  opened: OpenedChain,
  access: PgProbackupAccess,
): PgProbackupTree {
  return new PgProbackupTree(opened, access);
}

/**
 * When a backup was made, to the second; the nanoseconds are made of the checksum of its list, and
 * tell it from others of that second.
 */
function timeOf({ control }: ChainMember): Timestamp {
  const { recoveryTime, startTime, contentCrc = 0 } = control;
  return { seconds: Math.floor(recoveryTime ?? startTime), nanoseconds: (contentCrc >>> 0) % 1e9 };
}

/** A backup as a tree, for one thread: nodes are views of rows of the chain's shared table. */
export class PgProbackupTree implements MountableTree {
  readonly root: DirectoryNode;
  /** The lists of a backup say nothing of owners and times. */
  readonly knownFields: ReadonlySet<MetadataField> = new Set<MetadataField>(["mode"]);
  /** For {@link attachPgProbackupTree}. */
  readonly opened: OpenedChain;
  readonly #context: TreeContext;
  readonly #counters: PageCounters;
  /** By id - 1, as far as they were asked for. */
  readonly #nodes: (Node | undefined)[];

  /** Use `openPgProbackupTree()` or {@link attachPgProbackupTree}. */
  constructor(opened: OpenedChain, access: PgProbackupAccess) {
    const { chain, owner, mountPath } = opened;
    const { control } = chain[0]!;
    const table = ChainTable.of(opened.table);
    const pool = new SourcePool(readingAround(access.openSource));
    this.opened = opened;
    this.#counters = access.counters ?? new PageCounters();
    this.#nodes = new Array(table.nodeCount);
    this.#context = {
      table,
      chain,
      ...owner,
      mountPath,
      layerTimes: chain.map(timeOf),
      pool,
      pages: new PageStore(pool, access.codecs, {
        hasChecksums: control.hasDataChecksums,
        indexes: opened.indexes,
        fileMax: table.nodeCount,
        counters: this.#counters,
      }),
      node: (id) => this.#nodes[id - 1] ??= makeNode(this.#context, id),
    };
    this.root = this.#context.node(1) as DirectoryNode;
  }

  /** Target first. */
  get chain(): Chain {
    return this.opened.chain;
  }

  /** Index memory and page reads of this thread's tree. */
  get counters(): PageCounts {
    return this.#counters.read();
  }

  nodeById(id: number): Node | undefined {
    return id >= 1 && id <= this.#nodes.length ? this.#context.node(id) : undefined;
  }

  close(): void {
    this.#context.pages.close();
    this.#context.pool.close();
  }
}

/**
 * A backup, with the chain it stands on, as a {@link Tree}.
 *
 * The tree has exactly the entries of the target's list, without `tablespace_map` and `database_map`. A tablespace is a
 * link `pg_tblspc/OID` to `.pbkfs/tblspc/OID`; external directory N is `.pbkfs/external/N`. All times are the target's
 * recovery time.
 *
 * @module
 */

import type { Codecs } from "#src/codecs/mod.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { ownerOf } from "#src/io/small_file.ts";
import { SourcePool } from "#src/io/source_pool.ts";
import type { DirectoryNode, Node, Tree } from "#src/tree/node.ts";
import { readInstance } from "./catalog.ts";
import { type Chain, resolveChain } from "./chain.ts";
import { type PageCounters, PageStore } from "./page_store.ts";
import { buildNodes, type NodeTable } from "./tree_builder.ts";

/** Memory for page indexes unless said otherwise; divide it by the number of threads that open the same tree. */
export const INDEX_BUDGET_BYTES = 256 * 1024 * 1024;

/** Which backup to open; plain data, so that another thread can open the same tree. */
export interface PgProbackupTarget {
  /** The catalog: what was the `-B` of the backups. */
  readonly store: string;
  readonly instance: string;
  /** In upper or lower case. */
  readonly backupId: string;
  /** Open a chain with members that are only marked as damaged. */
  readonly force?: boolean;
  /** Owner of all nodes; the owner of the backup's directory when absent. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Memory for page indexes: {@link INDEX_BUDGET_BYTES} when absent. */
  readonly indexBudgetBytes?: number;
}

/** {@link PgProbackupTarget} with what this thread reads by. Sources and codecs must both use FFI or both not. */
export interface PgProbackupOptions extends PgProbackupTarget {
  readonly openSource: OpenSource;
  readonly codecs: Codecs;
}

/**
 * Opens a backup. Reads control files and file lists only; the time grows with the number of files, not with bytes.
 * Node ids are the same whenever the same backup is opened.
 *
 * @example
 * ```ts
 * import { builtInCodecs } from "#src/codecs/mod.ts";
 * import { openFsFileSource } from "#src/io/fs_file_source.ts";
 * import { openPgProbackupTree } from "#src/pgprobackup/mod.ts";
 *
 * export function listRoot(store: string): string[] {
 *   const tree = openPgProbackupTree({
 *     store,
 *     instance: "main",
 *     backupId: "TOTXMX",
 *     openSource: openFsFileSource,
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
  const chain = resolveChain(instance, options.backupId, options.force ?? false);
  return new PgProbackupTree(chain, options);
}

/** See the head of the module. */
export class PgProbackupTree implements Tree {
  readonly root: DirectoryNode;
  /** Target first. */
  readonly chain: Chain;
  readonly #pool: SourcePool;
  readonly #pages: PageStore;
  readonly #nodes: NodeTable;

  constructor(chain: Chain, options: PgProbackupOptions) {
    const target = chain[0]!;
    this.chain = chain;
    this.#pool = new SourcePool(options.openSource);
    this.#pages = new PageStore(this.#pool, options.codecs, {
      hasChecksums: target.control.hasDataChecksums,
      indexBudgetBytes: options.indexBudgetBytes ?? INDEX_BUDGET_BYTES,
    });
    this.#nodes = buildNodes(chain, {
      ...(options.owner ?? ownerOf(target.directory)),
      mtime: {
        seconds: Math.floor(target.control.recoveryTime ?? target.control.startTime),
        nanoseconds: 0,
      },
      pool: this.#pool,
      pages: this.#pages,
    });
    this.root = this.#nodes[0] as DirectoryNode;
  }

  /** Index memory and page reads of this thread's tree. */
  get counters(): PageCounters {
    return this.#pages.counters;
  }

  nodeById(id: number): Node | undefined {
    return this.#nodes[id - 1];
  }

  close(): void {
    this.#pages.close();
    this.#pool.close();
  }
}

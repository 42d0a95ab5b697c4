/**
 * Nodes of a backup's tree: views of rows of the {@link ChainTable}, made when they are asked for.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import type { SourcePool } from "#src/io/source_pool.ts";
import { type Metadata, metadataFromXattrs, NO_XATTRS } from "#src/tree/metadata.ts";
import type {
  Attributes,
  DirectoryEntry,
  DirectoryNode,
  FileContent,
  FileNode,
  Node,
  StoredChecksum,
  SymlinkNode,
  Timestamp,
} from "#src/tree/node.ts";
import type { Chain } from "./chain.ts";
import { type ChainTable, NodeKind } from "./chain_table.ts";
import { listedPath, tablespaceLinkTarget } from "./extras.ts";
import { DataFileContent, EMPTY_CONTENT, WholeFileContent } from "./file_content.ts";
import { PAGE_SIZE } from "./format/page_stream.ts";
import { headerMapPath, storedRoot } from "./layer_roots.ts";
import type { PageStream } from "./page_index.ts";
import type { PageStore } from "./page_store.ts";
import { storedBlocksFromLists } from "./relation_length.ts";

/** What all nodes of a tree share. */
export interface TreeContext {
  readonly table: ChainTable;
  readonly chain: Chain;
  readonly uid: number;
  readonly gid: number;
  /** When each backup of the chain was made. */
  readonly layerTimes: readonly Timestamp[];
  /** See {@link tablespaceLinkTarget}. */
  readonly mountPath: string | undefined;
  readonly pool: SourcePool;
  readonly pages: PageStore;
  /** The node of a row. */
  node(id: number): Node;
}

/** Makes the node of a row. */
export function makeNode(context: TreeContext, id: number): Node {
  switch (context.table.kind(id)) {
    case NodeKind.DIRECTORY:
      return new BackupDirectory(context, id);
    case NodeKind.RELATION:
      return new RelationFile(context, id);
    case NodeKind.WHOLE:
      return new WholeFile(context, id);
    case NodeKind.LINK:
      return new TablespaceLink(context, id);
  }
}

abstract class BackupNode implements Attributes {
  protected readonly context: TreeContext;
  readonly id: number;

  constructor(context: TreeContext, id: number) {
    this.context = context;
    this.id = id;
  }

  abstract get size(): number;

  get origin(): object {
    return this.context;
  }

  get metadata(): Metadata {
    return metadataFromXattrs(this, NO_XATTRS);
  }

  /** A node is its own attributes, so that asking for them makes nothing. */
  get attributes(): Attributes {
    return this;
  }

  get mode(): number {
    return this.context.table.mode(this.id);
  }

  get uid(): number {
    return this.context.uid;
  }

  get gid(): number {
    return this.context.gid;
  }

  get mtime(): Timestamp {
    return this.context.layerTimes[0]!;
  }

  get nlink(): number {
    return 1;
  }

  get linkCount(): number {
    return 1;
  }

  get rdev(): number {
    return 0;
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return NO_XATTRS;
  }
}

class BackupDirectory extends BackupNode implements DirectoryNode {
  readonly kind = "directory";

  get size(): number {
    return 0;
  }

  lookup(name: string): Node | undefined {
    const id = this.context.table.lookup(this.id, name);
    return id === 0 ? undefined : this.context.node(id);
  }

  *entries(): Iterable<DirectoryEntry> {
    const { table } = this.context;
    for (let id = table.firstChild(this.id); id !== 0; id = table.nextSibling(id)) {
      yield { name: table.name(id), node: this.context.node(id) };
    }
  }
}

class TablespaceLink extends BackupNode implements SymlinkNode {
  readonly kind = "symlink";
  readonly followsMount = true;

  get target(): string {
    const { mountPath, table } = this.context;
    return tablespaceLinkTarget(mountPath, table.name(this.id));
  }

  get size(): number {
    return encodeFileName(this.target).length;
  }
}

abstract class BackupFile extends BackupNode {
  /**
   * The time of the newest backup that stores something of it. Files of the same time, length and
   * path in two backups of a chain have the same content, which is made of the same stored pages.
   */
  override get mtime(): Timestamp {
    return this.context.layerTimes[this.context.table.newestLayer(this.id)]!;
  }
}

/** A relation segment: pages from several backups. */
class RelationFile extends BackupFile implements FileNode {
  readonly kind = "file";

  get size(): number {
    return this.#blockCount * PAGE_SIZE;
  }

  /** By the lists alone: who has not asked for the size must not have to wait for page headers. */
  get dataBytes(): number {
    const { table } = this.context;
    return storedBlocksFromLists(table.blockCount(this.id), table.versions(this.id)) * PAGE_SIZE;
  }

  get #blockCount(): number {
    const { table, pages } = this.context;
    if (!table.isBlockCountKnown(this.id)) {
      table.setBlockCount(
        this.id,
        pages.storedLength(this.#streams(), table.blockCount(this.id)),
      );
    }
    return table.blockCount(this.id);
  }

  open(): FileContent {
    const { table, pages } = this.context;
    const blockCount = this.#blockCount;
    if (blockCount === 0) return EMPTY_CONTENT;
    return new DataFileContent(pages, {
      id: this.id,
      blockCount,
      segment: table.segment(this.id),
      streams: this.#streams(),
    });
  }

  checkStored(): void {
    const { pages } = this.context;
    if (!pages.hasChecksums) pages.checkStored(this.#streams());
  }

  #streams(): PageStream[] {
    const { table, chain } = this.context;
    const path = listedPath(table, this.id);
    const streams: PageStream[] = [];
    for (const { layer, externalNumber, ...stored } of table.versions(this.id)) {
      const backup = chain[layer]!;
      streams.push({
        ...stored,
        path: `${storedRoot(backup, externalNumber)}/${path}`,
        backupId: backup.id,
        mapPath: headerMapPath(backup),
      });
    }
    return streams;
  }
}

/** Any other file: stored as a whole by one backup. */
class WholeFile extends BackupFile implements FileNode {
  readonly kind = "file";
  /** Set when a backup stores every byte of the file. */
  readonly plainPath?: string;

  constructor(context: TreeContext, id: number) {
    super(context, id);
    const stored = this.#stored();
    if (stored.size === 0 || stored.size !== this.size) return;
    this.plainPath = stored.path;
  }

  get size(): number {
    return this.context.table.wholeSize(this.id);
  }

  get storedChecksum(): StoredChecksum | undefined {
    const stored = this.#stored();
    return this.plainPath === undefined || stored.crc32c < 0 ? undefined : stored;
  }

  /** Zeros at the end may not be stored. */
  get dataBytes(): number {
    return Math.min(this.size, this.context.table.storedSize(this.id));
  }

  open(): FileContent {
    if (this.size === 0) return EMPTY_CONTENT;
    return new WholeFileContent(this.context.pool, this.#stored(), this.size);
  }

  #stored(): StoredChecksum & { size: number } {
    const { table, chain } = this.context;
    const { layer, externalNumber, size, crc } = table.version(table.firstVersion(this.id));
    const backup = chain[layer]!;
    const path = `${storedRoot(backup, externalNumber)}/${listedPath(table, this.id)}`;
    return { path, backupId: backup.id, size, crc32c: crc };
  }
}

/**
 * Nodes of a backup's tree. A tree has one object for each listed file, so they are lean: what all nodes have in common
 * (owner, times) is in one {@link TreeContext}, and a node is its own {@link Attributes}.
 *
 * @module
 */

import type { SourcePool } from "#src/io/source_pool.ts";
import {
  type Attributes,
  type DirectoryEntry,
  type DirectoryNode,
  type FileContent,
  type FileNode,
  FileType,
  type Node,
  type SymlinkNode,
  type Timestamp,
} from "#src/tree/node.ts";
import type { PageCompression } from "./format/content.ts";
import { PAGE_SIZE } from "./format/page_stream.ts";
import { DataFileContent, EMPTY_CONTENT, WholeFileContent } from "./file_content.ts";
import type { PageStream } from "./page_index.ts";
import type { DataFile, PageStore } from "./page_store.ts";

/** What all nodes of a tree share. */
export interface TreeContext {
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  readonly pool: SourcePool;
  readonly pages: PageStore;
}

/** A directory of a backup that holds stored files: `database` or one of the external directories. */
export interface StoredRoot {
  readonly directory: string;
  readonly mapPath: string;
  readonly backupId: string;
}

/** One backup's version of a data file. */
export interface StoredVersion {
  readonly root: StoredRoot;
  readonly size: number;
  readonly compression: PageCompression;
  readonly headerCount: number;
  readonly headerOffset: number;
  readonly headerSize: number;
  readonly headerCrc: number;
}

const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

abstract class BackupNode implements Attributes {
  readonly context: TreeContext;
  readonly id: number;
  readonly mode: number;

  constructor(context: TreeContext, id: number, mode: number) {
    this.context = context;
    this.id = id;
    this.mode = mode;
  }

  abstract get size(): number;

  get attributes(): Attributes {
    return this;
  }

  get uid(): number {
    return this.context.uid;
  }

  get gid(): number {
    return this.context.gid;
  }

  get mtime(): Timestamp {
    return this.context.mtime;
  }

  get nlink(): number {
    return 1;
  }

  get rdev(): number {
    return 0;
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return NO_XATTRS;
  }
}

/** A directory. */
export class BackupDirectory extends BackupNode implements DirectoryNode {
  readonly kind = "directory";
  readonly #children = new Map<string, Node>();

  get size(): number {
    return 0;
  }

  lookup(name: string): Node | undefined {
    return this.#children.get(name);
  }

  *entries(): Iterable<DirectoryEntry> {
    for (const [name, node] of this.#children) yield { name, node };
  }

  /** Used while the tree is built, with a name that is not there yet. */
  add(name: string, node: Node): void {
    this.#children.set(name, node);
  }
}

/** A symbolic link. */
export class BackupSymlink extends BackupNode implements SymlinkNode {
  readonly kind = "symlink";
  readonly target: string;

  constructor(context: TreeContext, id: number, target: string) {
    super(context, id, FileType.SYMLINK | 0o777);
    this.target = target;
  }

  get size(): number {
    return this.target.length;
  }
}

abstract class BackupFile extends BackupNode implements FileNode {
  readonly kind = "file";
  /** Path below the {@link StoredRoot}. */
  readonly storedPath: string;
  /** Number of the last layer whose list had the file; used while the tree is built. */
  lastLayer = 0;

  constructor(context: TreeContext, id: number, mode: number, storedPath: string) {
    super(context, id, mode);
    this.storedPath = storedPath;
  }

  abstract open(): FileContent;
}

/** A relation segment: pages from several backups. */
export class RelationFile extends BackupFile implements DataFile {
  readonly blockCount: number;
  readonly segment: number;
  /** Newest first. */
  readonly versions: StoredVersion[] = [];

  constructor(
    context: TreeContext,
    id: number,
    mode: number,
    storedPath: string,
    blockCount: number,
    segment: number,
  ) {
    super(context, id, mode, storedPath);
    this.blockCount = blockCount;
    this.segment = segment;
  }

  get size(): number {
    return this.blockCount * PAGE_SIZE;
  }

  open(): FileContent {
    return this.blockCount === 0 ? EMPTY_CONTENT : new DataFileContent(this.context.pages, this);
  }

  streams(): readonly PageStream[] {
    return this.versions.map((version) => ({
      path: `${version.root.directory}/${this.storedPath}`,
      backupId: version.root.backupId,
      size: version.size,
      compression: version.compression,
      headerCount: version.headerCount,
      headerOffset: version.headerOffset,
      headerSize: version.headerSize,
      headerCrc: version.headerCrc,
      mapPath: version.root.mapPath,
    }));
  }
}

/** Any other file: stored as a whole by one backup. */
export class WholeFile extends BackupFile {
  /** Set when a backup stores every byte of the file. */
  plainPath?: string;
  #root: StoredRoot | undefined;
  #storedSize = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Whether it is known where the content is. */
  get isPlaced(): boolean {
    return this.#root !== undefined;
  }

  /** Used while the tree is built: where the content is. `size` beyond `storedSize` is zeros. */
  place(root: StoredRoot, storedSize: number, size: number): void {
    this.#root = root;
    this.#storedSize = storedSize;
    this.#size = size;
    if (storedSize > 0 && storedSize === size) {
      this.plainPath = `${root.directory}/${this.storedPath}`;
    }
  }

  open(): FileContent {
    const root = this.#root;
    if (root === undefined || this.#size === 0) return EMPTY_CONTENT;
    const stored = {
      path: `${root.directory}/${this.storedPath}`,
      backupId: root.backupId,
      size: this.#storedSize,
    };
    return new WholeFileContent(this.context.pool, stored, this.#size);
  }
}

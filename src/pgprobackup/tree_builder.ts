/**
 * From the file lists of a chain to nodes.
 *
 * The target's list says what exists; the parents' lists only say where pages and unchanged files are stored. So the
 * target's list makes the nodes, and each further list is passed over once, adding to the nodes that it names.
 *
 * @module
 */

import { FormatError, IntegrityError } from "#src/errors.ts";
import { FileType, type Node } from "#src/tree/node.ts";
import type { Chain, ChainMember } from "./chain.ts";
import { contentListPath, readContentList } from "./content_list.ts";
import { type ContentEntry, SIZE_UNCHANGED } from "./format/content.ts";
import { EXTERNAL_ABSENT, EXTERNAL_UNKNOWN, LayerRoots } from "./layer_roots.ts";
import {
  BackupDirectory,
  BackupSymlink,
  RelationFile,
  type StoredRoot,
  type StoredVersion,
  type TreeContext,
  WholeFile,
} from "./nodes.ts";

/** Directory in the root that holds what a backup has beside the data directory. */
export const EXTRAS_NAME = ".pbkfs";

/** Files that a restore does not bring back: PostgreSQL must not find them. */
const LEFT_OUT = new Set(["tablespace_map", "database_map"]);

const TABLESPACE_DIRECTORY = /^pg_tblspc\/(\d+)$/;
const DIRECTORY_MODE = FileType.DIRECTORY | 0o700;

/** All nodes of a tree; `nodes[id - 1]`, the first one is the root. */
export type NodeTable = readonly Node[];

/**
 * Reads the lists of a chain and makes the tree.
 *
 * @throws {IntegrityError} when a list has another checksum than its backup says, or does not fit its parents
 * @throws {FormatError} when a list is malformed
 */
export function buildNodes(chain: Chain, context: TreeContext): NodeTable {
  return new TreeBuilder(chain, context).build();
}

class TreeBuilder {
  readonly #chain: Chain;
  readonly #context: TreeContext;
  readonly #nodes: Node[] = [];
  readonly #root: BackupDirectory;
  /** By {@link keyOf}. */
  readonly #directories = new Map<string, BackupDirectory>();
  /** By {@link keyOf}. */
  readonly #files = new Map<string, RelationFile | WholeFile>();
  /** Whole files whose content is in an older backup than those read so far. */
  #pending: PendingFile[] = [];

  constructor(chain: Chain, context: TreeContext) {
    this.#chain = chain;
    this.#context = context;
    this.#root = this.#newDirectory(DIRECTORY_MODE);
  }

  get #target(): ChainMember {
    return this.#chain[0]!;
  }

  build(): NodeTable {
    this.#readTarget();
    for (let layer = 1; layer < this.#chain.length; layer++) this.#readParent(layer);
    const [lost] = this.#pending;
    if (lost !== undefined) this.#refuseLost(lost, this.#chain.at(-1)!, "has it as unchanged");
    return this.#nodes;
  }

  #readTarget(): void {
    const target = this.#target;
    const roots = new LayerRoots(target, target);
    readContentList(target, (entry) => {
      const { externalNumber, path } = entry;
      if (roots.targetNumber(externalNumber) === EXTERNAL_UNKNOWN) refuseExternal(target, entry);
      if (externalNumber === 0 && LEFT_OUT.has(path)) return;
      if (externalNumber === 0 && (path === EXTRAS_NAME || path.startsWith(`${EXTRAS_NAME}/`))) {
        refuseEntry(target, entry, `the name "${EXTRAS_NAME}" is taken`);
      }
      const key = keyOf(externalNumber, path);
      if (this.#files.has(key) || this.#directories.has(key)) refuseTwice(target, entry);
      if ((entry.mode & FileType.MASK) === FileType.DIRECTORY) {
        this.#directories.set(key, this.#newDirectory(entry.mode));
      } else {
        this.#files.set(key, this.#newFile(entry, roots.root(externalNumber)));
      }
    });
    for (const [key, directory] of [...this.#directories]) this.#attachDirectory(key, directory);
    for (const [key, file] of this.#files) {
      this.#directoryAt(parentOf(key)).add(nameOf(key), file);
    }
    target.control.externalDirectories.forEach((_path, index) => {
      this.#directoryAt(keyOf(index + 1, ""));
    });
  }

  #newDirectory(mode: number): BackupDirectory {
    const node = new BackupDirectory(this.#context, this.#nodes.length + 1, mode);
    this.#nodes.push(node);
    return node;
  }

  #newFile(entry: ContentEntry, root: StoredRoot): RelationFile | WholeFile {
    const node = isRelation(entry)
      ? this.#newRelation(entry, root)
      : this.#newWholeFile(entry, root);
    this.#nodes.push(node);
    return node;
  }

  #newRelation(entry: ContentEntry, root: StoredRoot): RelationFile {
    if (entry.size > 0 && entry.blockCount === 0) {
      refuseEntry(this.#target, entry, `"${entry.path}" has pages but no n_blocks`);
    }
    const node = new RelationFile(
      this.#context,
      this.#nodes.length + 1,
      entry.mode,
      entry.path,
      // Size 0 says that the relation is empty, whatever else the line says.
      entry.size === 0 ? 0 : entry.blockCount,
      entry.segment,
    );
    if (entry.size > 0) node.versions.push(versionOf(entry, root));
    return node;
  }

  #newWholeFile(entry: ContentEntry, root: StoredRoot): WholeFile {
    const node = new WholeFile(this.#context, this.#nodes.length + 1, entry.mode, entry.path);
    if (entry.size === SIZE_UNCHANGED) {
      this.#pending.push({ node, fullSize: entry.fullSize });
    } else {
      placeWhole(node, entry, root);
    }
    return node;
  }

  /** Enters a directory under its parent. That of a tablespace goes elsewhere and leaves a link behind. */
  #attachDirectory(key: string, directory: BackupDirectory): void {
    const oid = TABLESPACE_DIRECTORY.exec(key)?.[1];
    if (oid === undefined) {
      this.#directoryAt(parentOf(key)).add(nameOf(key), directory);
      return;
    }
    this.#extras("tblspc").add(oid, directory);
    const target = `../${EXTRAS_NAME}/tblspc/${oid}`;
    const link = new BackupSymlink(this.#context, this.#nodes.length + 1, target);
    this.#nodes.push(link);
    this.#directoryAt(parentOf(key)).add(oid, link);
  }

  /** The directory with that key; one that no line lists is made, as restore would. */
  #directoryAt(key: string): BackupDirectory {
    if (key === "") return this.#root;
    const known = this.#directories.get(key);
    if (known !== undefined) return known;
    if (this.#files.has(key)) {
      throw new FormatError(`Cannot use file list: "${key}" is both file and directory`, {
        path: contentListPath(this.#target),
        backupId: this.#target.id,
      });
    }
    const directory = this.#newDirectory(DIRECTORY_MODE);
    this.#directories.set(key, directory);
    const externalNumber = externalRootOf(key);
    if (externalNumber === undefined) this.#attachDirectory(key, directory);
    else this.#extras("external").add(externalNumber, directory);
    return directory;
  }

  /** A directory in {@link EXTRAS_NAME}. */
  #extras(name: string): BackupDirectory {
    return this.#extra(this.#extra(this.#root, EXTRAS_NAME), name);
  }

  #extra(parent: BackupDirectory, name: string): BackupDirectory {
    const known = parent.lookup(name);
    if (known instanceof BackupDirectory) return known;
    const directory = this.#newDirectory(DIRECTORY_MODE);
    parent.add(name, directory);
    return directory;
  }

  #readParent(layer: number): void {
    const parent = this.#chain[layer]!;
    const roots = new LayerRoots(parent, this.#target);
    readContentList(parent, (entry) => {
      const number = roots.targetNumber(entry.externalNumber);
      if (number === EXTERNAL_UNKNOWN) refuseExternal(parent, entry);
      if (number === EXTERNAL_ABSENT || !mayMatter(entry)) return;
      const node = this.#files.get(keyOf(number, entry.path));
      if (node === undefined) return;
      if (node.lastLayer === layer) refuseTwice(parent, entry);
      node.lastLayer = layer;
      const isNeeded = node instanceof RelationFile ? node.blockCount > 0 : !node.isPlaced;
      if (!isNeeded || entry.size === SIZE_UNCHANGED) return;
      if (entry.size > 0 && isRelation(entry) !== node instanceof RelationFile) {
        refuseEntry(parent, entry, `"${entry.path}" is of another kind than in ${this.#target.id}`);
      }
      const root = roots.root(entry.externalNumber);
      if (node instanceof WholeFile) placeWhole(node, entry, root);
      else if (entry.size > 0) node.versions.push(versionOf(entry, root));
    });
    this.#settlePending(parent, layer);
  }

  /** Checks the whole files that waited for this backup. */
  #settlePending(parent: ChainMember, layer: number): void {
    this.#pending = this.#pending.filter((pending) => {
      const { node, fullSize } = pending;
      if (node.lastLayer !== layer) this.#refuseLost(pending, parent, "does not list it");
      if (!node.isPlaced) return true;
      if (fullSize > 0 && fullSize !== node.size) {
        this.#refuseLost(pending, parent, `has ${node.size} bytes instead of ${fullSize}`);
      }
      return false;
    });
  }

  #refuseLost({ node }: PendingFile, parent: ChainMember, problem: string): never {
    throw new IntegrityError(
      `Cannot find the content of "${node.storedPath}", unchanged in backup ${this.#target.id}: ` +
        `backup ${parent.id} ${problem}`,
      { path: contentListPath(parent), backupId: parent.id },
    );
  }
}

interface PendingFile {
  readonly node: WholeFile;
  /** Size that the target's list says; not above 0 when it does not. */
  readonly fullSize: number;
}

/** The path below the data directory; a path in external directory N begins with `NUL N /`, which no path can. */
function keyOf(externalNumber: number, path: string): string {
  if (externalNumber === 0) return path;
  return path === "" ? `\0${externalNumber}` : `\0${externalNumber}/${path}`;
}

function parentOf(key: string): string {
  const slash = key.lastIndexOf("/");
  return slash < 0 ? "" : key.slice(0, slash);
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** The number as text when the key is that of an external directory itself. */
function externalRootOf(key: string): string | undefined {
  return key.startsWith("\0") && !key.includes("/") ? key.slice(1) : undefined;
}

/** Whether the stored file is a page stream. */
function isRelation(entry: ContentEntry): boolean {
  return entry.isDataFile && !entry.isCfs;
}

/** Whether a parent's line can say anything; nearly all lines of an increment are unchanged relations. */
function mayMatter(entry: ContentEntry): boolean {
  if ((entry.mode & FileType.MASK) === FileType.DIRECTORY) return false;
  return entry.size > 0 || !isRelation(entry);
}

function versionOf(entry: ContentEntry, root: StoredRoot): StoredVersion {
  return {
    root,
    size: entry.size,
    compression: entry.compression,
    headerCount: entry.headerCount,
    headerOffset: entry.headerOffset,
    headerSize: entry.headerSize,
    headerCrc: entry.headerCrc,
  };
}

function placeWhole(node: WholeFile, entry: ContentEntry, root: StoredRoot): void {
  // Files of compressed tablespaces may be stored without the zeros at their end.
  const size = entry.isCfs ? Math.max(entry.size, entry.fullSize) : entry.size;
  node.place(root, entry.size, size);
}

function refuseExternal(backup: ChainMember, entry: ContentEntry): never {
  return refuseEntry(
    backup,
    entry,
    `external_dir_num is ${entry.externalNumber}, backup.control names ` +
      `${backup.control.externalDirectories.length} directories`,
  );
}

function refuseTwice(backup: ChainMember, entry: ContentEntry): never {
  return refuseEntry(backup, entry, `"${entry.path}" is listed twice`);
}

function refuseEntry(backup: ChainMember, entry: ContentEntry, problem: string): never {
  throw new FormatError(`Cannot use line ${entry.lineNumber}: ${problem}`, {
    path: contentListPath(backup),
    offset: entry.lineOffset,
    backupId: backup.id,
  });
}

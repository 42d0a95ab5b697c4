/**
 * From the file lists of a chain to its table.
 *
 * The target's list says what exists; the parents' lists only say where pages and unchanged files
 * are stored. So the target's list makes the nodes, and each further list is passed over once,
 * adding to the nodes that it names. Paths stay bytes: hardly any is needed as text.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError, IntegrityError } from "#src/errors.ts";
import { FileType } from "#src/tree/node.ts";
import type { Chain, ChainMember } from "./chain.ts";
import { ChainTableBuilder, NodeKind, type Version } from "./chain_table.ts";
import { contentListPath, readContentList } from "./content_list.ts";
import { EXTERNAL_NAME, EXTRAS_NAME, TABLESPACE_LINKS_NAME, TABLESPACES_NAME } from "./extras.ts";
import { type ContentEntry, SIZE_UNCHANGED } from "./format/content.ts";
import { EXTERNAL_ABSENT, EXTERNAL_UNKNOWN, LayerRoots } from "./layer_roots.ts";
import { lengthFromLists } from "./relation_length.ts";

/** Files that a restore does not bring back: PostgreSQL must not find them. */
const LEFT_OUT = new Set(["tablespace_map", "database_map"]);

/** Its line has the checksum that the file has inside, not that of the bytes. */
const CONTROL_FILE_PATH = "global/pg_control";

const OID = /^\d+$/;
const DIRECTORY_MODE = FileType.DIRECTORY | 0o700;
const LINK_MODE = FileType.SYMLINK | 0o777;
const SLASH = 0x2f;
const DOT = 0x2e;

const encoder = new TextEncoder();

/**
 * Reads the lists of a chain and merges them.
 *
 * @returns memory for `ChainTable.of`
 * @throws {IntegrityError} when a list has another checksum than its backup says, or does not fit
 *   its parents
 * @throws {FormatError} when a list is malformed
 */
export function createChainTable(chain: Chain): SharedArrayBuffer {
  return new TreeBuilder(chain).build();
}

/** A whole file that the backups read so far do not store. */
interface PendingFile {
  readonly id: number;
  readonly path: string;
  /** Size that the target's list says; not above 0 when it does not. */
  readonly fullSize: number;
}

class TreeBuilder {
  readonly #chain: Chain;
  readonly #table = new ChainTableBuilder(DIRECTORY_MODE);
  /** By the target's number; element 0 is the data directory. */
  readonly #bases = [this.#table.rootId];
  /** Directories that so far only paths of others name. */
  readonly #implied = new Set<number>();
  /** The data directory's directory of tablespaces; 0 while there is none. */
  #tablespaceLinks = 0;
  #pending: PendingFile[] = [];
  /** By id: number of the last layer whose list had the file. */
  #lastLayers = new Uint32Array(0);
  /** The directory found last: lists go directory by directory. */
  #latest = { bytes: new Uint8Array(0), start: 0, size: -1, base: 0, id: 0 };

  constructor(chain: Chain) {
    this.#chain = chain;
  }

  get #target(): ChainMember {
    return this.#chain[0]!;
  }

  build(): SharedArrayBuffer {
    this.#readTarget();
    for (let layer = 1; layer < this.#chain.length; layer++) this.#readParent(layer);
    const [lost] = this.#pending;
    if (lost !== undefined) this.#refuseLost(lost, this.#chain.at(-1)!, "has it as unchanged");
    this.#settleLengths();
    return this.#table.pack();
  }

  #readTarget(): void {
    const target = this.#target;
    const roots = new LayerRoots(target, target);
    readContentList(target, (entry) => {
      const { externalNumber } = entry;
      if (roots.targetNumber(externalNumber) === EXTERNAL_UNKNOWN) refuseExternal(target, entry);
      const nameStart = nameStartOf(entry);
      if (externalNumber === 0) {
        if (nameStart === entry.pathStart && LEFT_OUT.has(entry.path)) return;
        if (isInExtras(entry)) refuseEntry(target, entry, `the name "${EXTRAS_NAME}" is taken`);
      }
      const directory = this.#directoryOf(entry, nameStart, this.#baseOf(externalNumber), true);
      if ((entry.mode & FileType.MASK) === FileType.DIRECTORY) {
        this.#addDirectory(entry, nameStart, directory);
      } else {
        this.#addFile(entry, nameStart, directory);
      }
    });
    target.control.externalDirectories.forEach((_path, index) => this.#baseOf(index + 1));
    this.#lastLayers = new Uint32Array(this.#table.nodeCount + 1);
  }

  #addDirectory(entry: ContentEntry, nameStart: number, parent: number): void {
    const known = this.#table.find(parent, entry.bytes, nameStart, entry.pathEnd);
    if (known === 0) {
      this.#makeDirectory(parent, entry.bytes, nameStart, entry.pathEnd, entry.mode);
      return;
    }
    const directory = this.#asDirectory(known);
    if (!this.#implied.delete(directory)) refuseTwice(this.#target, entry);
    this.#table.setMode(directory, entry.mode);
  }

  #addFile(entry: ContentEntry, nameStart: number, parent: number): void {
    const table = this.#table;
    const { bytes, pathEnd } = entry;
    const known = table.find(parent, bytes, nameStart, pathEnd);
    if (known !== 0) {
      if (this.#implied.has(this.#asDirectory(known))) this.#refuseBoth(entry.path);
      refuseTwice(this.#target, entry);
    }
    if (!isRelation(entry)) {
      const id = table.addNode(NodeKind.WHOLE, entry.mode, parent, bytes, nameStart, pathEnd);
      if (entry.size !== SIZE_UNCHANGED) this.#placeWhole(id, entry, 0);
      else this.#pending.push({ id, path: entry.path, fullSize: entry.fullSize });
      return;
    }
    if (entry.size > 0 && entry.blockCount === 0) {
      refuseEntry(this.#target, entry, `"${entry.path}" has pages but no n_blocks`);
    }
    const id = table.addNode(NodeKind.RELATION, entry.mode, parent, bytes, nameStart, pathEnd);
    // Size 0 says that the relation is empty, whatever else the line says.
    table.setRelation(id, entry.size === 0 ? 0 : entry.blockCount, entry.segment);
    if (entry.size > 0) table.addVersion(id, versionOf(entry, 0));
  }

  /**
   * The directory of an entry.
   *
   * @param base where the entry's path begins
   * @param make make what is missing, as restore would
   * @returns 0 when it does not exist and nothing is made
   */
  #directoryOf(entry: ContentEntry, nameStart: number, base: number, make: boolean): number {
    const { bytes, pathStart } = entry;
    const latest = this.#latest;
    const size = nameStart - pathStart;
    if (base === latest.base && size === latest.size) {
      let same = 0;
      while (same < size && bytes[pathStart + same] === latest.bytes[latest.start + same]) same++;
      if (same === size) return latest.id;
    }
    let id = base;
    for (let start = pathStart; start < nameStart;) {
      const end = bytes.indexOf(SLASH, start);
      const parent = id;
      const child = this.#table.find(parent, bytes, start, end);
      if (child !== 0) {
        id = this.#asDirectory(child);
        if (id === 0 && make) this.#refuseBoth(decodeFileName(bytes.subarray(pathStart, end)));
      } else if (make) {
        id = this.#makeDirectory(parent, bytes, start, end, DIRECTORY_MODE);
        this.#implied.add(id);
      } else {
        id = 0;
      }
      if (id === 0) return 0;
      start = end + 1;
    }
    this.#latest = { bytes, start: pathStart, size, base, id };
    return id;
  }

  /** The directory that a node is or leads to, or 0. */
  #asDirectory(id: number): number {
    const kind = this.#table.kind(id);
    if (kind === NodeKind.LINK) return this.#table.linkedDirectory(id);
    return kind === NodeKind.DIRECTORY ? id : 0;
  }

  /**
   * Makes a directory under its parent. That of a tablespace goes elsewhere and leaves a link
   * behind.
   */
  #makeDirectory(
    parent: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    mode: number,
  ): number {
    const table = this.#table;
    if (parent === this.#tablespaceLinks && OID.test(decodeFileName(bytes.subarray(start, end)))) {
      const home = this.#extras(TABLESPACES_NAME);
      const id = table.addNode(NodeKind.DIRECTORY, mode, home, bytes, start, end);
      const link = table.addNode(NodeKind.LINK, LINK_MODE, parent, bytes, start, end);
      table.setLink(link, id);
      return id;
    }
    const id = table.addNode(NodeKind.DIRECTORY, mode, parent, bytes, start, end);
    if (parent === table.rootId && table.name(id) === TABLESPACE_LINKS_NAME) {
      this.#tablespaceLinks = id;
    }
    return id;
  }

  /** The directory that paths of an external directory (0: of the data directory) begin in. */
  #baseOf(externalNumber: number): number {
    return this.#bases[externalNumber] ??= this.#extra(
      this.#extras(EXTERNAL_NAME),
      String(externalNumber),
    );
  }

  /** A directory in {@link EXTRAS_NAME}. */
  #extras(name: string): number {
    return this.#extra(this.#extra(this.#table.rootId, EXTRAS_NAME), name);
  }

  #extra(parent: number, name: string): number {
    const known = this.#table.lookup(parent, name);
    if (known !== 0) return known;
    const bytes = encoder.encode(name);
    return this.#table.addNode(
      NodeKind.DIRECTORY,
      DIRECTORY_MODE,
      parent,
      bytes,
      0,
      bytes.length,
    );
  }

  #readParent(layer: number): void {
    const parent = this.#chain[layer]!;
    const roots = new LayerRoots(parent, this.#target);
    readContentList(parent, (entry) => {
      const number = roots.targetNumber(entry.externalNumber);
      if (number === EXTERNAL_UNKNOWN) refuseExternal(parent, entry);
      if (number === EXTERNAL_ABSENT || !mayMatter(entry)) return;
      const nameStart = nameStartOf(entry);
      const directory = this.#directoryOf(entry, nameStart, this.#baseOf(number), false);
      if (directory === 0) return;
      const id = this.#table.find(directory, entry.bytes, nameStart, entry.pathEnd);
      if (id !== 0 && this.#asDirectory(id) === 0) this.#mergeFile(parent, layer, entry, id);
    });
    this.#settlePending(parent, layer);
  }

  #mergeFile(parent: ChainMember, layer: number, entry: ContentEntry, id: number): void {
    const table = this.#table;
    if (this.#lastLayers[id] === layer) refuseTwice(parent, entry);
    this.#lastLayers[id] = layer;
    const isNodeRelation = table.kind(id) === NodeKind.RELATION;
    const isNeeded = isNodeRelation ? table.blockCount(id) > 0 : table.firstVersion(id) === 0;
    if (!isNeeded || entry.size === SIZE_UNCHANGED) return;
    if (entry.size > 0 && isRelation(entry) !== isNodeRelation) {
      refuseEntry(parent, entry, `"${entry.path}" is of another kind than in ${this.#target.id}`);
    }
    if (!isNodeRelation) this.#placeWhole(id, entry, layer);
    else if (entry.size > 0) table.addVersion(id, versionOf(entry, layer));
  }

  #placeWhole(id: number, entry: ContentEntry, layer: number): void {
    // Files of compressed tablespaces may be stored without the zeros at their end.
    const size = entry.isCfs ? Math.max(entry.size, entry.fullSize) : entry.size;
    this.#table.placeWhole(id, versionOf(entry, layer), size);
  }

  /** Checks the whole files that waited for this backup. */
  #settlePending(parent: ChainMember, layer: number): void {
    this.#pending = this.#pending.filter((pending) => {
      const { id, fullSize } = pending;
      if (this.#lastLayers[id] !== layer) this.#refuseLost(pending, parent, "does not list it");
      if (this.#table.firstVersion(id) === 0) return true;
      const size = this.#table.wholeSize(id);
      if (fullSize > 0 && fullSize !== size) {
        this.#refuseLost(pending, parent, `has ${size} bytes instead of ${fullSize}`);
      }
      return false;
    });
  }

  /** Relations end where a restore would end them. */
  #settleLengths(): void {
    const table = this.#table;
    for (let id = table.rootId; id <= table.nodeCount; id++) {
      if (table.kind(id) !== NodeKind.RELATION) continue;
      const listed = table.blockCount(id);
      const length = lengthFromLists(listed, table.versions(id));
      if (length !== listed) table.setRelation(id, length ?? -listed, table.segment(id));
    }
  }

  #refuseLost({ path }: PendingFile, parent: ChainMember, problem: string): never {
    throw new IntegrityError(
      `Cannot find the content of "${path}", unchanged in backup ${this.#target.id}: ` +
        `backup ${parent.id} ${problem}`,
      { path: contentListPath(parent), backupId: parent.id },
    );
  }

  #refuseBoth(path: string): never {
    throw new FormatError(`Cannot use file list: "${path}" is both file and directory`, {
      path: contentListPath(this.#target),
      backupId: this.#target.id,
    });
  }
}

/** Where the last component of an entry's path begins. */
function nameStartOf(entry: ContentEntry): number {
  const { bytes, pathStart } = entry;
  let position = entry.pathEnd;
  while (position > pathStart && bytes[position - 1] !== SLASH) position -= 1;
  return position;
}

function isInExtras(entry: ContentEntry): boolean {
  if (entry.bytes[entry.pathStart] !== DOT) return false;
  return entry.path === EXTRAS_NAME || entry.path.startsWith(`${EXTRAS_NAME}/`);
}

/** Whether the stored file is a page stream. */
function isRelation(entry: ContentEntry): boolean {
  return entry.isDataFile && !entry.isCfs;
}

/**
 * Whether a parent's line can say anything; nearly all lines of an increment are unchanged
 * relations.
 */
function mayMatter(entry: ContentEntry): boolean {
  if ((entry.mode & FileType.MASK) === FileType.DIRECTORY) return false;
  return entry.size > 0 || !isRelation(entry);
}

function versionOf(entry: ContentEntry, layer: number): Version {
  return {
    layer,
    externalNumber: entry.externalNumber,
    size: entry.size,
    compression: entry.compression,
    isGapless: entry.headerCount > 0 && entry.headerCount === entry.blockCount,
    headerCount: entry.headerCount,
    headerOffset: entry.headerOffset,
    headerSize: entry.headerSize,
    headerCrc: entry.headerCrc,
    crc: storedCrcOf(entry),
  };
}

/** CRC-32C of the bytes stored; -1 where the list tells none. */
function storedCrcOf(entry: ContentEntry): number {
  const isControlFile = entry.externalNumber === 0 &&
    entry.pathEnd - entry.pathStart === CONTROL_FILE_PATH.length &&
    entry.path === CONTROL_FILE_PATH;
  return isControlFile ? -1 : entry.crc;
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

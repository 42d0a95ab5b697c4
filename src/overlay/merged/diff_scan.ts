/**
 * Reads what a diff has: all names, attributes, markers, and targets of links. No file is opened,
 * and the tree below not asked: that is the matter of whoever looks a file up.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import { Failure } from "#src/errors.ts";
import { compareNames } from "#src/tree/paths.ts";
import { LIVE_NAMES } from "../control_directory.ts";
import { CONTROL_DIRECTORY_NAME, DATA_DIRECTORY_NAME } from "../diff_place.ts";
import { MARKER_NAME, readMarker } from "../directory_marker.ts";
import { readHostDirectory } from "../host_directory.ts";
import { LINKS_DIRECTORY_NAME } from "../linked_files.ts";
import { HEADER_SIZE_MAX } from "../partial_file.ts";
import { isWhiteout } from "../whiteout.ts";
import {
  ENTRY_WORDS,
  FIELD_COUNT,
  makeIndexedNode,
  NodeField,
  packIndex,
  placeOf,
  Shape,
  WHITEOUT_NODE,
} from "./diff_index.ts";

const { OpenFlag } = host;
const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

const TEXT_SIZE_MIN = 1 << 16;

/**
 * Scans a diff directory that nobody changes meanwhile.
 *
 * @returns an index for `DiffIndex`: the same one, but for its memory, for the same diff
 * @throws {OsError}
 */
export function scanDiff(diffPath: string): SharedArrayBuffer {
  return new DiffScan().run(diffPath);
}

/** A directory that is read after the names of those beside it. */
interface Subdirectory {
  readonly name: string;
  readonly node: number;
}

class DiffScan {
  readonly #nodes: number[] = [];
  readonly #entries: number[] = [];
  readonly #stat = new host.HostStat();
  readonly #buffer = host.allocateNativeBuffer(HEADER_SIZE_MAX);
  /** By inode number: nodes that may get more names. */
  readonly #linked = new Map<number, number>();
  #text = new Uint8Array(TEXT_SIZE_MIN);
  #textLength = 0;

  run(diffPath: string): SharedArrayBuffer {
    const names = [DATA_DIRECTORY_NAME, LINKS_DIRECTORY_NAME];
    const roots = names.map((name) => host.open(`${diffPath}/${name}`, DIRECTORY_FLAGS));
    try {
      host.unwrap(roots[0]!, "open", `${diffPath}/${DATA_DIRECTORY_NAME}`);
      // `ROOT_NODE` and `LINKS_NODE`.
      for (const fd of roots) this.#addRoot(fd);
      for (const [node, fd] of roots.entries()) if (fd >= 0) this.#scan(fd, node, node === 0);
    } finally {
      for (const fd of roots) if (fd >= 0) host.close(fd);
    }
    const text = this.#text.subarray(0, this.#textLength);
    return packIndex({ nodes: this.#nodes, entries: this.#entries, text });
  }

  /** @param fd negative for `links/` in a diff of a program from before it */
  #addRoot(fd: number): void {
    if (fd >= 0) host.unwrap(host.statFd(fd, this.#stat), "stat", "directory of the diff");
    this.#nodes.push(...this.#node());
  }

  #scan(fd: number, directory: number, isRoot = false, isControl = false): void {
    const found = readHostDirectory(fd).toSorted((one, other) =>
      compareNames(one.name, other.name)
    );
    const subdirectories: Subdirectory[] = [];
    const first = this.#entryCount;
    for (const { name } of found) {
      if (name === MARKER_NAME || (isControl && LIVE_NAMES.has(name))) continue;
      if (host.statAt(fd, name, this.#stat) < 0) continue;
      const entry = this.#entryCount;
      const node = isWhiteout(this.#stat)
        ? WHITEOUT_NODE
        : this.#add(fd, name, directory, entry, subdirectories);
      const start = this.#putText(name);
      this.#entries.push(start, this.#textLength - start, node);
    }
    this.#nodes[placeOf(directory, NodeField.FIRST)] = first;
    this.#nodes[placeOf(directory, NodeField.COUNT)] = this.#entryCount - first;
    if (!isRoot) this.#attempt(directory, () => this.#noteMarker(fd, directory));
    for (const { name, node } of subdirectories) {
      const isOfProgram = isRoot && name === CONTROL_DIRECTORY_NAME;
      this.#attempt(node, () => this.#enter(fd, name, node, isOfProgram));
    }
  }

  #enter(parentFd: number, name: string, node: number, isControl: boolean): void {
    const fd = host.unwrap(openQuietlyAt(parentFd, name, DIRECTORY_FLAGS), "open", name);
    try {
      this.#scan(fd, node, false, isControl);
    } finally {
      host.close(fd);
    }
  }

  /** Adds what was just looked at, unless it is there under another name. @returns its node */
  #add(
    fd: number,
    name: string,
    parent: number,
    entry: number,
    subdirectories: Subdirectory[],
  ): number {
    const { ino, nlink } = this.#stat;
    const type = entryType(this.#stat.mode);
    const isDirectory = type === EntryType.DIRECTORY;
    const known = isDirectory || nlink === 1 ? undefined : this.#linked.get(ino);
    if (known !== undefined) return known;
    const node = this.#nodes.length / FIELD_COUNT;
    const fields = this.#node();
    fields[NodeField.PARENT] = parent;
    fields[NodeField.ENTRY] = entry;
    this.#nodes.push(...fields);
    if (isDirectory) subdirectories.push({ name, node });
    else if (nlink > 1) this.#linked.set(ino, node);
    if (type === EntryType.SYMLINK) this.#attempt(node, () => this.#noteTarget(fd, name, node));
    return node;
  }

  #node(): number[] {
    const stat = this.#stat;
    const fields = makeIndexedNode();
    const isDirectory = entryType(stat.mode) === EntryType.DIRECTORY;
    fields[NodeField.MODE] = stat.mode;
    fields[NodeField.UID] = stat.uid;
    fields[NodeField.GID] = stat.gid;
    fields[NodeField.RDEV] = stat.rdev;
    fields[NodeField.NLINK] = isDirectory ? 1 : stat.nlink;
    fields[NodeField.SIZE] = stat.size;
    fields[NodeField.MTIME_SECONDS] = stat.mtimeSeconds;
    fields[NodeField.MTIME_NANOSECONDS] = stat.mtimeNanoseconds;
    fields[NodeField.DISK_BYTES] = stat.blocks * 512;
    return fields;
  }

  /** What cannot be read of one node is the matter of whoever asks for it. */
  #attempt(node: number, read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#note(node, Shape.DAMAGED, error.message);
    }
  }

  #note(node: number, shape: number, text: string): void {
    this.#nodes[placeOf(node, NodeField.SHAPE)]! |= shape;
    const start = this.#putText(text);
    this.#nodes[placeOf(node, NodeField.TEXT)] = start;
    this.#nodes[placeOf(node, NodeField.TEXT_LENGTH)] = this.#textLength - start;
  }

  #noteMarker(fd: number, directory: number): void {
    const marker = readMarker(fd, this.#buffer);
    if (marker === null) return;
    const shape = marker === undefined ? Shape.MARKED : Shape.MARKED | Shape.CONTINUED;
    this.#note(directory, shape, marker ?? "");
  }

  #noteTarget(directoryFd: number, name: string, node: number): void {
    const target = host.readlinkAt(directoryFd, name);
    if (typeof target === "number") throw new host.OsError(-target, "readlink", name);
    this.#note(node, 0, decodeFileName(target));
  }

  get #entryCount(): number {
    return this.#entries.length / ENTRY_WORDS;
  }

  /** @returns where it begins */
  #putText(text: string): number {
    const bytes = encodeFileName(text);
    const start = this.#textLength;
    const end = start + bytes.length;
    if (end > this.#text.length) {
      const larger = new Uint8Array(Math.max(2 * this.#text.length, end));
      larger.set(this.#text);
      this.#text = larger;
    }
    this.#text.set(bytes, start);
    this.#textLength = end;
    return start;
  }
}

/**
 * Random access to archives by their goodbye tables.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { PxarEntry, PxarHardlink } from "./entry.ts";

/** How an archive is opened. */
export interface PxarAccessorOptions {
  /** Payload stream of a split archive. Without it contents cannot be read. */
  readonly payload?: ByteSource;
  /** Name of the archive for messages. */
  readonly name?: string;
}

/** Where a directory's table is. */
export interface PxarTable {
  /** Offset of the directory's ENTRY header. */
  readonly entryOffset: number;
  /** Offset of the GOODBYE header. */
  readonly offset: number;
  /** Number of children. */
  readonly count: number;
}

/** An entry found. */
export interface PxarNode {
  /** Empty for the root. */
  readonly name: string;
  /** Offset of the FILENAME header (of the ENTRY header for the root): the identity of the entry. */
  readonly offset: number;
  /** Where it ends at the latest. */
  readonly end: number;
  readonly entry: PxarEntry;
  /** There for directories. */
  readonly table: PxarTable | undefined;
}

/** A hard link found. */
export interface PxarLinkNode {
  readonly name: string;
  /** Offset of the FILENAME header. */
  readonly offset: number;
  readonly end: number;
  readonly entry: PxarHardlink;
}

/** What a directory holds. `entry.kind` tells them apart. */
export type PxarChild = PxarNode | PxarLinkNode;

/** Looks up entries of one archive. Not re-entrant. */
export class PxarAccessor {
  /** The root directory. */
  readonly root: PxarNode;

  private constructor(root: PxarNode) {
    this.root = root;
  }

  /** Opens the archive in `source`, which stays the caller's to close. */
  static open(_source: ByteSource, _options: PxarAccessorOptions = {}): PxarAccessor {
    throw new Error("not yet");
  }

  /** The entry at `path`; hard links are resolved to their target. */
  lookup(_path: string): PxarNode | undefined {
    return undefined;
  }

  /** The entry at `path` as it is stored: a hard link is returned as such. */
  lookupChild(_path: string): PxarChild | undefined {
    return undefined;
  }

  /** {@link lookup} for several paths; common beginnings are looked up once. */
  lookupAll(_paths: readonly string[]): (PxarNode | undefined)[] {
    return [];
  }

  /** The children of a directory in the order of the archive. */
  readDirectory(_directory: PxarNode): Iterable<PxarChild> {
    return [];
  }

  /** The child called `name`; a hard link is resolved. */
  child(_directory: PxarNode, _name: string): PxarNode | undefined {
    return undefined;
  }

  /** The regular file that a hard link stands for. */
  resolveHardlink(_link: PxarLinkNode): PxarNode {
    throw new Error("not yet");
  }

  /** Reads up to `size` bytes at `offset` of a regular file into `target.bytes` from `start` on. */
  readContent(
    _node: PxarNode,
    _offset: number,
    _target: NativeBuffer,
    _start: number,
    _size: number,
  ): number {
    return 0;
  }
}

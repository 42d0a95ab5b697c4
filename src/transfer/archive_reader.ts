/**
 * An archive as a {@link TreeReader}: everything it stores is known.
 *
 * @module
 */

import { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
import type { PxarAccessor, PxarChild, PxarNode } from "#src/pxar/accessor.ts";
import type { PxarPayload } from "#src/pxar/entry.ts";
import { compareNames } from "./paths.ts";
import {
  METADATA_FIELDS,
  type NamedEntry,
  type PayloadRange,
  type ReaderContent,
  type ReaderDirectory,
  type ReaderEntry,
  type ReaderFile,
  type TreeReader,
} from "./reader.ts";

/** Size of a PAYLOAD header. */
const HEADER_SIZE = 16;
const BUFFER_SIZE = 1 << 20;

/**
 * Files that may have further names before it is worth reading all metadata to learn which ones do.
 */
const UNKNOWN_COUNT_MAX = 10_000;

/** How an archive is read. */
export interface ArchiveReaderOptions {
  /** Buffer for contents. It must have an address when the archive's sources read by FFI. */
  readonly buffer?: NativeBuffer;
}

/**
 * Reads from `accessor`, whose sources stay the caller's to close. Hard links appear as their
 * targets.
 */
export function readArchive(
  accessor: PxarAccessor,
  options: ArchiveReaderOptions = {},
): TreeReader {
  const archive = new Archive(accessor, options.buffer);
  return {
    root: new ArchiveDirectory(archive, accessor.root),
    knownFields: new Set(METADATA_FIELDS),
    mtimePrecisionNs: 1,
    prelude: accessor.prelude,
  };
}

/** What all entries of one archive share: their origin. */
class Archive {
  #buffer: NativeBuffer | undefined;
  #unknownCount = 0;
  /** Files that hard links refer to, once that is known. */
  #linkTargets: ReadonlySet<number> | undefined;

  constructor(readonly accessor: PxarAccessor, buffer: NativeBuffer | undefined) {
    this.#buffer = buffer;
  }

  /**
   * 1, or undefined where there may be more. Learns that for all files when it is asked about many.
   */
  linkCountOf(offset: number): 1 | undefined {
    if (this.#linkTargets === undefined) {
      if (++this.#unknownCount <= UNKNOWN_COUNT_MAX) return undefined;
      this.#linkTargets = this.accessor.readLinkTargets();
    }
    return this.#linkTargets.has(offset) ? undefined : 1;
  }

  /** The entry at an offset that {@link childOf} gave. */
  entryAt(offset: number): ReaderEntry {
    return this.#nodeEntry(this.accessor.nodeAt(offset)!);
  }

  /**
   * A child of a directory. Of what is no directory only the place is kept: it is decoded when it
   * is looked at.
   */
  childOf(child: PxarChild): NamedEntry {
    const node = isLink(child) ? this.accessor.resolveHardlink(child) : child;
    return node.entry.kind === "directory"
      ? { name: child.name, entry: new ArchiveDirectory(this, node) }
      : new PlacedEntry(this, child.name, node.offset);
  }

  lookup(directory: PxarNode, name: string): ReaderEntry | undefined {
    const node = this.accessor.child(directory, name);
    return node === undefined ? undefined : this.#nodeEntry(node);
  }

  readAt(node: PxarNode, target: Uint8Array, offset: number): number {
    this.#buffer ??= plainBuffer(BUFFER_SIZE);
    const { bytes } = this.#buffer;
    let done = 0;
    while (done < target.length) {
      const size = Math.min(bytes.length, target.length - done);
      const count = this.accessor.readContent(node, offset + done, this.#buffer, 0, size);
      target.set(bytes.subarray(0, count), done);
      done += count;
      if (count < size) break;
    }
    return done;
  }

  #nodeEntry(node: PxarNode): ReaderEntry {
    const { entry } = node;
    if (entry.kind === "directory") return new ArchiveDirectory(this, node);
    if (entry.kind === "file") return new ArchiveFile(this, node, entry.payload);
    const base = { origin: this, id: node.offset, metadata: entry.metadata };
    switch (entry.kind) {
      case "symlink":
        return { ...base, kind: "symlink", target: entry.target };
      case "device":
        return { ...base, kind: "device", major: entry.major, minor: entry.minor };
      default:
        return { ...base, kind: entry.kind };
    }
  }
}

function isLink(child: PxarChild): child is Exclude<PxarChild, PxarNode> {
  return child.entry.kind === "hardlink";
}

/** An entry by its place: a directory may have a million of these. */
class PlacedEntry implements NamedEntry {
  readonly name: string;
  readonly #archive: Archive;
  readonly #offset: number;

  constructor(archive: Archive, name: string, offset: number) {
    this.name = name;
    this.#archive = archive;
    this.#offset = offset;
  }

  get entry(): ReaderEntry {
    return this.#archive.entryAt(this.#offset);
  }
}

/** A class, since a copy of a large archive makes very many of these. */
class ArchiveFile implements ReaderFile {
  readonly kind = "file";
  readonly origin: Archive;
  readonly #node: PxarNode;
  readonly #payload: PxarPayload;

  constructor(archive: Archive, node: PxarNode, payload: PxarPayload) {
    this.origin = archive;
    this.#node = node;
    this.#payload = payload;
  }

  get id() {
    return this.#node.offset;
  }

  get linkCount() {
    return this.origin.linkCountOf(this.#node.offset);
  }

  get metadata() {
    return this.#node.entry.metadata;
  }

  get size() {
    return this.#payload.size;
  }

  get payload(): PayloadRange {
    const { kind, offset, size } = this.#payload;
    return kind === "inline"
      ? { stream: "archive", offset, size }
      : { stream: "payload", offset: offset + HEADER_SIZE, size };
  }

  open(): ReaderContent {
    return {
      readAt: (target, offset) => this.origin.readAt(this.#node, target, offset),
      close: () => {},
    };
  }
}

class ArchiveDirectory implements ReaderDirectory {
  readonly kind = "directory";
  readonly origin: Archive;
  readonly #node: PxarNode;

  constructor(archive: Archive, node: PxarNode) {
    this.origin = archive;
    this.#node = node;
  }

  get id() {
    return this.#node.offset;
  }

  get metadata() {
    return this.#node.entry.metadata;
  }

  lookup(name: string): ReaderEntry | undefined {
    return this.origin.lookup(this.#node, name);
  }

  children(onDamage?: (damage: Error) => void): readonly NamedEntry[] {
    const children: NamedEntry[] = [];
    for (const child of this.origin.accessor.readDirectory(this.#node, onDamage)) {
      children.push(this.origin.childOf(child));
    }
    return children.sort((a, b) => compareNames(a.name, b.name));
  }
}

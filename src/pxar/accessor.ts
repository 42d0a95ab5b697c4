/**
 * Random access to archives by their goodbye tables.
 *
 * @module
 */

import { pathNames } from "#src/tree/paths.ts";
import { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError, LimitError, UsageError } from "#src/errors.ts";
import { type ByteSource, checkRead } from "#src/io/byte_source.ts";
import { readChildren } from "./reading/directory_reader.ts";
import { readArchiveOpening } from "./reading/archive_opening.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { readLinkTargets } from "./reading/link_targets.ts";
import { EntryDecoder } from "./reading/entry_decoder.ts";
import { PageCache } from "./reading/page_cache.ts";
import { PayloadSource } from "./reading/payload_source.ts";
import { TableRebuilder } from "./reading/table_rebuilder.ts";
import { RandomInput } from "./reading/random_input.ts";
import {
  directoryPlace,
  type PxarChild,
  type PxarLinkNode,
  type PxarNode,
  type PxarTable,
  type RebuiltTable,
} from "./archive_node.ts";
import { filenameHash, hashFileName } from "./format/filename_hash.ts";
import { findInGoodbye, type GoodbyeItem } from "./format/goodbye.ts";
import { Item } from "./format/item.ts";
import { STREAM_SIZE_MAX } from "./format/limits.ts";
import { targetPathObjection } from "./format/name.ts";

export {
  directoryPlace,
  type PxarChild,
  type PxarLinkNode,
  type PxarNode,
  type PxarTable,
} from "./archive_node.ts";

/** How an archive is opened. */
export interface PxarAccessorOptions {
  /** Payload stream of a split archive. Without it contents cannot be read. */
  readonly payload?: ByteSource | undefined;
  /** Name of the archive for messages. */
  readonly name?: string;
  /**
   * Makes the buffers that are given to the sources; for sources that read by address they must
   * have one.
   */
  readonly allocate?: (size: number) => NativeBuffer;
}

/**
 * Looks up entries of one archive, and reads contents. Not re-entrant.
 */
export class PxarAccessor {
  /** The root directory. */
  readonly root: PxarNode;
  /** Version of the format. */
  readonly version: 1 | 2;
  /** Content of the prelude. */
  readonly prelude: Uint8Array | undefined;
  /** The archive, or its metadata stream. */
  readonly source: ByteSource;
  /** The payload stream of a split archive, where it was given. */
  readonly payload: ByteSource | undefined;
  /** See {@link PxarAccessorOptions.allocate}. */
  readonly allocate: (size: number) => NativeBuffer;
  readonly #name: string | undefined;
  readonly #random: RandomInput;
  readonly #tables: TableRebuilder;
  readonly #payload: PayloadSource | undefined;
  readonly #entries: EntryDecoder;

  private constructor(source: ByteSource, options: PxarAccessorOptions) {
    const allocate = options.allocate ?? plainBuffer;
    if (source.size > STREAM_SIZE_MAX) {
      throw new LimitError(`Cannot open archive of ${source.size} bytes: too large`);
    }
    this.source = source;
    this.payload = options.payload;
    this.allocate = allocate;
    this.#name = options.name;
    this.#random = new RandomInput(new PageCache(source, allocate), options.name);
    this.#tables = new TableRebuilder(source, allocate, this.#random, options.name);
    this.#entries = new EntryDecoder(this.#random, this.#tables, source.size);
    const opening = readArchiveOpening(
      this.#random,
      source.size,
      this.#tables,
      options.payload === undefined ? 1 : 2,
    );
    this.root = opening.root;
    this.version = opening.version;
    this.prelude = opening.prelude;
    if (options.payload !== undefined && this.version === 2) {
      this.#payload = new PayloadSource(options.payload, allocate, options.name);
    }
  }

  /**
   * Opens the archive in `source`, which stays the caller's to close.
   *
   * @throws {FormatError} with the class of the defect as `code`
   */
  static open(source: ByteSource, options: PxarAccessorOptions = {}): PxarAccessor {
    return new PxarAccessor(source, options);
  }

  /**
   * The entry at `path` (`/a/b`, `a/b`; `/` is the root); a hard link is resolved to its target.
   */
  lookup(path: string): PxarNode | undefined {
    const found = this.lookupChild(path);
    return found === undefined ? undefined : this.#resolved(found);
  }

  /** The entry at `path` as it is stored: a hard link is returned as such. */
  lookupChild(path: string): PxarChild | undefined {
    let found: PxarChild | undefined = this.root;
    for (const name of pathNames(path)) {
      found = found.table === undefined ? undefined : this.storedChild(found, name);
      if (found === undefined) return undefined;
    }
    return found;
  }

  /** {@link lookup} for several paths; what they have in common is looked up once. */
  lookupAll(paths: readonly string[]): (PxarNode | undefined)[] {
    const directories = new Map<string, PxarChild | undefined>([["", this.root]]);
    const find = (path: string): PxarChild | undefined => {
      const known = directories.get(path);
      if (known !== undefined || directories.has(path)) return known;
      const slash = path.lastIndexOf("/");
      const parent = find(slash < 0 ? "" : path.slice(0, slash));
      const found = parent?.table === undefined
        ? undefined
        : this.storedChild(parent, path.slice(slash + 1));
      directories.set(path, found);
      return found;
    };
    return paths.map((path) => {
      const found = find(pathNames(path).join("/"));
      return found === undefined ? undefined : this.#resolved(found);
    });
  }

  /**
   * The children of a directory in the order of the archive. Where something of it is damaged or
   * missing, all that can be read comes first.
   *
   * @param onDamage is called once with what may be missing, after the last child; without it, that
   *   is thrown
   * @throws {FormatError} also for a table that does not list exactly what the directory holds
   */
  readDirectory(
    directory: PxarNode,
    onDamage: (damage: Error) => void = rethrow,
  ): Generator<PxarChild, void, undefined> {
    const table = requireTable(directory);
    return readChildren(this.#random, table, {
      decode: this.#decodeChild,
      rebuild: (reason) => this.#rebuiltTable(directory, table, reason),
      onDamage,
    });
  }

  readonly #decodeChild = (table: PxarTable, item: GoodbyeItem) =>
    this.#entries.childAt(table, item);

  #rebuiltTable(directory: PxarNode, table: PxarTable, reason: Error): PxarTable {
    const rebuilt = this.#rebuiltOf(directory, table, reason);
    return { ...table, offset: rebuilt.offset, count: rebuilt.count, rebuilt };
  }

  #rebuiltOf({ offset }: PxarNode, table: PxarTable, reason: Error): RebuiltTable {
    const { childrenOffset, offset: limit } = table;
    return this.#tables.rebuild({ offset, childrenOffset, limit: limit + 1 }, reason);
  }

  /** The child called `name`; a hard link is resolved. */
  child(directory: PxarNode, name: string): PxarNode | undefined {
    const found = this.storedChild(directory, name);
    return found === undefined ? undefined : this.#resolved(found);
  }

  /** The child called `name` as it is stored: a hard link is returned as such. */
  storedChild(directory: PxarNode, name: string): PxarChild | undefined {
    const table = requireTable(directory);
    try {
      const found = this.#find(table, name);
      if (found === undefined && table.rebuilt !== undefined) throw table.rebuilt.damage;
      return found;
    } catch (error) {
      if (table.rebuilt !== undefined || !isDamage(error)) throw error;
      const found = this.#find(this.#rebuiltTable(directory, table, error), name);
      if (found === undefined) throw error;
      return found;
    }
  }

  #find(table: PxarTable, name: string): PxarChild | undefined {
    hashFileName(name);
    return findInGoodbye(
      table.count,
      filenameHash.high,
      filenameHash.low,
      (index) => this.#random.tableItem(table, index),
      (item) => {
        const found = this.#entries.childAt(table, item);
        return found.name === name ? found : undefined;
      },
    );
  }

  /**
   * The regular file that a hard link stands for.
   *
   * @throws {FormatError} `bad-hardlink` when there is no entry where the link points, or it has
   *   another name; `path-escape`
   */
  resolveHardlink(link: Pick<PxarLinkNode, "name" | "offset" | "entry">): PxarNode {
    const { distance, targetPath } = link.entry;
    const fail = (reason: string, cause?: unknown, code = "bad-hardlink"): never => {
      throw new FormatError(`Cannot follow hard link "${link.name}": ${reason}`, {
        code,
        offset: link.offset,
        cause,
        path: this.#name,
      });
    };
    const objection = targetPathObjection(targetPath);
    if (objection !== undefined) fail(objection, undefined, "path-escape");
    const children = this.root.table!.childrenOffset;
    if (distance <= 0n || distance > BigInt(link.offset - children)) {
      fail(`${distance} bytes before it there is no entry`);
    }
    let target: PxarChild;
    try {
      target = this.#entries.decoded(link.offset - Number(distance), link.offset, 0);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return fail(error.message, error);
    }
    if (target.entry.kind !== "file") return fail(`its target is a ${target.entry.kind}`);
    if (targetPath.slice(targetPath.lastIndexOf("/") + 1) !== target.name) {
      fail(`its target is not at "${targetPath}"`);
    }
    return target as PxarNode;
  }

  /**
   * Offsets of the files that hard links refer to. All metadata is read for this; behind damage
   * nothing is found.
   */
  readLinkTargets(): ReadonlySet<number> {
    return readLinkTargets(this.source, this.allocate, this.#name);
  }

  /**
   * The entry whose FILENAME header is at `offset`, or the directory whose table's tail is there.
   * For offsets that {@link PxarNode.offset} and {@link directoryPlace} gave.
   */
  nodeAt(offset: number): PxarNode | undefined {
    if (offset === directoryPlace(this.root)) return this.root;
    const item = this.#random.itemAt(offset);
    if (item === Item.FILENAME) {
      const found = this.#entries.decoded(offset, this.source.size, 0);
      return found.entry.kind === "hardlink" ? undefined : found as PxarNode;
    }
    return this.#random.isTailAt(offset) ? this.#entries.directoryBefore(offset) : undefined;
  }

  /**
   * Reads up to `size` bytes at `offset` of a regular file into `target.bytes` from `start` on.
   *
   * @returns the count, short only at the end of the file
   * @throws {FormatError} `missing-payload`, `bad-payload-ref`, `truncated`
   * @throws {UsageError} when the node is not a file, the bytes do not fit into the target, or the
   *   offset is negative or not an integer
   */
  readContent(
    node: PxarNode,
    offset: number,
    target: NativeBuffer,
    start: number,
    size: number,
  ): number {
    if (node.entry.kind !== "file") throw new UsageError(`Cannot read "${node.name}": no file`);
    const { payload } = node.entry;
    const wanted = Math.min(size, payload.size - offset);
    const isInline = payload.kind === "inline";
    const contentStart = isInline ? payload.offset : this.locatePayload(node);
    if (wanted <= 0) return 0;
    checkRead(target, start, wanted, offset);
    const count = isInline
      ? this.source.readAt(target, start, wanted, contentStart + offset)
      : this.#payload!.read(target, start, wanted, contentStart + offset);
    if (count === wanted) return count;
    return this.#random.input.fail("truncated", `Cannot read "${node.name}": the archive ends`);
  }

  /**
   * Offset of a regular file's first byte, in the payload stream for split archives, else in the
   * archive; its PAYLOAD header was checked.
   *
   * @throws {FormatError} `missing-payload`, `bad-payload-ref`, `truncated`
   */
  locatePayload(node: PxarNode): number {
    if (node.entry.kind !== "file") throw new UsageError(`Cannot read "${node.name}": no file`);
    const { kind, offset, size } = node.entry.payload;
    if (kind === "inline") return offset;
    if (this.#payload === undefined) {
      return this.#random.input.failPayload(`"${node.name}"`, node.offset);
    }
    return this.#payload.locate(offset, size);
  }

  #resolved(found: PxarChild): PxarNode {
    return found.entry.kind === "hardlink"
      ? this.resolveHardlink(found as PxarLinkNode)
      : found as PxarNode;
  }
}

function rethrow(damage: Error): never {
  throw damage;
}

function requireTable(directory: PxarNode): PxarTable {
  if (directory.table !== undefined) return directory.table;
  throw new UsageError(`Cannot list "${directory.name}": it is not a directory`);
}

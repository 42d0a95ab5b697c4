/**
 * Complete verification of an archive.
 *
 * @module
 */

import { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError, LimitError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { atItem, readEntry, readEntryOrHardlink, readName } from "./reading/entry_reader.ts";
import { ItemInput } from "./reading/item_input.ts";
import { PageCache } from "./reading/page_cache.ts";
import { PayloadSource } from "./reading/payload_source.ts";
import { checkDepth, readPrelude, readVersion } from "./reading/prologue.ts";
import { RandomInput } from "./reading/random_input.ts";
import { SourceCursor } from "./reading/source_cursor.ts";
import { SeenDirectory, type SharedHash, tableObjection } from "./reading/table_check.ts";
import {
  PxarAccessor,
  type PxarAccessorOptions,
  type PxarChild,
  type PxarLinkNode,
} from "./accessor.ts";
import type { PxarHardlink, PxarPayload } from "./entry.ts";
import { HEADER_SIZE, Item, itemName } from "./format/item.ts";
import { targetPathObjection } from "./format/name.ts";

/** Bytes asked of the source at once. */
const READ_AHEAD_SIZE = 128 * 1024;

/** Contents are read in pieces of this size. */
const CONTENT_BUFFER_SIZE = 1 << 20;

/** Something wrong with an archive. */
export interface VerifyFinding {
  /** Class of the defect, such as `bad-goodbye`, or `limit`. */
  readonly code: string;
  /** Path of the entry or directory, `/a/b`; undefined where none is known. */
  readonly path: string | undefined;
  /** Offset in the metadata stream, or in the payload stream for defects of that. */
  readonly offset: number | undefined;
  /** What was expected and what was found, for people. */
  readonly message: string;
}

/**
 * Walks the whole archive and returns what is wrong with it; nothing for a healthy one. Every item,
 * table, hard link and payload header is checked, every content is read. Damage behind which the
 * next item cannot be found is the last finding.
 *
 * @throws {OsError} when a source cannot be read
 */
export function verifyArchive(
  source: ByteSource,
  options: PxarAccessorOptions = {},
): Iterable<VerifyFinding> {
  return new Verification(source, options).run();
}

class Verification {
  readonly #source: ByteSource;
  readonly #options: PxarAccessorOptions;
  readonly #input: ItemInput;
  readonly #random: RandomInput;
  readonly #buffer: NativeBuffer;
  readonly #open: SeenDirectory[] = [];
  readonly #findings: VerifyFinding[] = [];
  #payload: PayloadSource | undefined;
  /** Where the contents seen so far end in the payload stream. */
  #payloadEnd = HEADER_SIZE;
  #isPayloadDamaged = false;
  #isVersioned = false;
  #path: string | undefined;
  /** Undefined until it is first needed, false when the archive cannot be opened. */
  #accessor: PxarAccessor | false | undefined;
  readonly #readNext = (): boolean => this.#next();

  constructor(source: ByteSource, options: PxarAccessorOptions) {
    const allocate = options.allocate ?? plainBuffer;
    this.#source = source;
    this.#options = options;
    const cursor = new SourceCursor(source, allocate);
    this.#input = new ItemInput(
      {
        read: (target, start, size) => cursor.read(target.subarray(start, start + size)),
        skip: (size) => cursor.skip(size),
      },
      READ_AHEAD_SIZE,
      options.name,
    );
    this.#random = new RandomInput(new PageCache(source, allocate), options.name);
    this.#buffer = allocate(CONTENT_BUFFER_SIZE);
  }

  *run(): Generator<VerifyFinding> {
    let isMore = true;
    while (isMore) {
      try {
        isMore = this.#open.length === 0 ? this.#begin() : atItem(this.#input, this.#readNext);
      } catch (error) {
        this.#note(error);
        isMore = false;
      }
      while (this.#findings.length > 0) yield this.#findings.shift()!;
    }
  }

  /** Notes a failure of the archive; others are thrown again. */
  #note(error: unknown): void {
    if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
    const offset = error instanceof FormatError ? error.offset : undefined;
    this.#add(error.code, offset, error.message);
  }

  #add(code: string, offset: number | undefined, message: string, path = this.#path): void {
    this.#findings.push({ code, path, offset, message });
  }

  #begin(): boolean {
    return atItem(this.#input, (input) => {
      input.header();
      this.#isVersioned = input.item === Item.FORMAT_VERSION;
      if (this.#isVersioned) {
        const version = readVersion(input);
        if (version === 2) this.#openPayload();
        input.header();
        if (version === 2 && input.item === Item.PRELUDE) {
          readPrelude(input);
          input.header();
        }
      }
      const offset = input.itemOffset;
      const entry = readEntry(input, false);
      if (entry.kind !== "directory") {
        input.fail("unexpected-item", "Cannot read archive: its root is no directory", offset);
      }
      this.#path = "/";
      this.#open.push(new SeenDirectory("/", offset, offset));
      return true;
    });
  }

  #openPayload(): void {
    const { payload, allocate = plainBuffer, name } = this.#options;
    if (payload === undefined) return;
    try {
      this.#payload = new PayloadSource(payload, allocate, name);
    } catch (error) {
      this.#note(error);
      this.#isPayloadDamaged = true;
    }
  }

  /** Checks the next child, or the end of the directory. @returns whether there is more */
  #next(): boolean {
    const input = this.#input;
    input.header();
    if (input.item === Item.GOODBYE) return this.#finishDirectory();
    const directory = this.#open.at(-1)!;
    this.#path = directory.path;
    if (input.item !== Item.FILENAME) {
      input.fail("unexpected-item", `Cannot read directory: ${itemName(input.item)} inside`);
    }
    const start = input.itemOffset;
    const name = readName(input);
    const path = directory.path === "/" ? `/${name}` : `${directory.path}/${name}`;
    this.#path = path;
    const entryOffset = input.position;
    const entry = readEntryOrHardlink(input, false);
    checkDepth(input, this.#open.length, path, start);
    if (entry.kind === "directory") {
      this.#open.push(new SeenDirectory(path, start, entryOffset));
      return true;
    }
    let payloadSize = 0;
    if (entry.kind === "hardlink") this.#checkHardlink(name, start, entry);
    if (entry.kind === "file") {
      if (entry.payload.kind === "reference") payloadSize = entry.payload.size;
      this.#checkContent(entry.payload);
    }
    directory.add(name, entry.kind, start, input.position, payloadSize);
    return true;
  }

  #finishDirectory(): boolean {
    const input = this.#input;
    const { itemOffset: offset, contentSize } = input;
    const directory = this.#open.pop()!;
    const { path } = directory;
    this.#path = path;
    if (input.skip(contentSize) < contentSize) input.failEnd(contentSize);
    const isRoot = this.#open.length === 0;
    // In version 2 the reference lets the root's tail refer to the beginning of the stream.
    const targets = isRoot && this.#isVersioned
      ? [0, directory.entryOffset]
      : [directory.entryOffset];
    this.#checkNames(directory);
    const objection = tableObjection(
      this.#random,
      directory,
      offset,
      contentSize,
      targets,
      this.#open,
    );
    if (objection !== undefined) {
      this.#add(objection.code, offset, `Cannot read goodbye table: ${objection.message}`);
    }
    if (isRoot) {
      this.#finish();
      return false;
    }
    const name = path.slice(path.lastIndexOf("/") + 1);
    this.#open.at(-1)!.add(name, "directory", directory.start, input.position, 0);
    return true;
  }

  #finish(): void {
    const { position } = this.#input;
    if (position < this.#source.size) {
      const message = `Cannot open archive: ${this.#source.size - position} bytes behind its end`;
      this.#add("bad-goodbye", position, message);
    }
    if (this.#payload === undefined || this.#isPayloadDamaged || this.#payload.hasTail()) return;
    const offset = Math.max(0, this.#options.payload!.size - HEADER_SIZE);
    this.#add("missing-tail", offset, "Payload stream without tail marker", undefined);
  }

  /** Looks for names that are in a directory twice. */
  #checkNames(directory: SeenDirectory): void {
    for (const [first, second] of directory.sharedHashes()) {
      const name = this.#nameAt(first);
      if (name !== this.#nameAt(second)) continue;
      // Who extracts them one after the other writes through the link.
      const isTrap = first.kind === "symlink" && second.kind === "directory";
      const code = isTrap ? "path-escape" : "duplicate-name";
      this.#add(code, second.start, `The name ${JSON.stringify(name)} is there twice`);
    }
  }

  #nameAt({ start }: SharedHash): string {
    const input = this.#random.goTo(start, this.#source.size);
    input.header();
    return readName(input);
  }

  #checkHardlink(name: string, offset: number, entry: PxarHardlink): void {
    const objection = targetPathObjection(entry.targetPath);
    if (objection !== undefined) {
      const target = JSON.stringify(entry.targetPath);
      this.#add("path-escape", offset, `Hard link to ${target}: ${objection}`);
      return;
    }
    const accessor = this.#openAccessor();
    if (accessor === undefined) return;
    try {
      const end = this.#input.position;
      const link: PxarLinkNode = { name, offset, end, entry, table: undefined };
      const target = accessor.resolveHardlink(link);
      const found = accessor.lookupChild(entry.targetPath) ?? searched(accessor, entry.targetPath);
      if (found?.offset === target.offset) return;
      this.#add("bad-hardlink", offset, `Hard link "${name}": its target is somewhere else`);
    } catch (error) {
      // Wrong tables on the way to the target are findings of their own.
      if (!(error instanceof FormatError) || error.code === "bad-hardlink") this.#note(error);
    }
  }

  /** For hard links only: where the tables are wrong, that is reported anyway. */
  #openAccessor(): PxarAccessor | undefined {
    if (this.#accessor === undefined) {
      const { payload: _payload, ...options } = this.#options;
      try {
        this.#accessor = PxarAccessor.open(this.#source, options);
      } catch (error) {
        if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
        this.#accessor = false;
      }
    }
    return this.#accessor === false ? undefined : this.#accessor;
  }

  #checkContent(payload: PxarPayload): void {
    if (payload.kind === "reference") this.#checkReference(payload);
    else this.#readInline(payload);
  }

  #readInline({ offset, size }: PxarPayload): void {
    const input = this.#input;
    if (offset + size > this.#source.size) input.failEnd(size);
    this.#readAll(this.#source, offset, size);
    input.skip(size);
  }

  #checkReference({ offset, size }: PxarPayload): void {
    if (this.#payload === undefined) {
      if (this.#isPayloadDamaged) return;
      this.#isPayloadDamaged = true;
      this.#add("missing-payload", offset, "Payload stream not there: contents are not checked");
      return;
    }
    if (offset < this.#payloadEnd) {
      const message = `Payload at ${offset}, smaller than already consumed ${this.#payloadEnd}`;
      this.#add("out-of-order-ref", offset, message);
    }
    try {
      const start = this.#payload.locate(offset, size);
      this.#payloadEnd = Math.max(this.#payloadEnd, start + size);
      this.#readAll(this.#options.payload!, start, size);
    } catch (error) {
      this.#note(error);
      this.#isPayloadDamaged = true;
    }
  }

  #readAll(source: ByteSource, offset: number, size: number): void {
    for (let done = 0; done < size; done += CONTENT_BUFFER_SIZE) {
      const wanted = Math.min(CONTENT_BUFFER_SIZE, size - done);
      if (source.readAt(this.#buffer, 0, wanted, offset + done) < wanted) {
        this.#input.fail("truncated", "Cannot read file: the archive ends", offset + done);
      }
    }
  }
}

/**
 * The entry at a path, found without the hashes of the tables: a wrong one must not make a hard
 * link look wrong.
 *
 * @throws {FormatError} for a wrong table on the way
 */
function searched(accessor: PxarAccessor, path: string): PxarChild | undefined {
  let found: PxarChild | undefined = accessor.root;
  for (const name of path.split("/")) {
    if (found?.table === undefined) return undefined;
    const children: Iterable<PxarChild> = accessor.readDirectory(found);
    found = undefined;
    for (const child of children) if (child.name === name) found = child;
  }
  return found;
}

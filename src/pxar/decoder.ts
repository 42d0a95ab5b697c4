/**
 * Reads archives in order, over a pipe.
 *
 * @module
 */

import type { SequentialSource } from "#src/io/streams.ts";
import { atItem, readEntry, readEntryOrHardlink, readName } from "./reading/entry_reader.ts";
import { type ItemFeed, ItemInput } from "./reading/item_input.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { PayloadStream } from "./reading/payload_stream.ts";
import { checkDepth, readPrelude, readVersion } from "./reading/prologue.ts";
import type { PxarEntry, PxarHardlink, PxarPayload } from "./entry.ts";
import { Item, itemName } from "./format/item.ts";

/** Bytes asked of the source at once. */
const READ_AHEAD_SIZE = 128 * 1024;

/** How an archive is read. */
export interface PxarDecoderOptions {
  /** Payload stream of a split archive. Without it contents cannot be read. */
  readonly payload?: SequentialSource | undefined;
  /** Name of the archive for messages. */
  readonly name?: string | undefined;
}

/** The archive says its version; not there in archives of version 1. */
export interface PxarVersionEvent {
  /** Tells this event from others. */
  readonly type: "version";
  /** 2 for what is written with a payload stream. */
  readonly version: 1 | 2;
}

/** The archive has a prelude. */
export interface PxarPreludeEvent {
  /** Tells this event from others. */
  readonly type: "prelude";
  /** Up to 4 MiB that mean nothing to the format: clients keep their patterns in it. */
  readonly bytes: Uint8Array;
}

/** An entry begins. The children of a directory follow until its {@link PxarLeaveEvent}. */
export interface PxarEntryEvent {
  /** Tells this event from others. */
  readonly type: "entry";
  /** `/` for the root, else `/a/b`. */
  readonly path: string;
  /** Last part of the path; empty for the root. */
  readonly name: string;
  /** 0 for the root. */
  readonly depth: number;
  /** What it is, with its metadata; a file's content can be read until the next event. */
  readonly entry: PxarEntry | PxarHardlink;
  /** Offset of the FILENAME header (of the ENTRY header for the root) in the metadata stream. */
  readonly offset: number;
}

/** A directory ends. */
export interface PxarLeaveEvent {
  /** Tells this event from others. */
  readonly type: "leave";
  /** The directory that ends, `/` for the root. */
  readonly path: string;
}

/** What {@link PxarDecoder.next} returns. */
export type PxarEvent = PxarVersionEvent | PxarPreludeEvent | PxarEntryEvent | PxarLeaveEvent;

/**
 * Decodes one archive in order. What an entry says is checked (sizes, names, types); the goodbye
 * tables and the targets of hard links are not: that takes random access. Memory in use is that of
 * one entry and of the names of the open directories.
 */
export class PxarDecoder {
  readonly #input: ItemInput;
  readonly #payload: PayloadStream | undefined;
  /** Paths of the open directories. */
  readonly #paths: string[] = [];
  #state: "start" | "versioned" | "root" | "inside" | "end" = "start";
  #payloadOf: PxarPayload | undefined;
  /** Bytes of the content that were not read yet. */
  #left = 0;
  /** What {@link next} failed with: there is no way to go on behind it but {@link resume}. */
  #failure: unknown;
  /** Where the item begins that {@link next} reads. */
  #nextOffset = 0;
  #childPath: string | undefined;
  readonly #source: SequentialSource;
  #markerDamage: Error | undefined;
  readonly #readNext = (): PxarEvent | undefined => this.#next();

  /** Nothing is read before the first {@link next}. */
  constructor(source: SequentialSource, options: PxarDecoderOptions = {}) {
    this.#source = source;
    this.#input = new ItemInput(feedOf(source), READ_AHEAD_SIZE, options.name);
    if (options.payload !== undefined) {
      const { payload, name } = options;
      this.#payload = new PayloadStream(feedOf(payload), name, payload.goTo?.bind(payload));
    }
  }

  /**
   * The next event, or undefined after the root directory has ended. Passes over a content not
   * read.
   *
   * @throws {FormatError} with the class of the defect as `code`
   * @throws {LimitError} when an entry has too much metadata
   */
  next(): PxarEvent | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.skipContent();
      this.#nextOffset = this.#input.position;
      this.#childPath = undefined;
      return atItem(this.#input, this.#readNext);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** Offset of what {@link next} has read, or failed to read. */
  get itemOffset(): number {
    return this.#nextOffset;
  }

  /** Path of the entry that {@link next} failed to read, if it got as far as the name. */
  get failedPath(): string | undefined {
    return this.#failure === undefined ? undefined : this.#childPath;
  }

  /** Why the start marker of the payload stream could not be read, which is no reason to stop. */
  get markerDamage(): Error | undefined {
    return this.#markerDamage;
  }

  /**
   * Goes on at the entry at `offset`, which is in the directory that `depth - 1` directories are
   * around; the deeper ones have ended. Needs a source that can go to any place.
   *
   * @param depth 0 ends the archive
   */
  resume(offset: number, depth: number): void {
    if (depth > 0) this.#source.goTo!(offset);
    this.#input.restart(offset);
    this.#failure = this.#payloadOf = undefined;
    this.#left = 0;
    if (this.#paths.length === 0) this.#paths.push("/");
    this.#paths.length = depth;
    this.#state = depth === 0 ? "end" : "inside";
  }

  /**
   * Reads from the content of the regular file returned last.
   *
   * @returns the count, 0 at the end
   * @throws {FormatError} `truncated`; in split archives also `missing-payload`, `bad-payload-ref`,
   *   `out-of-order-ref`
   */
  readContent(target: Uint8Array): number {
    const payload = this.#payloadOf;
    if (payload === undefined) return 0;
    if (payload.kind === "reference") return this.#readReferenced(payload, target);
    if (this.#left === 0 || target.length === 0) return 0;
    const part = this.#left < target.length ? target.subarray(0, this.#left) : target;
    const count = this.#input.read(part);
    if (count === 0) this.#input.failEnd(payload.size);
    this.#left -= count;
    return count;
  }

  /** Passes over what is left of the content. */
  skipContent(): void {
    const payload = this.#payloadOf;
    this.#payloadOf = undefined;
    if (payload?.kind !== "inline" || this.#left === 0) return;
    const left = this.#left;
    this.#left = 0;
    if (this.#input.skip(left) < left) this.#input.failEnd(payload.size);
  }

  #next(): PxarEvent | undefined {
    switch (this.#state) {
      case "start":
        return this.#readStart();
      case "versioned":
        return this.#readAfterVersion();
      case "root":
        this.#input.header();
        return this.#readRoot();
      case "inside":
        return this.#readChild();
      case "end":
        return undefined;
    }
  }

  #readStart(): PxarEvent {
    this.#input.header();
    if (this.#input.item !== Item.FORMAT_VERSION) return this.#readRoot();
    const version = readVersion(this.#input);
    if (version === 2) this.#checkPayloadStart();
    this.#state = version === 2 ? "versioned" : "root";
    return { type: "version", version };
  }

  #checkPayloadStart(): void {
    try {
      this.#payload?.checkStart();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#markerDamage = error;
    }
  }

  #readAfterVersion(): PxarEvent {
    this.#input.header();
    this.#state = "root";
    if (this.#input.item !== Item.PRELUDE) return this.#readRoot();
    return { type: "prelude", bytes: readPrelude(this.#input) };
  }

  #readRoot(): PxarEvent {
    const offset = this.#input.itemOffset;
    const entry = readEntry(this.#input, false);
    if (entry.kind !== "directory") {
      this.#input.fail("unexpected-item", "Cannot read archive: its root is no directory", offset);
    }
    this.#state = "inside";
    this.#paths.push("/");
    return { type: "entry", path: "/", name: "", depth: 0, entry, offset };
  }

  #readChild(): PxarEvent {
    const input = this.#input;
    input.header();
    if (input.item === Item.GOODBYE) return this.#readGoodbye();
    if (input.item !== Item.FILENAME) {
      input.fail("unexpected-item", `Cannot read directory: ${itemName(input.item)} inside`);
    }
    const offset = input.itemOffset;
    const name = readName(input);
    const depth = this.#paths.length;
    const parent = this.#paths[depth - 1]!;
    const path = this.#childPath = depth === 1 ? `/${name}` : `${parent}/${name}`;
    const entry = readEntryOrHardlink(input, false);
    checkDepth(input, depth, path, offset);
    if (entry.kind === "directory") this.#paths.push(path);
    if (entry.kind === "file") {
      this.#payloadOf = entry.payload;
      this.#left = entry.payload.size;
    }
    return { type: "entry", path, name, depth, entry, offset };
  }

  #readGoodbye(): PxarEvent {
    const size = this.#input.contentSize;
    if (this.#input.skip(size) < size) this.#input.failEnd(size);
    const path = this.#paths.pop()!;
    if (this.#paths.length === 0) this.#state = "end";
    return { type: "leave", path };
  }

  #readReferenced(reference: PxarPayload, target: Uint8Array): number {
    if (this.#payload === undefined) this.#input.failPayload("file");
    if (target.length === 0) return 0;
    if (this.#left === reference.size) this.#payload.open(reference.offset, reference.size);
    const count = this.#payload.read(target, this.#left);
    this.#left -= count;
    if (count === 0) this.#payloadOf = undefined;
    return count;
  }
}

function feedOf(source: SequentialSource): ItemFeed {
  return {
    read: (target, start, size) => source.read(target.subarray(start, start + size)),
    skip: (size) => source.skip(size),
  };
}

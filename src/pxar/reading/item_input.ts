/**
 * A window over a metadata stream that moves forward, from which items are taken. Sequential and
 * random readers differ only in how it is filled.
 *
 * @module
 */

import { FormatError, type Place } from "#src/errors.ts";
import { isDamage } from "#src/io/sound_read.ts";
import {
  decodeContentSize,
  decodeItem,
  HEADER_SIZE,
  isContentSize,
  Item,
  itemName,
} from "../format/item.ts";
import { GOODBYE_ITEM_SIZE } from "../format/goodbye.ts";
import { CONTENT_SIZE_PLAUSIBLE_MAX } from "../format/limits.ts";

/** A content up to this size is passed over to tell a wrong size from a stream that ends. */
const PASSED_SIZE_MAX = 16 << 20;

/** Up to this it is cheaper to read on than to jump. */
const READ_THROUGH_SIZE_MAX = 16 * 1024;

/** Bytes asked for behind a jump. */
const AHEAD_SIZE_MIN = 8 * 1024;

/** How {@link ItemInput} gets its bytes. */
export interface ItemFeed {
  /**
   * Reads up to `size` bytes at `offset` of the stream into `target` from `start` on. @returns 0 at
   * the end
   */
  read(target: Uint8Array, start: number, size: number, offset: number): number;
  /** Passes over bytes that are not in the window. @returns how many, fewer only at the end */
  skip(size: number, offset: number): number;
}

/** The window. After {@link header}, `start` is at the content of that item. */
export class ItemInput {
  /** The window: bytes from {@link start} on are ahead. */
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView;
  start = 0;
  /** Type and content size of the item of the last {@link header}. */
  item: Item = Item.UNKNOWN;
  contentSize = 0;
  /** Offset of that item's header. */
  itemOffset = 0;
  #end = 0;
  /** Offset in the stream of the window's first byte ahead. */
  #position = 0;
  /**
   * Bytes asked for when more are needed: few behind a jump, more and more where the stream is read
   * in full.
   */
  #aheadSize: number;
  readonly #aheadSizeMax: number;
  readonly #feed: ItemFeed;
  readonly #name: string | undefined;

  /**
   * Makes an empty window that asks for up to `aheadSizeMax` bytes at once; `name` is for messages.
   */
  constructor(feed: ItemFeed, aheadSizeMax: number, name: string | undefined) {
    this.#feed = feed;
    this.#aheadSize = this.#aheadSizeMax = aheadSizeMax;
    this.#name = name;
    this.bytes = new Uint8Array(2 * aheadSizeMax);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Offset in the stream of the next byte. */
  get position(): number {
    return this.#position;
  }

  /** Number of bytes that are in the window already. */
  get available(): number {
    return this.#end - this.start;
  }

  /** Takes the last {@link header} back; nothing else must have been read behind it. */
  unreadHeader(): void {
    this.start -= HEADER_SIZE;
    this.#position -= HEADER_SIZE;
  }

  /** Moves to another offset of a stream that may have become another one. */
  restart(offset: number): void {
    this.start = this.#end = 0;
    this.#position = offset;
  }

  /** Brings `size` bytes into the window. @returns false when the stream ends before */
  ensure(size: number): boolean {
    while (this.available < size) {
      if (!this.#fill(size)) return false;
    }
    return true;
  }

  /** Leaves `size` bytes behind. They must be in the window. */
  consume(size: number): void {
    this.start += size;
    this.#position += size;
  }

  /** Passes over `size` bytes. @returns how many there were; fewer only at the end */
  skip(size: number): number {
    const inside = Math.min(size, this.available);
    this.consume(inside);
    if (inside === size) return size;
    const outside = size - inside;
    const through = outside <= READ_THROUGH_SIZE_MAX ? this.#readThrough(outside) : 0;
    if (through === outside) return size;
    const skipped = this.#feed.skip(outside - through, this.#position);
    this.restart(this.#position + skipped);
    this.#aheadSize = Math.min(AHEAD_SIZE_MIN, this.#aheadSizeMax);
    return inside + through + skipped;
  }

  /** Reads bytes of a content, from the window first. @returns the count, 0 at the end */
  read(target: Uint8Array): number {
    if (target.length === 0) return 0;
    if (this.available > 0) {
      const count = Math.min(target.length, this.available);
      target.set(this.bytes.subarray(this.start, this.start + count));
      this.consume(count);
      return count;
    }
    this.start = this.#end = 0;
    const count = this.#feed.read(target, 0, target.length, this.#position);
    this.#position += count;
    return count;
  }

  /**
   * Takes the header of the next item; its content is what {@link consume} or {@link skip} is for.
   *
   * @throws {FormatError} `truncated`, `bad-size` when that type cannot have that size, `bad-name`
   *   for a long name
   */
  header(): void {
    if (!this.ensure(HEADER_SIZE)) {
      this.fail("truncated", "Cannot read item: the stream ends", this.#position);
    }
    this.itemOffset = this.#position;
    this.item = decodeItem(this.view, this.start);
    this.contentSize = decodeContentSize(this.view, this.start);
    this.consume(HEADER_SIZE);
    // What is unknown has no place anywhere: that is what its reader says, whatever its size.
    if (this.item === Item.UNKNOWN) return;
    const isSize = Number.isSafeInteger(this.contentSize) &&
      isContentSize(this.item, this.contentSize);
    if (!isSize) this.#failHeader();
  }

  /** Brings the content of the item into the window. @throws {FormatError} `truncated` */
  content(): void {
    if (!this.ensure(this.contentSize)) this.failEnd(this.contentSize);
  }

  /** Fails because a content of `size` bytes runs past the end. */
  failEnd(size: number): never {
    const isTable = this.item === Item.GOODBYE && size % GOODBYE_ITEM_SIZE === 0;
    const isPossible = size <= CONTENT_SIZE_PLAUSIBLE_MAX &&
      (isTable || this.item !== Item.GOODBYE);
    const code = isPossible ? "truncated" : "bad-size";
    this.fail(code, `Cannot read ${itemName(this.item)} of ${size} bytes: the stream ends`);
  }

  /** Where the item of the last header is. */
  get place(): Place {
    return { path: this.#name, offset: this.itemOffset };
  }

  /** Fails at the item of the last header, or at `offset`. */
  fail(code: string, message: string, offset = this.itemOffset): never {
    throw new FormatError(message, {
      code,
      offset,
      path: this.#name,
    });
  }

  /** Fails because `what` is in a payload stream that was not given. */
  failPayload(what: string, offset = this.itemOffset): never {
    throw new FormatError(`Cannot read ${what}: the payload stream is not there`, {
      code: "missing-payload",
      offset,
      hint:
        "It is beside NAME.mpxar as NAME.ppxar, behind a # in the name of a source, or has to be " +
        "given",
      option: "payload",
      path: this.#name,
    });
  }

  /**
   * Fails because a content of the item's size is not accepted: `code` when it is there in full.
   */
  failSize(code: string): never {
    const size = this.contentSize;
    if (size > PASSED_SIZE_MAX || this.skip(size) < size) this.failEnd(size);
    this.fail(code, `Cannot read ${itemName(this.item)}: content of ${size} bytes`);
  }

  #failHeader(): never {
    const size = this.contentSize;
    if (size > 0 && this.item === Item.FORMAT_VERSION) this.failSize("bad-version");
    const isLongName = size > 0 && size <= PASSED_SIZE_MAX && this.item === Item.FILENAME;
    const isThere = isLongName && this.skip(size) === size;
    const message = `Cannot read ${itemName(this.item)}: content of ${size} bytes`;
    this.fail(isThere ? "bad-name" : "bad-size", message);
  }

  #readThrough(size: number): number {
    let done = 0;
    while (done < size && this.#hasMore()) {
      const count = Math.min(size - done, this.available);
      this.consume(count);
      done += count;
    }
    return done;
  }

  /** Bytes to be passed over may be damaged. @returns whether there are any in the window */
  #hasMore(): boolean {
    try {
      return this.ensure(1);
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  }

  #fill(size: number): boolean {
    if (this.start > 0 && this.start + size > this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.#end);
      this.#end -= this.start;
      this.start = 0;
    }
    if (this.#end === this.bytes.length) this.#grow();
    const room = Math.min(
      this.bytes.length - this.#end,
      Math.max(this.#aheadSize, size - this.available),
    );
    this.#aheadSize = Math.min(2 * this.#aheadSize, this.#aheadSizeMax);
    const offset = this.#position + this.available;
    const count = this.#feed.read(this.bytes, this.#end, room, offset);
    this.#end += count;
    return count > 0;
  }

  /** Doubles the window: it follows what has arrived, not what an item declares. */
  #grow(): void {
    const larger = new Uint8Array(2 * this.bytes.length);
    larger.set(this.bytes);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

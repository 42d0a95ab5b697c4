/**
 * The payload stream of a split archive, read in order.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { type ItemFeed, ItemInput } from "./item_input.ts";
import { decodeContentSize, decodeItem, HEADER_SIZE, Item } from "../format/item.ts";

/** Bytes asked of the source at once. */
const READ_AHEAD_SIZE = 128 * 1024;

/** Finds the contents that PAYLOAD_REF items speak of, forwards only. */
export class PayloadStream {
  readonly #input: ItemInput;
  readonly #goTo: ((offset: number) => void) | undefined;

  /** `goTo` is there where the stream can go to any place; `name` is for messages. */
  constructor(feed: ItemFeed, name: string | undefined, goTo?: (offset: number) => void) {
    this.#input = new ItemInput(feed, READ_AHEAD_SIZE, name);
    this.#goTo = goTo;
  }

  /** Takes the start marker. @throws {FormatError} `truncated`, `bad-payload-stream` */
  checkStart(): void {
    const input = this.#input;
    if (!input.ensure(HEADER_SIZE)) {
      input.fail("truncated", "Cannot read payload stream: no start marker", 0);
    }
    const item = decodeItem(input.view, input.start);
    if (item !== Item.PAYLOAD_START_MARKER || decodeContentSize(input.view, input.start) !== 0) {
      input.fail("bad-payload-stream", "Cannot read payload stream: no start marker", 0);
    }
    input.consume(HEADER_SIZE);
  }

  /**
   * Goes to the content of `size` bytes whose PAYLOAD header is at `offset`. After a reference that
   * is wrong the next one can be followed, where the stream can go to any place.
   *
   * @throws {FormatError} `out-of-order-ref`, `bad-payload-ref`, `truncated`
   */
  open(offset: number, size: number): void {
    const { position } = this.#input;
    try {
      this.#open(offset, size);
    } catch (error) {
      if (error instanceof FormatError && this.#goTo !== undefined) {
        // Of references that are not in order it is the one before that led too far.
        const place = Math.min(offset, position);
        this.#goTo(place);
        this.#input.restart(place);
      }
      throw error;
    }
  }

  #open(offset: number, size: number): void {
    const input = this.#input;
    const distance = offset - input.position;
    if (distance < 0) {
      input.fail(
        "out-of-order-ref",
        `Cannot read file: unexpected offset ${offset}, smaller than already consumed payload ${input.position}`,
        offset,
      );
    }
    // The last bytes are not passed over, so that at the end of the stream the error can say why
    // there is no more.
    const skipped = Math.max(0, distance - HEADER_SIZE);
    if (input.skip(skipped) < skipped) this.#failReference(offset, size);
    const left = distance - skipped;
    if (!this.#ensureBehind(left)) this.#failEnd(offset, size);
    input.consume(offset - input.position);
    const { view, start } = input;
    const isHeader = decodeItem(view, start) === Item.PAYLOAD &&
      decodeContentSize(view, start) === size;
    if (!isHeader) this.#failReference(offset, size);
    input.consume(HEADER_SIZE);
  }

  /** Brings a header behind `left` bytes into the window, and these too unless they are damaged. */
  #ensureBehind(left: number): boolean {
    const input = this.#input;
    try {
      return input.ensure(left + HEADER_SIZE);
    } catch (error) {
      if (left === 0 || !isDamage(error)) throw error;
      return input.skip(left) === left && input.ensure(HEADER_SIZE);
    }
  }

  /** Reads from the content of which `left` bytes are left. @returns the count, 0 at the end */
  read(target: Uint8Array, left: number): number {
    if (left === 0 || target.length === 0) return 0;
    const count = this.#input.read(left < target.length ? target.subarray(0, left) : target);
    if (count === 0) {
      this.#input.fail(
        "truncated",
        "Cannot read file: the payload stream ends",
        this.#input.position,
      );
    }
    return count;
  }

  #failReference(offset: number, size: number): never {
    this.#input.fail("bad-payload-ref", `Cannot read file: no payload of ${size} bytes`, offset);
  }

  /** A stream with its tail marker is complete: then the reference is wrong. */
  #failEnd(offset: number, size: number): never {
    const input: ItemInput = this.#input;
    const tail = input.available - HEADER_SIZE;
    const isComplete = tail >= 0 &&
      decodeItem(input.view, input.start + tail) === Item.PAYLOAD_TAIL_MARKER;
    if (isComplete) this.#failReference(offset, size);
    input.fail("truncated", "Cannot read file: the payload stream ends", offset);
  }
}

/**
 * What all bodies that come in parts do alike, whichever version of HTTP carries them.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";
import type { IncomingBody } from "./http.ts";

/** A body no longer than that, as any chunk is, is read into one piece of memory from the start. */
const EAGER_SIZE = 17 * 1024 * 1024;

/** A body of which only the reading of the next part is left to be written. */
export abstract class PartedBody implements IncomingBody {
  /** See {@link IncomingBody.length}. */
  abstract readonly length: number | undefined;
  /** See {@link IncomingBody.read}. */
  abstract read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** See {@link IncomingBody.discard}. */
  abstract discard(): void;

  /** See {@link IncomingBody.bytes}. */
  async bytes(sizeMax: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.length !== undefined) {
      this.throwIfAbove(this.length, sizeMax);
      // The length is the peer's word; the kernel gives memory only for what is there.
      if (this.length <= EAGER_SIZE) {
        const whole = new Uint8Array(this.length);
        return whole.subarray(0, await this.readInto(whole));
      }
    }
    const parts: Uint8Array[] = [];
    let size = 0;
    for (let part = await this.read(); part !== undefined; part = await this.read()) {
      size += part.length;
      this.throwIfAbove(size, sizeMax);
      parts.push(part);
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /** See {@link IncomingBody.readInto}. */
  async readInto(target: Uint8Array): Promise<number> {
    if (this.length !== undefined) this.throwIfAbove(this.length, target.length);
    let size = 0;
    for (let part = await this.read(); part !== undefined; part = await this.read()) {
      this.throwIfAbove(size + part.length, target.length);
      target.set(part, size);
      size += part.length;
    }
    return size;
  }

  /** Nobody wants the rest of a body that is too large. @throws {LimitError} */
  protected throwIfAbove(size: number, sizeMax: number): void {
    if (size <= sizeMax) return;
    this.discard();
    throw new LimitError(`A body of ${size} bytes or more exceeds the limit of ${sizeMax}`);
  }
}

/**
 * Answers through libfuse, for requests that it dispatched.
 *
 * @module
 */

import type { Libfuse3 } from "./load.ts";

/** Sends answers to requests; each request gets exactly one. */
export class Replies {
  readonly #symbols: Libfuse3["symbols"];

  constructor(library: Libfuse3) {
    this.#symbols = library.symbols;
  }

  /**
   * Sends `size` bytes at `address` in the kernel's layout behind the answer header. It serves
   * every kind of request.
   *
   * @returns 0, or the negative errno of the write; then the kernel does not know of the answer
   */
  bytes(request: Deno.PointerValue, address: bigint, size: number): number {
    return this.#symbols.fuse_reply_buf(request, address, BigInt(size));
  }

  /**
   * Sends an error, or success without a body for 0. `errno` is positive. @returns as {@link bytes}
   */
  error(request: Deno.PointerValue, errno: number): number {
    return this.#symbols.fuse_reply_err(request, errno);
  }

  /** Ends a request that gets no answer (FORGET). */
  none(request: Deno.PointerValue): void {
    this.#symbols.fuse_reply_none(request);
  }
}

/**
 * A byte buffer that JavaScript and system calls both see.
 *
 * @module
 */

/**
 * Bytes, and the address at which C finds them. `address` is 0n where FFI is not allowed; then only
 * `bytes` may be used. Hot paths pass a buffer with a start and a size instead of making views.
 */
export interface NativeBuffer {
  /** The whole buffer; it never moves or grows. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Address of the first byte. */
  readonly address: bigint;
}

/** A buffer for code that runs without FFI. */
export function plainBuffer(size: number): NativeBuffer {
  return { bytes: new Uint8Array(size), address: 0n };
}

/**
 * The request that a worker is working on: one buffer, reused for all requests.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { CreateIn, InHeader, MkdirIn, MknodIn, Opcode } from "#ffi/libfuse3/kernel.ts";
import { TRANSFER_SIZE_MAX } from "#ffi/libfuse3/init.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { Caller } from "#src/tree/file_system.ts";
import { NameDecoder } from "./name_decoder.ts";

/** Room for the headers of a WRITE beside its data. */
const HEADER_ROOM = 8192;

const TWO_POW_32 = 0x1_0000_0000;

/** Reads the fields of a request. Offsets count from its first byte. */
export class Request implements Caller {
  readonly buffer: NativeBuffer = allocateNativeBuffer(TRANSFER_SIZE_MAX + HEADER_ROOM);
  readonly capacity: bigint = BigInt(TRANSFER_SIZE_MAX + HEADER_ROOM);
  /** Length of the present request in bytes. */
  size = 0;

  readonly #bytes = this.buffer.bytes;
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #names = new NameDecoder();

  get opcode(): number {
    return this.#view.getUint32(InHeader.OPCODE, true);
  }

  get nodeId(): number {
    return this.uint64(InHeader.NODEID);
  }

  get uid(): number {
    return this.#view.getUint32(InHeader.UID, true);
  }

  get gid(): number {
    return this.#view.getUint32(InHeader.GID, true);
  }

  /** The thread that asks, as the mount's PID namespace knows it; 0: one of another, or none. */
  get requester(): number {
    return this.#view.getUint32(InHeader.PID, true);
  }

  get umask(): number {
    const body = InHeader.SIZE;
    switch (this.opcode) {
      case Opcode.CREATE:
        return this.uint32(body + CreateIn.UMASK);
      case Opcode.MKDIR:
        return this.uint32(body + MkdirIn.UMASK);
      case Opcode.MKNOD:
        return this.uint32(body + MknodIn.UMASK);
      default:
        return 0;
    }
  }

  /** Half of the id that the answer must carry. */
  get uniqueLow(): number {
    return this.#view.getUint32(InHeader.UNIQUE, true);
  }

  /** The other half of the id. */
  get uniqueHigh(): number {
    return this.#view.getUint32(InHeader.UNIQUE + 4, true);
  }

  uint32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  setUint32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  /** An unsigned integer; above 2^53 the nearest number. */
  uint64(offset: number): number {
    const low = this.#view.getUint32(offset, true);
    const high = this.#view.getUint32(offset + 4, true);
    return high === 0 ? low : high * TWO_POW_32 + low;
  }

  /** A signed integer; beyond ±2^53 the nearest number. */
  int64(offset: number): number {
    return this.#view.getInt32(offset + 4, true) * TWO_POW_32 +
      this.#view.getUint32(offset, true);
  }

  /** The NUL-terminated name at `offset`. */
  name(offset: number): string {
    return this.#names.decode(this.#bytes, offset, this.nameEnd(offset));
  }

  /** Offset of the NUL that ends the name at `offset`; never behind the request. */
  nameEnd(offset: number): number {
    let end = offset;
    while (end < this.size && this.#bytes[end] !== 0) end++;
    return end;
  }

  /** Offset in this request of an address that libfuse passed to a callback. */
  offsetOf(address: bigint): number {
    return Number(address - this.buffer.address);
  }
}

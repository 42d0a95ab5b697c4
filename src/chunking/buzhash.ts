/**
 * The rolling hash that finds boundaries: buzhash over a window of 64 bytes.
 *
 * With every byte the hash is rotated by one bit, and the table's value for the byte is put in by exclusive or. The value of the
 * byte that leaves the window comes out again the same way: 64 rotations later a 32-bit value is where it was. So the hash
 * depends on the last 64 bytes only, and a search may start anywhere as long as the 64 bytes before are there.
 *
 * The search is a WebAssembly function because that is 1.5 times as fast as the same loop in TypeScript (1,390 against 885
 * MB/s), and a gibibyte has to be read, searched and hashed in a second. Searching several places in turn in one loop does
 * not make it faster: it is bound by the number of instructions, not by the wait for results.
 *
 * @module
 */

import { BUZHASH_TABLE } from "./buzhash_table.ts";
import { type Code, instantiate, wasm, type WasmFunction } from "./wasm_assembler.ts";

/** Bytes that the hash depends on. */
export const WINDOW_SIZE = 64;

/** Bytes at the start of the memory that belong to the scanner. */
export const SCANNER_SIZE = 0x1_0000;

const VALUE_SIZE_BITS = 2;
/** Bytes looked at in one round of the loop. */
const ROUND_SIZE = 8;

type Scan = (start: number, end: number, mask: number, limit: number) => number;

/** `scan` as instructions. */
function scanFunction(): WasmFunction {
  const { get, set, tee, constant, load8, load32, loop, when } = wasm;
  const [start, end, mask, limit, hash, position] = [0, 1, 2, 3, 4, 5];

  /** The table's value for the byte at `position + offset`. */
  const value = (offset: number): Code => [
    ...get(position),
    ...load8(offset),
    ...constant(VALUE_SIZE_BITS),
    ...wasm.shiftLeft,
    ...load32(0),
  ];
  const rotated: Code = [...get(hash), ...constant(1), ...wasm.rotateLeft];
  const advance = (size: number): Code => [
    ...get(position),
    ...constant(size),
    ...wasm.add,
    ...tee(position),
  ];
  // `position` is 64 bytes behind the byte that enters, as offsets of loads are not negative.
  const look = (offset: number): Code => [
    ...rotated,
    ...value(offset),
    ...value(offset + WINDOW_SIZE),
    ...wasm.xor,
    ...wasm.xor,
    ...tee(hash),
    ...get(mask),
    ...wasm.and,
    ...get(limit),
    ...wasm.greaterOrEqualUnsigned,
    ...when([
      ...get(position),
      ...constant(WINDOW_SIZE + offset + 1),
      ...wasm.add,
      ...wasm.giveBack,
    ]),
  ];
  const rounds = (size: number): Code => [
    ...get(position),
    ...constant(size),
    ...wasm.add,
    ...get(end),
    ...constant(1),
    ...wasm.add,
    ...wasm.lessUnsigned,
    ...when(loop([
      ...Array.from({ length: size }, (_, offset) => look(offset)).flat(),
      ...advance(size),
      ...constant(size),
      ...wasm.add,
      ...get(end),
      ...constant(1),
      ...wasm.add,
      ...wasm.lessUnsigned,
      ...wasm.again,
    ])),
  ];
  return {
    parameterCount: 4,
    localCount: 2,
    body: [
      ...get(start),
      ...constant(WINDOW_SIZE),
      ...wasm.subtract,
      ...set(position),
      ...loop([
        ...rotated,
        ...value(0),
        ...wasm.xor,
        ...set(hash),
        ...advance(1),
        ...get(start),
        ...wasm.lessUnsigned,
        ...wasm.again,
      ]),
      // From here on both are 64 bytes behind.
      ...get(start),
      ...constant(WINDOW_SIZE),
      ...wasm.subtract,
      ...set(position),
      ...get(end),
      ...constant(WINDOW_SIZE),
      ...wasm.subtract,
      ...set(end),
      ...rounds(ROUND_SIZE),
      ...rounds(1),
      ...constant(0),
    ],
  };
}

/** Searches a memory for boundaries. */
export class BoundaryScanner {
  readonly #scan: Scan;

  /** @param memory its first {@link SCANNER_SIZE} bytes are used by the scanner; it must not grow */
  constructor(memory: WebAssembly.Memory) {
    new Int32Array(memory.buffer, 0, BUZHASH_TABLE.length).set(BUZHASH_TABLE);
    this.#scan = instantiate<Scan>(scanFunction(), memory);
  }

  /**
   * Where the first boundary is, looking at the bytes from `start` to `end` in turn.
   *
   * @param start address of the first byte to look at, with {@link WINDOW_SIZE} bytes of the chunk before it
   * @param mask a power of two less one: how many bits of the hash count. A boundary has them all set but for the lowest two,
   * of which one may be missing.
   * @returns address after the last byte of the boundary's window; 0 when there is none
   */
  find(start: number, end: number, mask: number): number {
    return start < end ? this.#scan(start, end, mask, mask - 2) >>> 0 : 0;
  }
}

/**
 * The rolling hash that finds boundaries: buzhash over a window of 64 bytes.
 *
 * With every byte the hash is rotated by one bit, and the table's value for the byte is put in by
 * exclusive or. The value of the byte that leaves the window comes out again the same way: 64
 * rotations later a 32-bit value is where it was. So the hash depends on the last 64 bytes only,
 * and a search may start anywhere as long as the 64 bytes before are there.
 *
 * For the same reason a hash is the exclusive or of two sums, one up to its byte and one up to 64
 * bytes before, if a sum is a hash from which nothing is ever taken out. So a block's sums are
 * computed one after the other, and then compared four at a time; only in a block that has a
 * boundary it is looked for byte by byte.
 *
 * The search is a WebAssembly function since a gibibyte has to be read, searched and hashed in a
 * second. The runtime checks each access of a WebAssembly memory whose address is computed, which
 * takes as long as the access; so sums have constant addresses, one instruction for each. Rates
 * over random bytes without a boundary, in MB/s: 740 byte by byte in TypeScript, 1,050 byte by byte
 * in WebAssembly, 1,330 with sums at computed addresses, 1,550 at constant ones (a sixth more in
 * two places at a time, which is not worth the code).
 *
 * @module
 */

import { BUZHASH_TABLE } from "./buzhash_table.ts";
import {
  type Code,
  compile,
  instantiate,
  wasm,
  type WasmFunction,
} from "#src/bytes/wasm_assembler.ts";

/** Bytes that the hash depends on. */
export const WINDOW_SIZE = 64;

/** Bytes at the start of the memory that belong to the scanner. */
export const SCANNER_SIZE = 0x1_0000;

/** Bytes looked at in one round of a loop. */
const ROUND_SIZE = 8;
/**
 * Bytes whose sums are computed before they are compared. More than a processor's cache of decoded
 * instructions holds is slower.
 */
const BLOCK_SIZE = 128;

const VALUE_SIZE = 4;
const VALUE_SIZE_BITS = 2;
const VECTOR_SIZE = 16;

/**
 * Where sums are in the memory: those of the window before a block, and those of the block. The
 * table is at 0.
 */
const OLD_SUMS = 4096;
const SUMS = OLD_SUMS + WINDOW_SIZE * VALUE_SIZE;

type Scan = (start: number, end: number, mask: number, limit: number) => number;

// Numbers of the locals. Parameters first, then integers, then vectors.
const [START, END, MASK, LIMIT, HASH, POSITION, IS_FOUND, MOST, OTHER_BITS] = [
  ...[0, 1, 2, 3],
  ...[4, 5, 6],
  ...[7, 8],
] as const;

const { get, set, tee, constant, load8, load32, store32, loop, when } = wasm;

/** A local and how much more. */
function plus(local: number, size: number): Code {
  return [...get(local), ...constant(size), ...wasm.add];
}

/** Adds to a local, and leaves the sum as an operand. */
function advance(local: number, size: number): Code {
  return [...plus(local, size), ...tee(local)];
}

/** The table's value for the byte at `POSITION + offset`. */
function value(offset: number): Code {
  return [
    ...get(POSITION),
    ...load8(offset),
    ...constant(VALUE_SIZE_BITS),
    ...wasm.shiftLeft,
    ...load32(0),
  ];
}

const ROTATED: Code = [...get(HASH), ...constant(1), ...wasm.rotateLeft];

/** Whether there are `size` bytes more from `local` up to the end. */
function hasRoom(local: number, size: number): Code {
  return [...plus(local, size), ...plus(END, 1), ...wasm.lessUnsigned];
}

/** Sets the position to `distance` bytes before the start. */
function goBack(distance: number): Code {
  return [...get(START), ...constant(distance), ...wasm.subtract, ...set(POSITION)];
}

/** Code for 0, 1, 2 and so on. */
function repeat(count: number, code: (index: number) => Code): Code {
  return Array.from({ length: count }, (_, index) => code(index)).flat();
}

/**
 * Puts `count` bytes from the position on into the hash without taking any out, and stores each sum
 * that it is.
 */
function addUp(count: number, sums: number): Code {
  return [
    ...repeat(count, (index) => [
      ...constant(0),
      ...ROTATED,
      ...value(index),
      ...wasm.xor,
      ...tee(HASH),
      ...store32(sums + index * VALUE_SIZE),
    ]),
    ...plus(POSITION, count),
    ...set(POSITION),
  ];
}

function loadVector(address: number): Code {
  return [...constant(0), ...wasm.vectorLoad(address)];
}

/**
 * Says in `IS_FOUND` whether a hash of the block, with all the bits set that do not count, is high
 * enough.
 */
const COMPARE: Code = [
  ...constant(0),
  ...wasm.vectorOf,
  ...set(MOST),
  ...repeat(BLOCK_SIZE * VALUE_SIZE / VECTOR_SIZE, (index) => [
    ...loadVector(OLD_SUMS + index * VECTOR_SIZE),
    ...loadVector(SUMS + index * VECTOR_SIZE),
    ...wasm.vectorXor,
    ...get(OTHER_BITS),
    ...wasm.vectorOr,
    ...get(MOST),
    ...wasm.vectorMaximum,
    ...set(MOST),
  ]),
  ...get(MOST),
  // The highest three values there are: at least one of the lowest two bits is set.
  ...constant(-4),
  ...wasm.vectorOf,
  ...wasm.vectorGreaterUnsigned,
  ...wasm.vectorIsAny,
  ...set(IS_FOUND),
];

/** The block's last sums become those before the next block. */
const KEEP_SUMS: Code = repeat(WINDOW_SIZE * VALUE_SIZE / VECTOR_SIZE, (index) => [
  ...constant(0),
  ...loadVector(OLD_SUMS + BLOCK_SIZE * VALUE_SIZE + index * VECTOR_SIZE),
  ...wasm.vectorStore(OLD_SUMS + index * VECTOR_SIZE),
]);

/**
 * Moves the start on to the first block with a boundary and the end to its end, or to where there
 * is not a whole block.
 */
const FIND_BLOCK: Code = [
  ...get(MASK),
  ...constant(-1),
  ...wasm.xor,
  ...wasm.vectorOf,
  ...set(OTHER_BITS),
  ...goBack(WINDOW_SIZE),
  ...addUp(WINDOW_SIZE, OLD_SUMS),
  ...loop([
    ...addUp(BLOCK_SIZE, SUMS),
    ...COMPARE,
    ...KEEP_SUMS,
    ...get(IS_FOUND),
    ...when([...get(POSITION), ...set(END)]),
    ...get(IS_FOUND),
    ...wasm.isZero,
    ...when([...get(POSITION), ...set(START)]),
    ...get(IS_FOUND),
    ...wasm.isZero,
    ...hasRoom(POSITION, BLOCK_SIZE),
    ...wasm.and,
    ...wasm.again,
  ]),
  ...constant(0),
  ...set(HASH),
];

/**
 * Ends the function if there is a boundary after the next byte. The position is 64 bytes behind.
 */
function look(index: number): Code {
  return [
    ...ROTATED,
    ...value(index),
    ...value(index + WINDOW_SIZE),
    ...wasm.xor,
    ...wasm.xor,
    ...tee(HASH),
    ...get(MASK),
    ...wasm.and,
    ...get(LIMIT),
    ...wasm.greaterOrEqualUnsigned,
    ...when([...plus(POSITION, WINDOW_SIZE + index + 1), ...wasm.giveBack]),
  ];
}

/** Looks at `size` bytes a round while there are so many. */
function lookAtAll(size: number): Code {
  return [
    ...hasRoom(POSITION, size),
    ...when(loop([
      ...repeat(size, look),
      ...plus(POSITION, size),
      ...set(POSITION),
      ...hasRoom(POSITION, size),
      ...wasm.again,
    ])),
  ];
}

/** Looks at one byte after the other, from start to end. */
const FIND_BYTE: Code = [
  ...goBack(WINDOW_SIZE),
  ...loop([
    ...ROTATED,
    ...value(0),
    ...wasm.xor,
    ...set(HASH),
    ...advance(POSITION, 1),
    ...get(START),
    ...wasm.lessUnsigned,
    ...wasm.again,
  ]),
  // Both are 64 bytes behind from here on, since loads have no negative offsets.
  ...goBack(WINDOW_SIZE),
  ...get(END),
  ...constant(WINDOW_SIZE),
  ...wasm.subtract,
  ...set(END),
  ...lookAtAll(ROUND_SIZE),
  ...lookAtAll(1),
];

const SCAN: WasmFunction = {
  parameterCount: 4,
  integerCount: 3,
  vectorCount: 2,
  body: [
    ...hasRoom(START, BLOCK_SIZE),
    ...when(FIND_BLOCK),
    ...FIND_BYTE,
    ...constant(0),
  ],
};

let module: WebAssembly.Module | undefined;

/** Searches a memory for boundaries. */
export class BoundaryScanner {
  readonly #scan: Scan;

  /**
   * @param memory its first {@link SCANNER_SIZE} bytes are used by the scanner; it must not grow
   */
  constructor(memory: WebAssembly.Memory) {
    new Int32Array(memory.buffer, 0, BUZHASH_TABLE.length).set(BUZHASH_TABLE);
    this.#scan = instantiate<Scan>(module ??= compile(SCAN), memory);
  }

  /**
   * Where the first boundary is, looking at the bytes from `start` to `end` in turn.
   *
   * @param start address of the first byte to look at, with {@link WINDOW_SIZE} bytes of the chunk
   *   before it
   * @param mask a power of two less one: how many bits of the hash count. A boundary has them all
   *   set but for the lowest two,
   * of which one may be missing.
   * @returns address after the last byte of the boundary's window; 0 when there is none
   */
  find(start: number, end: number, mask: number): number {
    return start < end ? this.#scan(start, end, mask, mask - 2) >>> 0 : 0;
  }
}

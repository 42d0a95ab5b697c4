/**
 * As much of the WebAssembly binary format as it takes to write one function over one memory.
 *
 * Instructions are arrays of bytes, to be spread into one another: an instruction's operands come
 * before it.
 *
 * @module
 */

/** A piece of code. */
export type Code = readonly number[];

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

/** Signed LEB128. */
function signed(value: number): number[] {
  const bytes = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    const isLast = value === (low & 0x40 ? -1 : 0);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

const I32 = 0x7f;
const V128 = 0x7b;
const VOID = 0x40;

/** An instruction on vectors; their numbers may have two bytes. */
function vector(number: number): Code {
  return [0xfd, ...unsigned(number)];
}

/** Instructions on 32-bit integers, and on vectors of four of them. */
export const wasm = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  tee: (local: number): Code => [0x22, ...unsigned(local)],
  constant: (value: number): Code => [0x41, ...signed(value)],
  load8: (offset: number): Code => [0x2d, 0, ...unsigned(offset)],
  load32: (offset: number): Code => [0x28, 2, ...unsigned(offset)],
  store32: (offset: number): Code => [0x36, 2, ...unsigned(offset)],
  isZero: [0x45],
  add: [0x6a],
  subtract: [0x6b],
  and: [0x71],
  xor: [0x73],
  shiftLeft: [0x74],
  rotateLeft: [0x77],
  lessUnsigned: [0x49],
  greaterOrEqualUnsigned: [0x4f],
  vectorLoad: (offset: number): Code => [...vector(0x00), 4, ...unsigned(offset)],
  vectorStore: (offset: number): Code => [...vector(0x0b), 4, ...unsigned(offset)],
  /** Four times the same integer. */
  vectorOf: vector(0x11),
  vectorOr: vector(0x50),
  vectorXor: vector(0x51),
  vectorMultiply: vector(0xb5),
  /** By the same number of bits each, zeros come in. */
  vectorShiftRight: vector(0xad),
  /** One of the four integers. */
  vectorLane: (lane: number): Code => [...vector(0x1b), lane],
  vectorMaximum: vector(0xb9),
  vectorGreaterUnsigned: vector(0x3c),
  /** Whether any bit of a vector is set. */
  vectorIsAny: vector(0x53),
  /**
   * Runs `body` again and again; {@link again} in it starts the next round, its end leaves the
   * loop.
   */
  loop: (body: Code): Code => [0x03, VOID, ...body, 0x0b],
  /** Inside of a loop's body: next round if the operand is not 0. */
  again: [0x0d, 0],
  /** Runs `body` if the operand is not 0. */
  when: (body: Code): Code => [0x04, VOID, ...body, 0x0b],
  /** Ends the function; the operand is its result. */
  giveBack: [0x0f],
} as const satisfies Record<string, Code | ((...operands: never[]) => Code)>;

function section(id: number, body: Code): number[] {
  return [id, ...unsigned(body.length), ...body];
}

function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [bytes.length, ...bytes];
}

/** A function of 32-bit integers, with one as its result. */
export interface WasmFunction {
  readonly parameterCount: number;
  /**
   * Further locals, which are 0 at the start: first integers, then vectors. They are numbered after
   * the parameters.
   */
  readonly integerCount: number;
  readonly vectorCount: number;
  readonly body: Code;
}

/**
 * Compiles a function for memories of at least one page, 64 KiB: loads and stores at constant
 * addresses below are not checked when it runs. What the engine learns about the function is kept
 * with the module.
 */
export function compile(code: WasmFunction): WebAssembly.Module {
  const parameters = new Array(code.parameterCount).fill(I32);
  const locals = [2, ...unsigned(code.integerCount), I32, ...unsigned(code.vectorCount), V128];
  const compiled = [...locals, ...code.body, 0x0b];
  return new WebAssembly.Module(
    new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [1, 0x60, code.parameterCount, ...parameters, 1, I32]),
      ...section(2, [1, ...name("host"), ...name("memory"), 2, 0, 1]),
      ...section(3, [1, 0]),
      ...section(7, [1, ...name("run"), 0, 0]),
      ...section(10, [1, ...unsigned(compiled.length), ...compiled]),
    ]),
  );
}

/** Makes a compiled function callable: its loads and stores are in `memory`. */
export function instantiate<F>(module: WebAssembly.Module, memory: WebAssembly.Memory): F {
  return new WebAssembly.Instance(module, { host: { memory } }).exports["run"] as F;
}

/**
 * As much of the WebAssembly binary format as it takes to write one function over one memory.
 *
 * Instructions are arrays of bytes, to be spread into one another: an instruction's operands come before it.
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
const VOID = 0x40;

/** Instructions on 32-bit integers, named as in the specification. */
export const wasm = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  tee: (local: number): Code => [0x22, ...unsigned(local)],
  constant: (value: number): Code => [0x41, ...signed(value)],
  load8: (offset: number): Code => [0x2d, 0, ...unsigned(offset)],
  load32: (offset: number): Code => [0x28, 2, ...unsigned(offset)],
  add: [0x6a],
  subtract: [0x6b],
  and: [0x71],
  xor: [0x73],
  shiftLeft: [0x74],
  rotateLeft: [0x77],
  lessUnsigned: [0x49],
  greaterOrEqualUnsigned: [0x4f],
  /** Runs `body` again and again; {@link again} in it starts the next round, its end leaves the loop. */
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
  /** Further locals; they are numbered after the parameters, and 0 at the start. */
  readonly localCount: number;
  readonly body: Code;
}

/** Makes `code` callable. Its loads are from `memory`. */
export function instantiate<F>(code: WasmFunction, memory: WebAssembly.Memory): F {
  const parameters = new Array(code.parameterCount).fill(I32);
  const compiled = [1, ...unsigned(code.localCount), I32, ...code.body, 0x0b];
  const module = new WebAssembly.Module(
    new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [1, 0x60, code.parameterCount, ...parameters, 1, I32]),
      ...section(2, [1, ...name("host"), ...name("memory"), 2, 0, 0]),
      ...section(3, [1, 0]),
      ...section(7, [1, ...name("run"), 0, 0]),
      ...section(10, [1, ...unsigned(compiled.length), ...compiled]),
    ]),
  );
  return new WebAssembly.Instance(module, { host: { memory } }).exports.run as F;
}

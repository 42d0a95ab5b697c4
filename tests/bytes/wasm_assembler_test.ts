import assert from "node:assert/strict";
import { compile, instantiate, wasm } from "#src/bytes/wasm_assembler.ts";

const MEMORY = new WebAssembly.Memory({ initial: 1, maximum: 1 });

/** A function of one parameter. */
function run(body: readonly number[], parameter: number): number {
  const module = compile({ parameterCount: 1, integerCount: 1, vectorCount: 1, body });
  return instantiate<(value: number) => number>(module, MEMORY)(parameter);
}

Deno.test("compile() encodes numbers of every length and sign", () => {
  for (const base of [0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 20, 2 ** 27, 2 ** 31 - 1]) {
    for (const value of [base, -base, ~base]) {
      assert.equal(run(wasm.constant(value), 0), value | 0);
    }
  }
});

Deno.test("compile() makes loops, conditions, loads and stores", () => {
  // Counts the parameter down, and stores twice the count of rounds.
  const body = [
    ...wasm.loop([
      ...wasm.get(1),
      ...wasm.constant(2),
      ...wasm.add,
      ...wasm.set(1),
      ...wasm.get(0),
      ...wasm.constant(1),
      ...wasm.subtract,
      ...wasm.tee(0),
      ...wasm.again,
    ]),
    ...wasm.constant(300),
    ...wasm.get(1),
    ...wasm.store32(200),
    ...wasm.constant(100),
    ...wasm.load32(400),
    ...wasm.constant(20),
    ...wasm.lessUnsigned,
    ...wasm.when([...wasm.constant(-1), ...wasm.giveBack]),
    ...wasm.constant(500),
    ...wasm.load8(0),
  ];
  assert.equal(run(body, 3), -1);
  assert.equal(run(body, 10), 20);
  assert.equal(run(body, 200), 400 & 0xff);
});

Deno.test("compile() makes vectors of four integers", () => {
  const words = new Uint32Array(MEMORY.buffer, 1024, 4);
  // Whether any of four words, with the parameter's bits set besides, is more than 10.
  const body = [
    ...wasm.constant(1024),
    ...wasm.vectorLoad(0),
    ...wasm.get(0),
    ...wasm.vectorOf,
    ...wasm.vectorOr,
    ...wasm.constant(10),
    ...wasm.vectorOf,
    ...wasm.vectorGreaterUnsigned,
    ...wasm.vectorIsAny,
  ];
  words.set([1, 2, 3, 10]);
  assert.equal(run(body, 0), 0);
  assert.equal(run(body, 4), 1);
  words.set([0, 0, 0, 0xffff_ffff]);
  assert.equal(run(body, 0), 1);
});

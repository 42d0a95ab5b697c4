#!/usr/bin/env bash
# Deno 2.9.6, FFI: a `usize` parameter given as a number or as a bigint.
#
# Guess before running: both are allowed, and a number is the cheap one: it is a machine word to begin with, while a
# bigint is an object. If there is a difference, bigints lose.
#
# What happens: once the caller is optimized, a call with bigints takes 5 to 25 ns, and the same call with numbers (all
# of them small enough to be exact) ten times that or more. A call with one number among its parameters is a slow call.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent deno@2.9.6
(cd node_modules/deno && node install.cjs >/dev/null 2>&1 || true)
cat >calls.ts <<'TS'
const { symbols } = Deno.dlopen("libc.so.6", {
  memchr: { parameters: ["usize", "i32", "usize"], result: "usize" },
});
const COUNT = 1_000_000, ROUNDS = 7, SIZE = 8;
const bytes = new Uint8Array(SIZE).fill(1);
const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
function byNumbers(at: number, size: number): bigint {
  let found = 0n;
  for (let index = 0; index < COUNT; index++) found = symbols.memchr(at as never, 1, size as never);
  return BigInt(found);
}
function byBigints(at: bigint, size: bigint): bigint {
  let found = 0n;
  for (let index = 0; index < COUNT; index++) found = symbols.memchr(at, 1, size);
  return BigInt(found);
}
function nanoseconds(run: () => bigint): number {
  const start = performance.now();
  if (run() !== BigInt(address)) throw new Error("wrong answer");
  return (performance.now() - start) * 1e6 / COUNT;
}
let numbers = Infinity, bigints = Infinity;
for (let round = 0; round < ROUNDS; round++) {
  numbers = Math.min(numbers, nanoseconds(() => byNumbers(Number(address), SIZE)));
  bigints = Math.min(bigints, nanoseconds(() => byBigints(BigInt(address), BigInt(SIZE))));
}
console.log(`best of ${ROUNDS}: ${numbers.toFixed(0)} ns with numbers, ${bigints.toFixed(0)} ns with bigints`);
Deno.exit(numbers > 4 * bigints ? 0 : 3);
TS
node_modules/.bin/deno --version | head -n 1
if node_modules/.bin/deno run --quiet --no-check --allow-ffi calls.ts; then
  echo "as found: numbers make a call several times slower than bigints"
else
  echo CHANGED
  exit 1
fi

import assert from "node:assert/strict";
import { ChunkArena } from "#src/chunking/arena.ts";
import { SCANNER_SIZE } from "#src/chunking/buzhash.ts";

Deno.test("ChunkArena gives out pieces that do not overlap, until there is no room", () => {
  const arena = new ChunkArena(1 << 20);
  const segments = [300_000, 300_000, 300_000].map((size) => arena.allocate(size)!);
  let end = SCANNER_SIZE;
  for (const segment of segments) {
    assert.ok(segment.start >= end);
    assert.equal(segment.end - segment.start, 300_000);
    end = segment.end;
  }
  assert.ok(end <= arena.buffer.bytes.length);
  assert.equal(arena.allocate(300_000), undefined);
  assert.ok(arena.allocate(1000));
});

Deno.test("ChunkArena gives out again what was given back, between other pieces too", () => {
  const arena = new ChunkArena(1 << 20);
  const [first, second, third] = [300_000, 300_000, 300_000].map((size) => arena.allocate(size)!);
  arena.free(second!);
  arena.free(second!);
  assert.equal(arena.allocate(300_001), undefined);
  const small = arena.allocate(100_000)!;
  const rest = arena.allocate(200_000)!;
  assert.ok(small.start >= first!.end && rest.start >= small.end && rest.end <= third!.start);
  for (const segment of [first!, small, rest, third!]) arena.free(segment);
  assert.ok(arena.allocate(1 << 20));
});

Deno.test("ChunkArena.discard() gives most pages back at once: they are zeros when they are used again", () => {
  const arena = new ChunkArena(20 << 20);
  arena.buffer.bytes.fill(1);
  arena.discard();
  assert.equal(arena.buffer.bytes.subarray(8 << 20).findIndex((byte) => byte !== 0), -1);
});

Deno.test("ChunkArena.take() gives out again what was given back, where it has the size", () => {
  const first = ChunkArena.take(10 << 20);
  assert.ok(first.allocate(6 << 20));
  first.discard();
  const second = ChunkArena.take(10 << 20);
  assert.equal(second, first);
  assert.ok(second.allocate(10 << 20));
  assert.notEqual(ChunkArena.take(10 << 20), second);
  second.discard();
  assert.notEqual(ChunkArena.take(9 << 20), second);
});

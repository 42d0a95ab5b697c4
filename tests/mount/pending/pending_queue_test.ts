import assert from "node:assert/strict";
import { Opcode } from "#ffi/libfuse3/kernel.ts";
import {
  BLOCK_COUNT,
  createPendingMemory,
  PendingQueue,
} from "#src/mount/pending/pending_queue.ts";

const BLOCK_SIZE = 1024;

/** A request with recognisable bytes. */
function bytesOf(seed: number, size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, index) => seed * 31 + index * 7 + (index >> 8));
}

function request(uniqueLow: number, opcode: number = Opcode.READ, sinceMs = 0) {
  return { uniqueLow, uniqueHigh: 0x8000_0001, deviceFd: uniqueLow + 100, opcode, sinceMs };
}

Deno.test("PendingQueue gives requests of all lengths back in order, as they were", () => {
  const memory = createPendingMemory();
  const queue = new PendingQueue(memory);
  const sizes = [40, 80, BLOCK_SIZE, BLOCK_SIZE + 1, 5 * BLOCK_SIZE, (1 << 20) + 80];
  sizes.forEach((size, index) => {
    assert.ok(
      queue.put(bytesOf(index, size), size, request(2 * index, Opcode.WRITE, 1000 - index)),
    );
  });
  // Another thread's view of the same memory.
  const other = new PendingQueue(memory);
  assert.equal(other.count, sizes.length);
  const target = new Uint8Array(2 << 20);
  sizes.forEach((size, index) => {
    const taken = other.take(target);
    assert.deepEqual(taken, { ...request(2 * index, Opcode.WRITE, 1000 - index), size });
    assert.deepEqual(target.subarray(0, size), bytesOf(index, size));
  });
  assert.equal(queue.take(target), undefined);
  assert.equal(queue.count, 0);
});

Deno.test("PendingQueue.remove() takes first, middle and last requests out", () => {
  const queue = new PendingQueue(createPendingMemory());
  const target = new Uint8Array(BLOCK_SIZE);
  for (let unique = 1; unique <= 5; unique++) {
    queue.put(bytesOf(unique, 80), 80, request(unique));
  }
  for (const unique of [3, 1, 5]) {
    assert.deepEqual(queue.remove(unique, 0x8000_0001), request(unique));
    assert.equal(queue.remove(unique, 0x8000_0001), undefined);
  }
  assert.equal(queue.remove(2, 0), undefined);
  queue.put(bytesOf(6, 80), 80, request(6));
  assert.deepEqual(queue.list().map(({ uniqueLow }) => uniqueLow), [2, 4, 6]);
  for (const unique of [2, 4, 6]) assert.equal(queue.take(target)?.uniqueLow, unique);
});

Deno.test("PendingQueue.removeOld() lets those go that came before a time, which may wrap around", () => {
  const queue = new PendingQueue(createPendingMemory());
  queue.put(bytesOf(1, 80), 80, request(1, Opcode.READ, 0x7fff_fff0));
  queue.put(bytesOf(2, 80), 80, request(2, Opcode.READ, (0x7fff_fff0 + 100) | 0));
  assert.equal(queue.removeOld(0x7fff_ffe0), undefined);
  assert.equal(queue.removeOld(0x7fff_fffa)?.uniqueLow, 1);
  assert.equal(queue.removeOld(0x7fff_fffa), undefined);
  assert.equal(queue.removeOld((0x7fff_fff0 + 100) | 0)?.uniqueLow, 2);
});

Deno.test("PendingQueue never lets requests go that must be served", () => {
  const queue = new PendingQueue(createPendingMemory());
  const served = [Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.RELEASE, Opcode.RELEASEDIR];
  for (const opcode of served) queue.put(bytesOf(opcode, 64), 64, request(opcode, opcode));
  for (const opcode of served) assert.equal(queue.remove(opcode, 0x8000_0001), undefined);
  assert.equal(queue.removeOld(1000), undefined);
  assert.equal(queue.count, served.length);
});

Deno.test("PendingQueue refuses what does not fit, and has all its room again afterwards", () => {
  const queue = new PendingQueue(createPendingMemory());
  const large = new Uint8Array(BLOCK_COUNT / 16 * BLOCK_SIZE);
  const target = new Uint8Array(large.length);
  for (let round = 0; round < 3; round++) {
    for (let each = 0; each < 15; each++) {
      assert.ok(queue.put(large, large.length, request(each)));
    }
    assert.ok(queue.put(large, large.length - BLOCK_SIZE, request(15)));
    assert.equal(queue.put(large, BLOCK_SIZE + 1, request(16)), false);
    assert.ok(queue.put(large, BLOCK_SIZE, request(17)));
    assert.equal(queue.put(large, 1, request(18)), false);
    assert.equal(queue.count, 17);
    assert.ok(queue.remove(7, 0x8000_0001));
    while (queue.take(target) !== undefined);
  }
});

import assert from "node:assert/strict";
import { DigestTable } from "#src/bytes/digest_table.ts";
import { Random } from "#tests/support/property_random.ts";

Deno.test("DigestTable agrees with a map, also after it has grown", () => {
  const random = new Random(1);
  const table = new DigestTable(1 << 20);
  const expected = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const digest = random.bytes(32);
    if (random.oneIn(2)) digest.fill(7, 0, 31); // the same up to the last byte
    const value = random.between(1, 0xffff_ffff);
    table.set(Uint8Array.of(1, 2, 3, ...digest), 3, value);
    expected.set(digest.toHex(), value);
  }
  assert.equal(table.count, expected.size);
  for (const [digest, value] of expected) {
    assert.equal(table.get(Uint8Array.fromHex(digest), 0), value);
  }
  assert.equal(table.get(random.bytes(32), 0), 0);
  table.set(new Uint8Array(32), 0, 9);
  assert.equal(table.get(new Uint8Array(32), 0), 9);
});

Deno.test("DigestTable forgets everything rather than outgrow its budget", () => {
  const random = new Random(2);
  const table = new DigestTable(0);
  const first = random.bytes(32);
  table.set(first, 0, 1);
  let most = 0;
  for (let i = 0; i < 2000; i++) {
    const digest = random.bytes(32);
    table.set(digest, 0, 2);
    assert.equal(table.get(digest, 0), 2);
    most = Math.max(most, table.count);
  }
  assert.equal(table.get(first, 0), 0);
  assert.ok(most < 1024);
});

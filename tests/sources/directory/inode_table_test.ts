import assert from "node:assert/strict";
import fc from "fast-check";
import { HostStat } from "#ffi/libc/calls.ts";
import { createInodeMemory, InodeTable, type Row } from "#src/sources/directory/inode_table.ts";

const FILE = 0o100644;
const ROOT_DEVICE = 5;
const ID_END = 2 ** 47;

function stat(fields: Partial<HostStat>): HostStat {
  return Object.assign(new HostStat(), { mode: FILE, device: ROOT_DEVICE, ino: 1, ...fields });
}

function makeTable() {
  const memory = createInodeMemory(ROOT_DEVICE);
  const table = new InodeTable(memory);
  const root = table.note(stat({ mode: 0o40755, ino: 2 }), 0, "")!;
  return { memory, table, root };
}

const files = fc.record({
  device: fc.constantFrom(ROOT_DEVICE, 6, 2 ** 32 - 1),
  ino: fc.oneof(
    fc.nat({ max: 50 }),
    fc.constantFrom(2 ** 46 - 1, 2 ** 46, 2 ** 52, 2 ** 53, 2 ** 53 + 2, 2 ** 64),
  ),
  name: fc.constantFrom("a", "b", "ä", "\udcff"),
});

Deno.test("InodeTable gives each file one number, the same each time and in each thread", () => {
  fc.assert(fc.property(fc.array(files, { maxLength: 40 }), (seen) => {
    const one = makeTable();
    const other = makeTable();
    const ids = new Map<string, number>();
    const rows = new Map<number, Row>();
    for (const { device, ino, name } of seen) {
      if (device === ROOT_DEVICE && ino === 2) continue;
      const found = stat({ device, ino });
      const row = one.table.note(found, one.root, name)!;
      const id = one.table.id(row);
      assert.ok(id >= 1 && id < ID_END);
      // Where numbers are not exact, only the name tells.
      const key = `${device}:${ino}${ino >= 2 ** 53 ? name : ""}`;
      assert.equal(ids.get(key) ?? id, id, key);
      ids.set(key, id);
      assert.equal(rows.get(id) ?? row, row);
      rows.set(id, row);
      assert.equal(one.table.find(id), row);
      assert.equal(new InodeTable(one.memory).find(id), row);
      assert.equal(other.table.id(other.table.note(found, other.root, name)!), id);
    }
    assert.equal(new Set(ids.values()).size, ids.size);
  }));
});

Deno.test("InodeTable tells another content, and another type, from the one it has seen", () => {
  const { table, root } = makeTable();
  const first = { ino: 7, size: 5, mtimeSeconds: -3, mtimeNanoseconds: 999_999_999 };
  const row = table.note(stat(first), root, "f")!;
  assert.equal(table.note(stat({ ...first, uid: 9, nlink: 4 }), root, "g"), row);
  assert.equal(table.name(row), "f");
  assert.equal(table.parent(row), root);
  for (
    const change of [
      { size: 6 },
      { mtimeSeconds: -2 },
      { mtimeNanoseconds: 0 },
      { mode: 0o120777 },
    ]
  ) assert.equal(table.note(stat({ ...first, ...change }), root, "f"), undefined);
  // A directory may get other names.
  const directory = { mode: 0o40755, ino: 8, size: 5 };
  const inside = table.note(stat(directory), root, "d");
  assert.equal(table.note(stat({ ...directory, size: 6, mtimeSeconds: 1 }), root, "d"), inside);
});

Deno.test("InodeTable grows, and all of it is found again by others that had it before", () => {
  const { memory, table, root } = makeTable();
  const early = new InodeTable(memory);
  const count = 100_000;
  for (let index = 0; index < count; index++) {
    const device = index % 2 === 0 ? ROOT_DEVICE : 7;
    table.note(stat({ device, ino: 10 + index, size: index }), root, `file ${index}`);
  }
  for (let index = 0; index < count; index += 997) {
    const device = index % 2 === 0 ? ROOT_DEVICE : 7;
    const row = early.note(stat({ device, ino: 10 + index, size: index }), root, "any")!;
    assert.equal(early.name(row), `file ${index}`);
  }
});

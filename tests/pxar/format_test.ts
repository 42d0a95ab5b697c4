import assert from "node:assert/strict";
import { FormatError, UsageError } from "#src/errors.ts";
import { decodeAclEntry, encodeAclEntry } from "#src/pxar/format/acl.ts";
import { joinDeviceNumber, splitDeviceNumber } from "#src/bytes/device_number.ts";
import { decodeDevice, encodeDevice } from "#src/pxar/format/device.ts";
import { filenameHash, hashFileName } from "#src/pxar/format/filename_hash.ts";
import {
  attributesOfFlags,
  CHATTR_FLAGS,
  FAT_FLAGS,
  flagsOfAttributes,
} from "#src/pxar/format/flags.ts";
import {
  decodeGoodbyeItem,
  findInGoodbye,
  GoodbyeBuilder,
  goodbyeCount,
  type GoodbyeItem,
  isGoodbyeTail,
  visitInOrder,
} from "#src/pxar/format/goodbye.ts";
import { readInt64, readUint64, writeInt64 } from "#src/pxar/format/integers.ts";
import {
  decodeContentSize,
  decodeItem,
  encodeHeader,
  HEADER_SIZE,
  Item,
  itemName,
} from "#src/pxar/format/item.ts";
import { decodeName, encodeName, targetPathObjection } from "#src/pxar/format/name.ts";
import { decodeStat, decodeStatV1, encodeStat } from "#src/pxar/format/stat.ts";
import { decodeXattr, encodeXattr } from "#src/pxar/format/xattr.ts";

function newView(size = 64): DataView<ArrayBuffer> {
  return new DataView(new ArrayBuffer(size));
}

/** Sorted positions by index of the table (format specification, section 6.1). */
const TREE_ORDERS: Readonly<Record<number, readonly number[]>> = {
  1: [0],
  2: [1, 0],
  3: [1, 0, 2],
  4: [2, 1, 3, 0],
  5: [3, 1, 4, 0, 2],
  6: [3, 1, 5, 0, 2, 4],
  7: [3, 1, 5, 0, 2, 4, 6],
  8: [4, 2, 6, 1, 3, 5, 7, 0],
  9: [5, 3, 7, 1, 4, 6, 8, 0, 2],
  10: [6, 3, 8, 1, 5, 7, 9, 0, 2, 4],
  16: [8, 4, 12, 2, 6, 10, 14, 1, 3, 5, 7, 9, 11, 13, 15, 0],
  17: [9, 5, 13, 3, 7, 11, 15, 1, 4, 6, 8, 10, 12, 14, 16, 0, 2],
};

Deno.test("visitInOrder goes through the tree of the specification", () => {
  for (const [count, order] of Object.entries(TREE_ORDERS)) {
    const positions: number[] = [];
    let rank = 0;
    visitInOrder(Number(count), (index) => positions[index] = rank++);
    assert.deepEqual(positions, order, count);
  }
});

function itemsOf(bytes: Uint8Array): GoodbyeItem[] {
  const view = new DataView(bytes.buffer);
  const items = [];
  for (let at = HEADER_SIZE; at < bytes.length; at += 24) items.push(decodeGoodbyeItem(view, at));
  return items;
}

Deno.test("findInGoodbye finds every name, also among those with the same hash", () => {
  for (const count of [0, 1, 2, 3, 7, 8, 100, 1000]) {
    const builder = new GoodbyeBuilder();
    // Three names share each hash; starts tell them apart.
    for (let i = 0; i < count; i++) builder.add(i % 7, Math.floor(i / 3), i + 1, 10);
    const items = itemsOf(builder.encode(5000, 0));
    assert.ok(isGoodbyeTail(items.pop()!));
    for (let i = 0; i < count; i++) {
      const found = findInGoodbye(
        count,
        i % 7,
        Math.floor(i / 3),
        (index) => items[index]!,
        (item) => 5000 - item.offset === i + 1 ? i : undefined,
      );
      assert.equal(found, i);
    }
    const read = (index: number) => items[index]!;
    assert.equal(findInGoodbye(count, 99, 0, read, () => true), undefined);
  }
});

Deno.test("findInGoodbye looks below an item with the hash but another name, on both sides", () => {
  const item = { hashHigh: 1, hashLow: 1, offset: 0, size: 0 };
  const seen: number[] = [];
  const read = (index: number) => {
    seen.push(index);
    return item;
  };
  assert.equal(findInGoodbye(7, 1, 1, read, () => undefined), undefined);
  assert.deepEqual(seen.sort(), [0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("goodbyeCount knows the sizes that a table can have", () => {
  assert.equal(goodbyeCount(40), 0);
  assert.equal(goodbyeCount(64), 1);
  for (const size of [0, 16, 39, 41, 2 ** 60, Infinity]) {
    assert.equal(goodbyeCount(size), undefined);
  }
});

Deno.test("decodeItem and encodeHeader agree on every type", () => {
  const view = newView();
  for (const item of Object.values(Item)) {
    if (item === Item.UNKNOWN) continue;
    encodeHeader(view, 3, item, 7_000_000_000_000);
    assert.equal(decodeItem(view, 3), item, itemName(item));
    assert.equal(decodeContentSize(view, 3), 7_000_000_000_000);
    view.setUint8(3 + 7, view.getUint8(3 + 7) ^ 1);
    assert.equal(decodeItem(view, 3), Item.UNKNOWN);
  }
});

Deno.test("writeInt64 writes what readInt64 and readUint64 read", () => {
  const view = newView();
  for (const value of [0, 1, -1, 2 ** 32, -(2 ** 32) - 5, 2 ** 53 - 1, -(2 ** 53) + 1]) {
    writeInt64(view, 1, value);
    assert.equal(view.getBigInt64(1, true), BigInt(value));
    assert.equal(readInt64(view, 1), value);
    if (value >= 0) assert.equal(readUint64(view, 1), value);
  }
});

Deno.test("decodeStat reads what encodeStat writes", () => {
  const view = newView();
  const stat = {
    mode: 0o107777,
    flags: 0x8000_0000_0040_0000n,
    uid: 0xffff_ffff,
    gid: 7,
    mtime: { seconds: -2, nanoseconds: 500_000_000 },
  };
  encodeStat(view, 8, stat);
  assert.deepEqual(decodeStat(view, 8), stat);
  view.setUint32(8 + 32, 1_000_000_000, true);
  assert.throws(() => decodeStat(view, 8), { code: "bad-timestamp" });
  view.setUint32(8, 0o1100644 << 1, true);
  assert.throws(() => decodeStat(view, 8), FormatError);
});

Deno.test("decodeStatV1 divides nanoseconds", () => {
  const view = newView();
  view.setUint32(0, 0o100644, true);
  view.setBigUint64(24, 1_430_487_000_000_000_005n, true);
  assert.deepEqual(decodeStatV1(view, 0).mtime, { seconds: 1_430_487_000, nanoseconds: 5 });
});

Deno.test("decodeName refuses what is no file name", () => {
  const read = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    return decodeName(bytes, 0, bytes.length);
  };
  assert.equal(read("ä\0"), "ä");
  for (const text of ["\0", ".\0", "..\0", "a/b\0", "a\0b\0", "abc"]) {
    assert.throws(() => read(text), { code: "bad-name" }, text);
  }
});

Deno.test("encodeName refuses what is no file name", () => {
  assert.equal(encodeName("...").length, 3);
  for (const name of ["", ".", "..", "a/b", "a\0", "n".repeat(4097)]) {
    assert.throws(() => encodeName(name), UsageError);
  }
});

Deno.test("targetPathObjection lets no path out of the archive", () => {
  assert.equal(targetPathObjection("a/b c/..d"), undefined);
  for (const path of ["", "/a", "a/", "a//b", "..", "a/../b", "./a"]) {
    assert.ok(targetPathObjection(path), path);
  }
});

Deno.test("hashFileName hashes the bytes of any name", () => {
  for (const name of ["a", "ü", "n".repeat(64), "n".repeat(65), "\udcff"]) {
    hashFileName(name);
    const { high, low } = filenameHash;
    filenameHash.hash(encodeName(name));
    assert.deepEqual([high, low], [filenameHash.high, filenameHash.low], name);
  }
});

Deno.test("decodeXattr keeps NUL bytes of the value", () => {
  const xattr = { name: "user.a", value: Uint8Array.of(0, 1, 0) };
  const bytes = encodeXattr(xattr);
  assert.deepEqual(decodeXattr(bytes, 0, bytes.length), xattr);
  const noNul = new TextEncoder().encode("user.a");
  assert.throws(() => decodeXattr(noNul, 0, noNul.length), { code: "bad-xattr" });
  const tooLarge = { name: "user.a", value: new Uint8Array(65_791) };
  assert.throws(() => encodeXattr(tooLarge), UsageError);
});

Deno.test("decodeAclEntry refuses permissions and ids that there are not", () => {
  const view = newView();
  encodeAclEntry(view, 0, { id: 1000n, permissions: 6n });
  assert.deepEqual(decodeAclEntry(view, 0), { id: 1000n, permissions: 6n });
  encodeAclEntry(view, 0, { id: 1000n, permissions: 8n });
  assert.throws(() => decodeAclEntry(view, 0), { code: "bad-acl" });
  encodeAclEntry(view, 0, { id: 1n << 32n, permissions: 6n });
  assert.throws(() => decodeAclEntry(view, 0), { code: "bad-acl" });
});

Deno.test("joinDeviceNumber undoes splitDeviceNumber", () => {
  for (const dev of [0n, 0x0801n, 0xffff_ffff_ffff_ffffn, 0x1234_5678_9abc_def0n]) {
    assert.equal(joinDeviceNumber(splitDeviceNumber(dev)), dev);
  }
  assert.deepEqual(splitDeviceNumber(0x0801n), { major: 8n, minor: 1n });
});

Deno.test("decodeDevice refuses numbers that no device has", () => {
  const view = newView();
  encodeDevice(view, 0, { major: 0xffff_ffffn, minor: 3n });
  assert.deepEqual(decodeDevice(view, 0), { major: 0xffff_ffffn, minor: 3n });
  encodeDevice(view, 0, { major: 0n, minor: 1n << 32n });
  assert.throws(() => decodeDevice(view, 0), { code: "bad-device" });
});

Deno.test("flagsOfAttributes and attributesOfFlags translate each attribute", () => {
  for (const mappings of [CHATTR_FLAGS, FAT_FLAGS]) {
    let all = 0n;
    for (const { flag, attribute } of mappings) {
      assert.equal(flagsOfAttributes(mappings, attribute), flag);
      assert.equal(attributesOfFlags(mappings, flag), attribute);
      all |= flag;
    }
    assert.equal(flagsOfAttributes(mappings, 0x7fff_ffff), all);
    assert.equal(attributesOfFlags(mappings, 0n), 0);
  }
});

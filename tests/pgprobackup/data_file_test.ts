import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { IntegrityError, UsageError } from "#src/errors.ts";
import type { ByteSource, OpenSource } from "#src/io/byte_source.ts";
import { openPgProbackupTree } from "#src/pgprobackup/mod.ts";
import { checkHolesAreZeros, dataRanges } from "#tests/support/hole_checks.ts";
import { CatalogWriter, type CompressionName, makePage, type Relation } from "./_catalog_writer.ts";
import { type Access, BUILT_IN, fileAt, NATIVE, openTree, readAll } from "./_tree_support.ts";

const START = 1795226505;
const PATH = "base/5/16384";

function withStore(run: (writer: CatalogWriter) => void): void {
  const store = Deno.makeTempDirSync({ prefix: "pbkfs-data-file-" });
  try {
    run(new CatalogWriter(store));
  } finally {
    Deno.removeSync(store, { recursive: true });
  }
}

function pages(blocks: Iterable<number>, seed: number, segment = 0): Map<number, Uint8Array> {
  return new Map([...blocks].map((block) => [block, makePage(block, seed, segment)]));
}

const range = (end: number) => Array.from({ length: end }, (_, index) => index);

/** Writes a FULL backup and increments of one relation. @returns the id of the last one */
function writeChain(
  writer: CatalogWriter,
  layers: readonly Omit<Relation, "path">[],
): string {
  let id = "";
  layers.forEach((layer, index) => {
    id = writer.write({
      startTime: START + index,
      ...(index === 0 ? {} : { parent: START + index - 1 }),
      entries: [{ path: PATH, ...layer }],
    });
  });
  return id;
}

for (const access of [NATIVE, BUILT_IN]) {
  for (const compression of ["none", "zlib", "pglz", "lz4", "zstd"] as const) {
    Deno.test(`DataFileContent reads ${compression} pages: ${access.name}`, () =>
      withStore((writer) => {
        const stored = pages(range(40), 1);
        // A page that does not shrink is stored as it is in the middle of the others.
        stored.set(7, crypto.getRandomValues(new Uint8Array(8192)));
        const id = writer.write({
          startTime: START,
          checksums: false,
          entries: [{ path: PATH, blockCount: 40, pages: stored, compression }],
        });
        const tree = openTree(writer.store, id, { access });
        const bytes = readAll(fileAt(tree, PATH), access);
        for (const [block, page] of stored) {
          deepEqual(bytes.subarray(block * 8192, (block + 1) * 8192), page);
        }
        tree.close();
      }));
  }
}

Deno.test("DataFileContent puts the newest version of each block together, holes as zeros", () =>
  withStore((writer) => {
    const id = writeChain(writer, [
      { blockCount: 12, pages: pages([0, 1, 2, 3, 4, 5, 10, 11], 1), compression: "zlib" },
      { blockCount: 8, pages: pages([1, 2, 7], 2), compression: "pglz", withoutMap: true },
      { blockCount: 8, pages: new Map() },
      { blockCount: 9, pages: pages([2, 5], 3), compression: "none" },
    ]);
    const tree = openTree(writer.store, id);
    const bytes = readAll(fileAt(tree, PATH));
    equal(bytes.length, 8 * 8192, "block 8 of the 9 is stored nowhere");
    const seeds = [1, 2, 3, 1, 1, 3, 0, 2];
    seeds.forEach((seed, block) => {
      const expected = seed === 0 ? new Uint8Array(8192) : makePage(block, seed);
      deepEqual(bytes.subarray(block * 8192, (block + 1) * 8192), expected, `block ${block}`);
    });
    tree.close();
  }));

Deno.test("DataFileContent gives the same bytes for any offset, size and place in the buffer", () =>
  withStore((writer) => {
    const id = writeChain(writer, [
      { blockCount: 9, pages: pages(range(9), 1), compression: "zlib" },
      { blockCount: 10, pages: pages([3, 4, 9], 2), compression: "lz4" },
    ]);
    const tree = openTree(writer.store, id);
    const whole = readAll(fileAt(tree, PATH));
    const content = fileAt(tree, PATH).open();
    const buffer = NATIVE.codecs.allocate(100_000);
    fc.assert(
      fc.property(fc.nat(90_000), fc.nat(90_000), fc.nat(9000), (offset, size, start) => {
        const count = content.readInto(buffer, start, size, offset);
        equal(count, Math.max(0, Math.min(size, whole.length - offset)));
        const same = buffer.bytes.subarray(start, start + count)
          .every((byte, index) => byte === whole[offset + index]);
        ok(same);
      }),
      { numRuns: 200 },
    );
    throws(() => content.readInto(buffer, 99_000, 2000, 0), UsageError);
    throws(() => content.readInto(buffer, 0, 10, -1), UsageError);
    tree.close();
  }));

Deno.test("DataFileContent checks pages with their absolute block number", () =>
  withStore((writer) => {
    const path = `${PATH}.2`;
    const write = (segment: number, startTime: number) =>
      writer.write({
        startTime,
        entries: [{ path, segment, blockCount: 3, pages: pages(range(3), 1, 2) }],
      });
    const good = openTree(writer.store, write(2, START));
    equal(readAll(fileAt(good, path)).length, 3 * 8192);
    const bad = openTree(writer.store, write(1, START + 5));
    throws(() => readAll(fileAt(bad, path)), IntegrityError);
  }));

Deno.test("DataFileContent checks the first page it reads and the thousandth", () =>
  withStore((writer) => {
    const stored = pages(range(1000), 1);
    const damaged = [0, 999];
    for (const block of damaged) {
      const page = makePage(block, 1);
      page[4000]! ^= 1;
      stored.set(block, page);
    }
    const entries = [{ path: PATH, blockCount: 1000, pages: stored }];
    const tree = openTree(writer.store, writer.write({ startTime: START, entries }));
    const content = fileAt(tree, PATH).open();
    const buffer = NATIVE.codecs.allocate(8192);
    for (const block of range(1000)) {
      const read = () => content.readInto(buffer, 0, 8192, block * 8192);
      if (damaged.includes(block)) throws(read, /block (0|999): wrong page checksum/);
      else equal(read(), 8192);
    }
    tree.close();
  }));

Deno.test("DataFileContent does not check pages of a cluster without checksums", () =>
  withStore((writer) => {
    const page = makePage(0, 1);
    page[100]! ^= 1;
    const entries = [{ path: PATH, blockCount: 1, pages: new Map([[0, page]]) }];
    const without = openTree(
      writer.store,
      writer.write({ startTime: START, entries, checksums: false }),
    );
    deepEqual(readAll(fileAt(without, PATH)), page);
    const withSums = openTree(writer.store, writer.write({ startTime: START + 1, entries }));
    throws(() => readAll(fileAt(withSums, PATH)), IntegrityError);
  }));

Deno.test("DataFileContent agrees with a plain model over random chains", () => {
  const compressions = fc.constantFrom<CompressionName>("none", "zlib", "pglz", "lz4", "zstd");
  const layer = fc.record({
    blockCount: fc.integer({ min: 0, max: 24 }),
    picked: fc.uniqueArray(fc.nat(23), { maxLength: 24 }),
    compression: compressions,
    withoutMap: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(layer, { minLength: 1, maxLength: 5 }), (layers) =>
      withStore((writer) => {
        const newest = new Map<number, Uint8Array>();
        const id = writeChain(
          writer,
          layers.map(({ blockCount, picked, compression, withoutMap }, index) => {
            const stored = pages(picked.filter((block) => block < blockCount), index + 1);
            for (const [block, page] of stored) newest.set(block, page);
            return { blockCount, pages: stored, compression, withoutMap };
          }),
        );
        const { blockCount } = layers.at(-1)!;
        const visible = [...newest].filter(([block]) => block < blockCount);
        const end = Math.max(0, ...visible.map(([block]) => block + 1));
        const expected = new Uint8Array(end * 8192);
        for (const [block, page] of visible) expected.set(page, block * 8192);
        const tree = openTree(writer.store, id);
        const actual = readAll(fileAt(tree, PATH), NATIVE, 5 * 8192);
        ok(actual.length === expected.length && actual.every((byte, at) => byte === expected[at]));
        tree.close();
      })),
    { numRuns: 60 },
  );
});

/** Counts what is asked of sources. */
class Counting {
  readonly reads: { path: string; size: number; offset: number }[] = [];
  opened = 0;

  constructor(readonly access: Access) {}

  open: OpenSource = (path) => {
    this.opened += 1;
    const source = this.access.openSource(path);
    const counted: ByteSource = {
      size: source.size,
      readAt: (target, start, size, offset) => {
        this.reads.push({ path: path.slice(path.lastIndexOf("/") + 1), size, offset });
        return source.readAt(target, start, size, offset);
      },
      close: () => source.close(),
    };
    return counted;
  };
}

Deno.test("DataFileContent reads the header map once, then one record for one block", () =>
  withStore((writer) => {
    const id = writeChain(writer, [
      { blockCount: 1000, pages: pages(range(1000), 1), compression: "none" },
    ]);
    const counting = new Counting(NATIVE);
    const tree = openPgProbackupTree({
      store: writer.store,
      instance: "main",
      backupId: id,
      openSource: counting.open,
      codecs: NATIVE.codecs,
    });
    equal(counting.opened, 0, "opening the tree touches no page data");
    const content = fileAt(tree, PATH).open();
    equal(counting.opened, 0, "opening a file neither");
    const buffer = NATIVE.codecs.allocate(1 << 20);

    content.readInto(buffer, 0, 8192, 500 * 8192);
    deepEqual(counting.reads.map(({ path }) => path), ["page_header_map", "16384"]);
    deepEqual(counting.reads[1], { path: "16384", size: 8200, offset: 500 * 8200 });

    counting.reads.length = 0;
    content.readInto(buffer, 0, 8192, 7 * 8192);
    deepEqual(counting.reads, [{ path: "16384", size: 8200, offset: 7 * 8200 }]);

    counting.reads.length = 0;
    content.readInto(buffer, 0, 16 * 8192, 0);
    deepEqual(counting.reads, [{ path: "16384", size: 16 * 8200, offset: 0 }], "one read for 16");

    counting.reads.length = 0;
    for (const half of [0, 4096]) content.readInto(buffer, 0, 4096, 3 * 8192 + half);
    equal(counting.reads.length, 1, "the second half of a page is there already");
    deepEqual(tree.counters, {
      indexFiles: 1,
      indexBytes: 12 + 4 * 32 + 2 * 1000,
      pageHits: 1,
      pageMisses: 19,
    });
    equal(counting.opened, 2);
    tree.close();
  }));

Deno.test("DataFileContent reads each backup's share of a range at once where blocks alternate", () =>
  withStore((writer) => {
    const newer = [1, 3, 5, 7, 9, 11, 12, 13, 15];
    const id = writeChain(writer, [
      { blockCount: 16, pages: pages(range(16), 1), compression: "none" },
      { blockCount: 16, pages: pages(newer, 2), compression: "none" },
    ]);
    const counting = new Counting(NATIVE);
    const tree = openPgProbackupTree({
      store: writer.store,
      instance: "main",
      backupId: id,
      openSource: counting.open,
      codecs: NATIVE.codecs,
    });
    const content = fileAt(tree, PATH).open();
    const buffer = NATIVE.codecs.allocate(16 * 8192);
    content.readInto(buffer, 0, 16 * 8192, 0);
    for (const block of range(16)) {
      const page = buffer.bytes.subarray(block * 8192, (block + 1) * 8192);
      deepEqual(page, makePage(block, newer.includes(block) ? 2 : 1));
    }
    deepEqual(
      counting.reads.filter(({ path }) => path === "16384").map(({ size, offset }) => [
        size / 8200,
        offset / 8200,
      ]),
      // One replaced record is read too; three are left out.
      [[11, 0], [9, 0], [1, 14]],
    );
    tree.close();
  }));

Deno.test("DataFileContent fetches the neighbours of a page that is read at random, once", () =>
  withStore((writer) => {
    const id = writeChain(writer, [
      { blockCount: 200, pages: pages(range(200), 1), compression: "none" },
    ]);
    const fetched: string[] = [];
    const tree = openPgProbackupTree({
      store: writer.store,
      instance: "main",
      backupId: id,
      openSource: (path) => {
        const source = NATIVE.openSource(path);
        return {
          size: source.size,
          readAt: (target, start, size, offset) => source.readAt(target, start, size, offset),
          willRead: (offset, size) => {
            fetched.push(`${path.slice(path.lastIndexOf("/") + 1)} ${offset} ${size}`);
            source.willRead?.(offset, size);
          },
          close: () => source.close(),
        };
      },
      codecs: NATIVE.codecs,
    });
    const content = fileAt(tree, PATH).open();
    const buffer = NATIVE.codecs.allocate(8192);
    for (const block of [190, 3, 185, 10, 191]) {
      equal(content.readInto(buffer, 0, 8192, block * 8192), 8192);
      deepEqual(buffer.bytes.subarray(0, 8192), makePage(block, 1));
    }
    deepEqual(fetched, ["16384 1441792 131072", "16384 0 131072"]);
    tree.close();
  }));

Deno.test("DataFileContent builds an index again after the budget has pushed it out", () =>
  withStore((writer) => {
    const entries = range(4).map((index) => ({
      path: `base/5/${20000 + index}`,
      blockCount: 20,
      pages: pages(range(20), index),
    }));
    const id = writer.write({ startTime: START, entries });
    const tree = openTree(writer.store, id, { indexBudgetBytes: 2 * (12 + 4 + 2 * 20) });
    for (let round = 0; round < 2; round++) {
      for (const [index, { path }] of entries.entries()) {
        deepEqual(readAll(fileAt(tree, path)).subarray(8192, 16384), makePage(1, index));
      }
      equal(tree.counters.indexFiles, 2);
    }
    tree.close();
  }));

Deno.test("DataFileContent builds an index once for a reader that goes on, where no memory takes it", () =>
  withStore((writer) => {
    const id = writeChain(writer, [
      { blockCount: 20, pages: pages(range(20), 1), compression: "none" },
    ]);
    const counting = new Counting(NATIVE);
    const tree = openPgProbackupTree({
      store: writer.store,
      instance: "main",
      backupId: id,
      openSource: counting.open,
      codecs: NATIVE.codecs,
      indexBudgetBytes: 0,
    });
    const content = fileAt(tree, PATH).open();
    const buffer = NATIVE.codecs.allocate(8192);
    for (const block of [3, 4, 19]) {
      content.readInto(buffer, 0, 8192, block * 8192);
      deepEqual(buffer.bytes, makePage(block, 1));
    }
    equal(counting.reads.filter(({ path }) => path === "page_header_map").length, 1);
    equal(tree.counters.indexFiles, 0);
    tree.close();
  }));

Deno.test("DataFileContent knows blocks that no backup stores, and finds them by the index", () =>
  withStore((writer) => {
    const id = writeChain(writer, [
      { blockCount: 600, pages: pages([0, 1, 2, 599], 1), compression: "zlib" },
      { blockCount: 600, pages: pages([1, 300, 301], 2), compression: "none" },
    ]);
    const file = fileAt(openTree(writer.store, id), PATH);
    const content = file.open();
    const finder = {
      nextData: (at: number) => content.nextData!(at),
      nextHole: (at: number) => content.nextHole!(at),
    };
    const ranges = dataRanges(finder, file.attributes.size);
    deepEqual(ranges, [[0, 3], [300, 302], [599, 600]].map(([a, b]) => [a! * 8192, b! * 8192]));
    checkHolesAreZeros(ranges, readAll(file));
    equal(content.nextData!(5 * 8192 + 7), 300 * 8192);
    equal(content.nextHole!(100), 3 * 8192);
    equal(content.nextHole!(4 * 8192 + 7), 4 * 8192 + 7);
    // Two backups have block 1, which their lists do not tell.
    equal(file.attributes.dataBytes, 7 * 8192);
  }));

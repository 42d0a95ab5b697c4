import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError, LimitError, UsageError } from "#src/errors.ts";
import type { CatalogDirectory, CatalogLeafKind } from "#src/pbs/format/catalog.ts";
import { type CatalogBytes, CatalogReader } from "#src/pbs/format/catalog_reader.ts";
import { CatalogWriter } from "#src/pbs/format/catalog_writer.ts";
import { encodeUnsigned } from "#src/pbs/format/varint.ts";
import { readStream } from "#tests/pbs/_stored_stream.ts";
import { cryptoVectors } from "#tests/support/crypto_vectors.ts";
import {
  expectedDatastore,
  type ExpectedTreeEntry,
  goldenKey,
  readIndex,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";

const VECTOR = cryptoVectors().catalog;
const MAGIC_SIZE = 8;

function bytesOf(stream: Uint8Array): CatalogBytes {
  return {
    size: stream.length,
    read(offset, size) {
      ok(offset >= 0 && offset + size <= stream.length, "reads only what is there");
      return stream.subarray(offset, offset + size);
    },
  };
}

function readerOf(stream: Uint8Array): CatalogReader {
  return new CatalogReader(bytesOf(stream));
}

function collect(write: (writer: CatalogWriter) => void): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const writer = new CatalogWriter((part) => bytes.push(...part));
  write(writer);
  writer.finish();
  return Uint8Array.from(bytes);
}

/** Writes what a reader reads. */
function rewrite(reader: CatalogReader, writer: CatalogWriter, directory: CatalogDirectory): void {
  for (const entry of reader.entries(directory)) {
    if (entry.kind === "directory") {
      writer.startDirectory(entry.name);
      rewrite(reader, writer, entry);
      writer.endDirectory();
    } else if (entry.kind === "file") writer.addFile(entry.name, entry.size, entry.mtime);
    else writer.addLeaf(entry.kind, entry.name);
  }
}

const LEAF_KINDS: Readonly<Record<string, CatalogLeafKind>> = {
  symlink: "symlink",
  char: "char-device",
  block: "block-device",
  fifo: "fifo",
  socket: "socket",
};

/**
 * `path kind [size mtime]` of what is expected below an archive's root; the first name of a file is
 * no hard link.
 */
function expectedLines(archive: string, tree: readonly ExpectedTreeEntry[]): string[] {
  const pathOf = (entry: ExpectedTreeEntry) =>
    entry.path ?? decodeFileName(Uint8Array.fromBase64(entry.path_b64!));
  return tree.map((entry) => {
    const path = pathOf(entry);
    const full = `/${archive}${path === "/" ? "" : path}`;
    if (entry.type === "dir") return `${full} directory`;
    if (entry.type !== "file") return `${full} ${LEAF_KINDS[entry.type]}`;
    if (entry.hardlink_group !== undefined && entry.hardlink_group !== path) {
      return `${full} hardlink`;
    }
    return `${full} file ${entry.size ?? entry.contents!.length} ${entry.mtime.secs}`;
  }).sort();
}

function linesOf(reader: CatalogReader): string[] {
  return [...reader.walk()].map(([names, entry]) => {
    const path = `/${names.join("/")} ${entry.kind}`;
    return entry.kind === "file" ? `${path} ${entry.size} ${entry.mtime}` : path;
  }).sort();
}

const EXPECTED = expectedDatastore();
for (const snapshot of EXPECTED.snapshots) {
  const archives = Object.entries(snapshot.pxar).filter(([name]) => !name.includes("+"));
  if (archives.length === 0) continue;
  const read = () => {
    const index = readIndex(join(snapshotPath(snapshot), "catalog.pcat1.didx"));
    return readStream(index, goldenKey(snapshot.key));
  };

  Deno.test(`CatalogReader lists the expected tree: ${snapshot.snapshot}`, () => {
    const expected = archives.flatMap(([name, { tree, without = [], plus = [] }]) =>
      expectedLines(name, [
        ...EXPECTED.trees[tree]!.filter(({ path }) => !without.includes(path ?? "")),
        ...plus,
      ])
    );
    deepEqual(linesOf(readerOf(read())), expected.sort());
  });

  Deno.test(`CatalogWriter makes the same bytes again: ${snapshot.snapshot}`, () => {
    const stream = read();
    const reader = readerOf(stream);
    deepEqual(collect((writer) => rewrite(reader, writer, reader.root)), stream);
  });
}

Deno.test("CatalogWriter makes the catalog of the vectors", () => {
  const stream = collect((writer) => {
    writer.startDirectory("root.pxar.didx");
    writer.startDirectory("sub");
    writer.addFile("x", 5, -1);
    writer.addLeaf("hardlink", "y");
    writer.addLeaf("symlink", "z");
    equal(writer.depth, 2);
    writer.endDirectory();
    writer.addFile("t.txt", 300, 1_700_000_000);
    writer.endDirectory();
  });
  equal(stream.toHex(), VECTOR.stream);
  const reader = readerOf(stream);
  equal(reader.root.offset, VECTOR.table_offsets[2]);
  equal(reader.entries(reader.root).length, 1);
  deepEqual(reader.find(["root.pxar.didx", "sub", "x"]), {
    kind: "file",
    name: "x",
    size: 5,
    mtime: -1,
  });
  equal(reader.find(["root.pxar.didx", "sub", "x", "no"]), undefined);
  equal(reader.find(["root.pxar.didx", "none"]), undefined);
});

Deno.test("CatalogWriter refuses names that no catalog can have, and wrong nesting", () => {
  const writer = new CatalogWriter(() => {});
  throws(() => writer.addFile("", 0, 0), UsageError);
  throws(() => writer.addFile("n".repeat(4096), 0, 0), UsageError);
  throws(() => writer.endDirectory(), UsageError);
  writer.startDirectory("a");
  throws(() => writer.finish(), UsageError);
});

type Node = { name: string; size: number; mtime: number } | { name: string; children: Node[] };

const nodes = fc.letrec<{ node: Node; list: Node[] }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" })
        .filter((name) => !/[/\0]/.test(name) && name !== "." && name !== ".."),
      size: fc.maxSafeNat(),
      mtime: fc.maxSafeInteger(),
    }),
    fc.record({ name: fc.stringMatching(/^[a-z]{1,9}$/), children: tie("list") }),
  ),
  list: fc.uniqueArray(tie("node"), { selector: ({ name }) => name, maxLength: 6 }),
})).list;

function writeNodes(writer: CatalogWriter, list: readonly Node[]): void {
  for (const node of list) {
    if ("children" in node) {
      writer.startDirectory(node.name);
      writeNodes(writer, node.children);
      writer.endDirectory();
    } else writer.addFile(node.name, node.size, node.mtime);
  }
}

function readNodes(reader: CatalogReader, directory: CatalogDirectory): Node[] {
  return reader.entries(directory).map((entry) => {
    if (entry.kind === "directory") {
      return { name: entry.name, children: readNodes(reader, entry) };
    }
    if (entry.kind !== "file") throw new Error(`Unexpected ${entry.kind}`);
    return { name: entry.name, size: entry.size, mtime: entry.mtime };
  });
}

Deno.test("CatalogReader reads what CatalogWriter wrote", () => {
  fc.assert(
    fc.property(nodes, (list) => {
      const reader = readerOf(collect((writer) => writeNodes(writer, list)));
      deepEqual(readNodes(reader, reader.root), list);
    }),
    { seed: 7, numRuns: 200 },
  );
});

function catalogOf(tables: readonly number[], rootOffset: number): Uint8Array {
  const tail = new Uint8Array(8);
  new DataView(tail.buffer).setBigUint64(0, BigInt(rootOffset), true);
  return Uint8Array.from([...Uint8Array.fromHex("91fd60f9c46758d5"), ...tables, ...tail]);
}

/** An entry for a directory of the one-letter name. */
function directoryEntry(name: string, back: number): number[] {
  return [0x64, 1, name.charCodeAt(0), ...encodeUnsigned(back)];
}

Deno.test("CatalogReader refuses tables outside the stream, at themselves or after themselves", () => {
  throws(() => new CatalogReader(bytesOf(new Uint8Array(0))), FormatError);
  throws(() => readerOf(catalogOf([1, 0], 7)), FormatError);
  throws(() => readerOf(catalogOf([1, 0], 10)), FormatError);
  throws(() => readerOf(catalogOf([1, 0], 2 ** 52)), FormatError);
  for (const back of [0, 1, 9, 2 ** 40]) {
    const table = [1, ...directoryEntry("d", back)];
    const reader = readerOf(catalogOf([table.length, ...table], 8));
    throws(() => [...reader.walk()], FormatError, `back by ${back}`);
  }
});

Deno.test("CatalogReader does not follow tables that are used twice", () => {
  // Each table has two directories that are both the table before: 2^40 paths.
  const tables = [1, 0];
  let previous = 8;
  for (let level = 0; level < 40; level++) {
    const offset = MAGIC_SIZE + tables.length;
    const back = offset - previous;
    const table = [2, ...directoryEntry("a", back), ...directoryEntry("b", back)];
    tables.push(table.length, ...table);
    previous = offset;
  }
  const reader = readerOf(catalogOf(tables, previous));
  throws(() => [...reader.walk()], FormatError);
});

Deno.test("CatalogReader believes no length and no count", () => {
  const refused = (table: readonly number[], what: string) => {
    const reader = () => readerOf(catalogOf(table, 8));
    throws(() => reader().entries(reader().root), FormatError, what);
  };
  refused([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "a length of 2^64 - 1");
  refused(Array(12).fill(0xff), "a number that does not end");
  refused([5, 0], "a table that runs past the end");
  refused([5, 0xff, 0xff, 0xff, 0xff, 0x0f], "4 billion entries");
  refused([2, 0, 0], "bytes after the last entry");
  refused([5, 1, 0x66, 0x80, 0x20, 0x61], "a name of 4096 bytes");
  refused([5, 1, 0x66, 9, 0x61, 0], "a name that runs past the end");
  refused([4, 1, 0x78, 1, 0x61], "an unknown type");
  refused([4, 1, 0x6c, 1, 0x2f], "a name with a slash");
  refused([5, 1, 0x6c, 2, 0x2e, 0x2e], "the name ..");
  refused([3, 1, 0x6c, 0], "no name");
  refused([7, 2, 0x6c, 1, 0x61, 0x6c, 1, 0x61], "a name twice");
});

Deno.test("CatalogReader gives a result or a typed error for any damage", () => {
  const stream = Uint8Array.fromHex(VECTOR.stream);
  for (let offset = 0; offset < stream.length; offset++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = stream.slice();
      damaged[offset]! ^= 1 << bit;
      try {
        linesOf(readerOf(damaged));
      } catch (error) {
        ok(error instanceof FormatError || error instanceof LimitError, `${error}`);
      }
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 90 }), (table, offset) => {
      try {
        linesOf(readerOf(catalogOf([...table], offset)));
      } catch (error) {
        ok(error instanceof FormatError || error instanceof LimitError, `${error}`);
      }
    }),
    { seed: 11, numRuns: 3000 },
  );
});

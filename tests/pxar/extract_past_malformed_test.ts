/** Malformed entries among sound ones: what is extracted, what is named, and what is left alone. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { streamOf } from "#src/backup/source_stream.ts";
import { FormatError } from "#src/errors.ts";
import {
  DescriptorTarget,
  extractArchive,
  extractPaths,
  type ExtractReport,
  OVERWRITE_ALL,
  PlainTarget,
  RESTORE_ALL,
} from "#src/pxar/extractor/mod.ts";
import { memoryEntry, PxarAccessor, PxarDecoder, PxarEncoder } from "#src/pxar/mod.ts";
import { MemorySink, MemorySource } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { DIRECTORY, FILE, streamOf as pipeOf, text } from "./_extract_support.ts";

const OLD = "of somebody else";
const HEADER_SIZE = 16;
const STAT_SIZE = 40;
const TABLE_ITEM_SIZE = 24;

interface Archive {
  readonly metadata: Buffer;
  readonly payload: Buffer | undefined;
}

/** `d1` to `d3` with `f1` to `f4` each, and `z` with a further name of each of these files. */
function sample(isSplit: boolean): Archive {
  const [metadata, payload] = [new MemorySink(), new MemorySink()];
  const encoder = new PxarEncoder(metadata, {
    root: DIRECTORY(),
    payload: isSplit ? payload : undefined,
  });
  const links: [name: string, targetPath: string, target: number][] = [];
  for (const directory of ["d1", "d2", "d3"]) {
    encoder.add(directory, { kind: "directory", metadata: DIRECTORY() });
    for (const file of ["f1", "f2", "f3", "f4"]) {
      const path = `${directory}/${file}`;
      const target = encoder.add(file, memoryEntry(FILE(), text(contentOf(path))));
      links.push([`${directory}${file}`, path, target]);
    }
    encoder.finishDirectory();
  }
  encoder.add("z", { kind: "directory", metadata: DIRECTORY() });
  for (const [name, targetPath, target] of links) {
    encoder.add(name, { kind: "hardlink", targetPath, target });
  }
  encoder.finishDirectory();
  encoder.finish();
  return {
    metadata: Buffer.from(metadata.bytes()),
    payload: isSplit ? Buffer.from(payload.bytes()) : undefined,
  };
}

const FILES = ["d1", "d2", "d3"].flatMap((directory) =>
  ["f1", "f2", "f3", "f4"].map((file) => `${directory}/${file}`)
);

function contentOf(path: string): string {
  return `content of ${path} `.repeat(100);
}

/** Offset of the FILENAME header of `d2/f2`; the other names are the same in each directory. */
function offsetOfVictim(metadata: Buffer): number {
  const directory = metadata.indexOf("d2\0");
  return metadata.indexOf("f2\0", directory) - HEADER_SIZE;
}

/** Offset of the size in the PAYLOAD header, or of the reference in the PAYLOAD_REF. */
const PAYLOAD_FIELD = HEADER_SIZE + 3 + HEADER_SIZE + STAT_SIZE;

function addTo(bytes: Buffer, offset: number, difference: number): void {
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE(offset) + BigInt(difference), offset);
}

interface Damage {
  readonly what: string;
  readonly isSplit: boolean;
  apply(archive: Archive, offset: number): void;
  /** Paths of files that are lost; by default `d2/f2`. */
  readonly lost?: readonly string[];
  /** What is named for it, in order and by the tables. */
  readonly named: readonly [inOrder: string, byTables: string];
}

const DAMAGES: readonly Damage[] = [
  {
    what: "an entry of garbage",
    isSplit: false,
    apply: ({ metadata }, offset) => metadata.fill(0xff, offset, offset + 70),
    named: ["/d2", "/d2"],
  },
  {
    what: "a mode that is no type",
    isSplit: false,
    apply: ({ metadata }, offset) => {
      metadata.writeBigUInt64LE(0o050644n, offset + HEADER_SIZE + 3 + HEADER_SIZE);
    },
    named: ["/d2/f2", "/d2"],
  },
  {
    what: "a content that leads into the next entry",
    isSplit: false,
    apply: ({ metadata }, offset) => addTo(metadata, offset + PAYLOAD_FIELD + 8, 300),
    named: ["/d2/f2", "/d2"],
  },
  {
    what: "a content that is cut short",
    isSplit: false,
    apply: ({ metadata }, offset) => addTo(metadata, offset + PAYLOAD_FIELD + 8, -300),
    named: ["/d2/f2", "/d2"],
  },
  {
    what: "a content larger than the archive",
    isSplit: false,
    apply: ({ metadata }, offset) => addTo(metadata, offset + PAYLOAD_FIELD + 8, 1 << 30),
    named: ["/d2/f2", "/d2"],
  },
  {
    what: "a reference to no payload",
    isSplit: true,
    apply: ({ metadata }, offset) => addTo(metadata, offset + PAYLOAD_FIELD + HEADER_SIZE, 7),
    named: ["/d2/f2", "/d2/f2"],
  },
  {
    what: "a reference behind the payload",
    isSplit: true,
    apply: ({ metadata }, offset) => addTo(metadata, offset + PAYLOAD_FIELD + HEADER_SIZE, 1 << 30),
    named: ["/d2/f2", "/d2/f2"],
  },
  {
    what: "a payload that has another size",
    isSplit: true,
    apply: ({ payload }) => {
      addTo(payload!, payload!.indexOf(contentOf("d2/f2")) - 8, 1);
    },
    named: ["/d2/f2", "/d2/f2"],
  },
];

/** Extracts into `target`, in order or by the tables. */
function extract(
  { metadata, payload }: Archive,
  target: DescriptorTarget | PlainTarget,
  isInOrder: boolean,
): ExtractReport {
  const sourceOf = (bytes: Buffer) => new MemorySource(bytes);
  const openAccessor = () =>
    PxarAccessor.open(sourceOf(metadata), { payload: payload && sourceOf(payload) });
  if (!isInOrder) return extractPaths(openAccessor(), ["/"], target);
  const decoder = new PxarDecoder(streamOf(sourceOf(metadata)), {
    payload: payload && streamOf(sourceOf(payload)),
  });
  return extractArchive(decoder, target, { openTables: () => sourceOf(metadata), openAccessor });
}

/** A directory with a file of somebody else in each place. */
function withOldFiles(scratch: TempDirectory): string {
  for (const path of FILES) {
    Deno.mkdirSync(scratch.join(`t/${path.split("/")[0]}`), { recursive: true });
    Deno.writeTextFileSync(scratch.join(`t/${path}`), OLD);
  }
  return scratch.join("t");
}

function contentAt(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

for (const Target of [DescriptorTarget, PlainTarget]) {
  for (const isInOrder of [true, false]) {
    for (const { what, isSplit, apply, lost = ["d2/f2"], named } of DAMAGES) {
      const how = isInOrder ? "in order" : "by the tables";
      Deno.test(`${Target.name}, ${how}: ${what} costs that file and its other names`, () => {
        using scratch = new TempDirectory("past");
        const root = withOldFiles(scratch);
        const archive = sample(isSplit);
        apply(archive, offsetOfVictim(archive.metadata));
        const features = { ...RESTORE_ALL, owner: false };
        const overwrite = { ...OVERWRITE_ALL, directories: true };
        const report = extract(archive, Target.open(root, { features, overwrite }), isInOrder);
        for (const path of FILES) {
          const link = `${root}/z/${path.replace("/", "")}`;
          if (!lost.includes(path)) {
            assert.equal(contentAt(`${root}/${path}`), contentOf(path), path);
            assert.equal(contentAt(link), contentOf(path), link);
            continue;
          }
          // What was there before is there, or nothing; never a part, and never under other names.
          assert.ok([OLD, undefined].includes(contentAt(`${root}/${path}`)), path);
          assert.equal(contentAt(link), undefined, link);
        }
        const paths = new Set(report.problems.map(({ path }) => path));
        const links = lost.map((path) => `/z/${path.replace("/", "")}`);
        assert.deepEqual([...paths].sort(), [named[isInOrder ? 0 : 1], ...links].sort());
        assert.equal(report.errorCount, paths.size);
        assert.equal(report.counts.file, FILES.length - lost.length);
        const bytes = FILES.filter((path) => !lost.includes(path))
          .reduce((sum, path) => sum + contentOf(path).length, 0);
        assert.equal(report.contentBytes, bytes);
      });
    }
  }
}

Deno.test("in order, what tables say is not needed as long as nothing else is malformed", () => {
  using scratch = new TempDirectory("past");
  const archive = sample(false);
  const next = archive.metadata.indexOf("d3\0") - HEADER_SIZE;
  archive.metadata.fill(0xee, next - 5 * TABLE_ITEM_SIZE, next);
  const features = { ...RESTORE_ALL, owner: false };
  const report = extract(archive, DescriptorTarget.open(scratch.join("t"), { features }), true);
  assert.deepEqual(report.problems, []);
  for (const path of FILES) assert.equal(contentAt(scratch.join(`t/${path}`)), contentOf(path));
});

Deno.test("references that are not in order cost the file that is out of order", () => {
  using scratch = new TempDirectory("past");
  const archive = sample(true);
  const victim = offsetOfVictim(archive.metadata);
  const reference = victim + PAYLOAD_FIELD + HEADER_SIZE;
  // All contents have one size: it refers to what belongs to the last one.
  const last = archive.payload!.indexOf(contentOf("d3/f3")) - HEADER_SIZE;
  archive.metadata.writeBigUInt64LE(BigInt(last), reference);
  const features = { ...RESTORE_ALL, owner: false };
  const report = extract(archive, DescriptorTarget.open(scratch.join("t"), { features }), true);
  assert.deepEqual(report.problems.map(({ path }) => path), ["/d2/f3", "/z/d2f3"]);
  for (const path of FILES.filter((path) => path !== "d2/f2" && path !== "d2/f3")) {
    assert.equal(contentAt(scratch.join(`t/${path}`)), contentOf(path), path);
  }
});

for (const { what, isSplit, apply, named } of DAMAGES) {
  Deno.test(`strict, or from a pipe: ${what} is the end`, () => {
    const archive = sample(isSplit);
    apply(archive, offsetOfVictim(archive.metadata));
    const { metadata, payload } = archive;
    const features = { ...RESTORE_ALL, owner: false };
    for (const isStrict of [true, false]) {
      using scratch = new TempDirectory("past");
      const stream = isStrict ? (bytes: Buffer) => streamOf(new MemorySource(bytes)) : pipeOf;
      const decoder = new PxarDecoder(stream(metadata), { payload: payload && stream(payload) });
      const target = DescriptorTarget.open(scratch.join("t"), { features });
      const openTables = isStrict ? () => new MemorySource(metadata) : undefined;
      assert.throws(() => extractArchive(decoder, target, { isStrict, openTables }), FormatError);
      assert.equal(contentAt(scratch.join("t/d2/f1")), contentOf("d2/f1"), named[0]);
      assert.equal(contentAt(scratch.join("t/d2/f3")), undefined);
    }
  });
}

Deno.test("a payload stream that was not given is one error, not one of each file", () => {
  using scratch = new TempDirectory("past");
  const { metadata } = sample(true);
  const target = DescriptorTarget.open(scratch.join("t"));
  const failure = { code: "missing-payload" };
  assert.throws(() => extract({ metadata, payload: undefined }, target, true), failure);
});

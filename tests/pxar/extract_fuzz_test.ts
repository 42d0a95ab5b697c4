/** Damaged archives, many of them: nothing but typed errors, and nothing outside of the target. */

import { memoryEntry } from "#src/pxar/new_entry.ts";
import assert from "node:assert/strict";
import { Failure } from "#src/errors.ts";
import {
  DescriptorTarget,
  extractArchive,
  OVERWRITE_ALL,
  RESTORE_ALL,
} from "#src/pxar/extractor/mod.ts";
import { streamOf } from "#src/backup/source_stream.ts";
import { PxarAccessor, PxarDecoder } from "#src/pxar/mod.ts";
import { MemorySource } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  archiveOf,
  clearAttributes,
  decoderOf,
  DIRECTORY,
  FILE,
  metadata,
  snapshot,
  SYMLINK,
  text,
} from "./_extract_support.ts";

const SEED = 20_261_121;
const RUNS = 600;

/** mulberry32: numbers from 0 to 1 that are the same in each run. */
function randomOf(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

function sample(outside: string): Uint8Array {
  return archiveOf((encoder) => {
    encoder.add("b", { kind: "symlink", metadata: SYMLINK(), target: outside });
    encoder.add("c", { kind: "directory", metadata: DIRECTORY() });
    const first = encoder.add("victim", memoryEntry(FILE(), text("evil")));
    encoder.add("x", { kind: "hardlink", targetPath: "c/victim", target: first });
    encoder.add(
      "y",
      memoryEntry(FILE({ xattrs: [{ name: "user.a", value: text("b") }] }), text("evil")),
    );
    encoder.finishDirectory();
    encoder.add("d", { kind: "fifo", metadata: metadata(0o010644) });
    encoder.add("e", { kind: "device", metadata: metadata(0o020644), major: 1n, minor: 3n });
    encoder.add("f", { kind: "hardlink", targetPath: "c/victim", target: first });
    encoder.add("victim", memoryEntry(FILE(), new Uint8Array(9000)));
  });
}

/** Changes some bytes, or copies a part of the archive over another. */
function mutate(archive: Uint8Array, random: () => number): Uint8Array {
  const bytes = archive.slice();
  const place = () => Math.floor(random() * bytes.length);
  for (let count = Math.floor(random() * 4); count >= 0; count--) {
    const kind = random();
    if (kind < 0.4) bytes[place()] = Math.floor(random() * 256);
    else if (kind < 0.6) bytes[place()] = "/.bcdefxy\0"[Math.floor(random() * 10)]!.charCodeAt(0);
    else if (kind < 0.8) bytes[place()]! ^= 1 << Math.floor(random() * 8);
    else bytes.copyWithin(place(), place(), place());
  }
  return bytes;
}

Deno.test("extractArchive of damaged archives ends in typed errors and changes nothing outside", () => {
  using scratch = new TempDirectory("fuzz");
  const outside = scratch.join("outside");
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(`${outside}/victim`, "safe");
  const before = snapshot(outside);
  const archive = sample(outside);
  const random = randomOf(SEED);
  let restored = 0;
  for (let run = 0; run < RUNS; run++) {
    const bytes = mutate(archive, random);
    const directory = scratch.join(`t${run % 8}`);
    try {
      const target = DescriptorTarget.open(directory, {
        features: { ...RESTORE_ALL, projectIds: false },
        overwrite: { ...OVERWRITE_ALL, directories: true },
      });
      // Every other time what is malformed is left behind, by the tables.
      const source = new MemorySource(bytes);
      restored += run % 2 === 0
        ? extractArchive(decoderOf(bytes), target).entryCount
        : extractArchive(new PxarDecoder(streamOf(source)), target, {
          openTables: () => source,
          openAccessor: () => PxarAccessor.open(source),
        }).entryCount;
    } catch (error) {
      assert.ok(error instanceof Failure, `run ${run}: ${error}`);
    }
    clearAttributes(directory);
    assert.deepEqual(snapshot(outside), before, `run ${run}`);
  }
  assert.ok(restored > RUNS);
  const names = [...Deno.readDirSync(scratch.path)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["outside", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"]);
});

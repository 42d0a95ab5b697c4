/**
 * Lookups by path in a large archive, by the library.
 *
 * @module
 */

import assert from "node:assert/strict";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { openPlainSource } from "#src/io/files/plain_source.ts";
import { memoryEntry, PxarAccessor, PxarEncoder } from "#src/pxar/mod.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { FileType } from "#src/tree/node.ts";
import { median } from "../host.ts";
import { listManyPaths } from "./data.ts";
import type { PxarReport } from "./report.ts";
import { shuffledBlocks } from "../reader.ts";

const LOOKUPS = 50_000;
const ROUNDS = 3;

function metadata(mode: number): Metadata {
  return {
    mode,
    flags: 0n,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
    xattrs: [],
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
  };
}

function writeArchive(path: string, files: readonly string[]): void {
  using output = Deno.openSync(path, { write: true, createNew: true });
  const directory = metadata(FileType.DIRECTORY | 0o755);
  const file = metadata(FileType.FILE | 0o644);
  const content = new Uint8Array(64).fill(7);
  const encoder = new PxarEncoder({
    write: (bytes) => {
      for (let done = 0; done < bytes.length;) done += output.writeSync(bytes.subarray(done));
    },
  }, { root: directory });
  let open: string | undefined;
  for (const filePath of files) {
    const [parent, name] = filePath.split("/") as [string, string];
    if (parent !== open) {
      if (open !== undefined) encoder.finishDirectory();
      encoder.add(open = parent, { kind: "directory", metadata: directory });
    }
    encoder.add(name, memoryEntry(file, content));
  }
  encoder.finishDirectory();
  encoder.finish();
}

/** Lookups in random order, each by an accessor that has seen none of the paths or all of them. */
export function benchmarkLookups(directory: string, report: PxarReport): void {
  const paths = listManyPaths();
  const archive = `${directory}/many.pxar`;
  writeArchive(archive, paths);
  const order = shuffledBlocks(paths.length).subarray(0, LOOKUPS);
  for (
    const [name, open] of [["", openNativeSource], [" without FFI", openPlainSource]] as const
  ) {
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const source = open(archive);
      const accessor = PxarAccessor.open(source, { allocate: allocateNativeBuffer });
      const start = performance.now();
      for (const index of order) assert.ok(accessor.lookup(paths[index]!) !== undefined);
      rates.push(LOOKUPS / (performance.now() - start) * 1000);
      source.close();
    }
    report.add({
      name: `lookups in an archive of 100,000 entries${name}`,
      unit: "1/s",
      value: median(rates),
    });
  }
}

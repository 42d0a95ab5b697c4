/**
 * Mutated archives through every reader: only failures of the known kinds, no hang, no memory by
 * declared sizes; and what verification finds sound reads the same in order and at random.
 *
 * `PBKFS_FUZZ_RUNS` sets the number of mutated archives, `PBKFS_FUZZ_SEED` the first seed.
 */

import assert from "node:assert/strict";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { Failure } from "#src/errors.ts";
import type { SequentialSource } from "#src/io/streams.ts";
import {
  openPxarTree,
  PxarAccessor,
  type PxarAccessorOptions,
  type PxarChild,
  PxarDecoder,
  type PxarLinkNode,
  type PxarNode,
  verifyArchive,
} from "#src/pxar/mod.ts";
import { walk } from "#src/tree/walk.ts";
import {
  describeEntry,
  MemorySource,
  pxarFixtures,
  sequentialBytes,
} from "#tests/support/pxar_fixtures.ts";

const RUNS = Number(Deno.env.get("PBKFS_FUZZ_RUNS") ?? 60_000);
const FIRST_SEED = Number(Deno.env.get("PBKFS_FUZZ_SEED") ?? 1);
const TIME_MAX_MS = 1000;
/** Larger than any buffer that readers need for archives as small as these. */
const BUFFER_SIZE_MAX = 2 << 20;
const ARCHIVE_SIZE_MAX = 25_000;

/** A generator of Marsaglia's xorshift kind. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) | 1;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

interface Archive {
  readonly metadata: Uint8Array;
  readonly payload: Uint8Array | undefined;
}

/** Offsets of the items' headers, which are worth more than other places. */
function headerOffsets(metadata: Uint8Array): number[] {
  const view = new DataView(metadata.buffer);
  const offsets = [];
  for (let at = 0; at + 16 <= metadata.length;) {
    offsets.push(at);
    at += Number(view.getBigUint64(at + 8, true));
  }
  return offsets;
}

const VALUES = [0n, 1n, 15n, 16n, 17n, 40n, 56n, 0xffffn, 1n << 31n, 1n << 40n, 1n << 63n, ~0n];

function mutate(random: Random, bytes: Uint8Array, headers: readonly number[]): Uint8Array {
  const changed = bytes.slice();
  if (changed.length < 16) return changed;
  const view = new DataView(changed.buffer);
  const somewhere = () => {
    const isAtHeader = headers.length > 0 && random.below(2) === 0;
    const at = isAtHeader
      ? headers[random.below(headers.length)]! + random.below(40)
      : random.below(changed.length);
    return Math.min(at, changed.length - 1);
  };
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = somewhere();
    switch (random.below(6)) {
      case 0:
        changed[at]! ^= 1 << random.below(8);
        break;
      case 1:
        changed[at] = random.below(256);
        break;
      case 2: {
        const word = Math.min(at & ~7, changed.length - 8);
        view.setBigUint64(word, VALUES[random.below(VALUES.length)]!, true);
        break;
      }
      case 3:
        changed.copyWithin(at, somewhere(), somewhere());
        break;
      case 4:
        if (headers.length > 0) {
          const from = headers[random.below(headers.length)]!;
          changed.copyWithin(headers[random.below(headers.length)]!, from, from + 16);
        }
        break;
      case 5:
        if (random.below(4) === 0) return changed.slice(0, at);
    }
  }
  return changed;
}

/** Runs a reader, which may fail in the known ways. @returns undefined when it did */
function surviving<Result>(run: () => Result): Result | undefined {
  const start = performance.now();
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return undefined;
  } finally {
    assert.ok(performance.now() - start < TIME_MAX_MS, "a reader takes too long");
  }
}

function readSequentially(random: Random, { metadata, payload }: Archive): unknown[] {
  const pieceSize = 1 + random.below(5000);
  const sourceOf = (bytes: Uint8Array): SequentialSource => {
    const source = sequentialBytes(bytes, pieceSize);
    return {
      read: (target) => {
        assert.ok(target.buffer.byteLength <= BUFFER_SIZE_MAX, `${target.buffer.byteLength} bytes`);
        return source.read(target);
      },
      skip: (size) => source.skip(size),
    };
  };
  const decoder = new PxarDecoder(
    sourceOf(metadata),
    payload === undefined ? {} : { payload: sourceOf(payload) },
  );
  const entries = [];
  const target = new Uint8Array(4096);
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry") continue;
    entries.push(describeEntry(event.path, event.entry));
    if (random.below(3) > 0) { while (decoder.readContent(target) > 0); }
  }
  return entries;
}

function optionsOf({ payload }: Archive): PxarAccessorOptions {
  const allocate = (size: number) => {
    assert.ok(size <= BUFFER_SIZE_MAX, `${size} bytes`);
    return plainBuffer(size);
  };
  return payload === undefined ? { allocate } : { allocate, payload: new MemorySource(payload) };
}

function readAtRandom(archive: Archive): unknown[] {
  const accessor = PxarAccessor.open(new MemorySource(archive.metadata), optionsOf(archive));
  const entries: unknown[] = [];
  const target = plainBuffer(65_536);
  const visit = (path: string, child: PxarChild): void => {
    entries.push(describeEntry(path, child.entry));
    const node = child.entry.kind === "hardlink"
      ? accessor.resolveHardlink(child as PxarLinkNode)
      : child as PxarNode;
    if (node.entry.kind === "file") accessor.readContent(node, 0, target, 0, target.bytes.length);
    if (node.table === undefined) return;
    for (const next of accessor.readDirectory(node)) {
      assert.equal(accessor.storedChild(node, next.name)?.name, next.name);
      visit(path === "/" ? `/${next.name}` : `${path}/${next.name}`, next);
    }
  };
  visit("/", accessor.root);
  return entries;
}

function readTree(random: Random, archive: Archive): void {
  const tree = openPxarTree(new MemorySource(archive.metadata), optionsOf(archive));
  for (let i = 0; i < 20; i++) {
    surviving(() => tree.nodeById(random.below(archive.metadata.length + 10)));
  }
  for (const { node } of walk(tree)) {
    surviving(() => node.xattrs());
    assert.equal(tree.nodeById(node.id)?.id, node.id);
  }
}

Deno.test("PxarDecoder, PxarAccessor and verifyArchive survive mutated archives", () => {
  const archives = pxarFixtures().map(({ path, payloadPath }) => ({
    metadata: Deno.readFileSync(path),
    payload: payloadPath === undefined ? undefined : Deno.readFileSync(payloadPath),
  })).filter(({ metadata, payload }) => {
    return metadata.length + (payload?.length ?? 0) <= ARCHIVE_SIZE_MAX;
  });
  const headers = archives.map(({ metadata }) => headerOffsets(metadata));
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const random = new Random(seed);
    const chosen = random.below(archives.length);
    const { metadata, payload } = archives[chosen]!;
    const isPayloadMutated = payload !== undefined && random.below(3) === 0;
    const archive = {
      metadata: isPayloadMutated ? metadata : mutate(random, metadata, headers[chosen]!),
      payload: isPayloadMutated ? mutate(random, payload, [0, 16]) : payload,
    };
    try {
      const source = new MemorySource(archive.metadata);
      const findings = surviving(() => [...verifyArchive(source, optionsOf(archive))]);
      assert.ok(findings !== undefined, "verifyArchive throws");
      const inOrder = surviving(() => readSequentially(random, archive));
      const atRandom = surviving(() => readAtRandom(archive));
      surviving(() => readTree(random, archive));
      if (findings.length === 0) {
        assert.ok(inOrder !== undefined, "verified, but cannot be read in order");
        assert.deepEqual(atRandom, inOrder);
      }
    } catch (error) {
      throw new Error(`Seed ${seed}`, { cause: error });
    }
  }
});

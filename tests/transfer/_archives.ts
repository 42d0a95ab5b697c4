/**
 * Archives in memory for tests, and the independent check of what was written.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { SequentialSource, Sink } from "#src/io/streams.ts";
import { openPxarTree, PxarDecoder } from "#src/pxar/mod.ts";
import { ArchiveWriter, type TreeWriter } from "#src/transfer/mod.ts";
import type { Tree } from "#src/tree/mod.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHECKER = new URL("../../../shared/tools/check_pxar.py", import.meta.url).pathname;
const CHECK_TIMEOUT_MS = 60_000;

/** Whether the independent checker is there. */
export const hasChecker: boolean = exists(CHECKER);

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Keeps what is written. */
export class MemorySink implements Sink {
  readonly #parts: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.#parts.push(bytes.slice());
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}

/** Bytes in memory as a source; counts what is read. */
export class MemorySource implements ByteSource, SequentialSource {
  readonly size: number;
  bytesRead = 0;
  reads = 0;
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.size = bytes.length;
  }

  readAt(target: NativeBuffer, start: number, size: number, offset: number): number {
    const part = this.#bytes.subarray(offset, offset + size);
    target.bytes.set(part, start);
    this.reads++;
    this.bytesRead += part.length;
    return part.length;
  }

  read(target: Uint8Array): number {
    const part = this.#bytes.subarray(this.#position, this.#position + target.length);
    target.set(part);
    this.#position += part.length;
    return part.length;
  }

  skip(size: number): number {
    const count = Math.min(size, this.size - this.#position);
    this.#position += count;
    return count;
  }

  close(): void {}
}

/** An archive in memory. */
export interface MemoryArchive {
  readonly metadata: Uint8Array<ArrayBuffer>;
  readonly payload: Uint8Array<ArrayBuffer> | undefined;
}

/** The form of an archive: one stream, or two. */
export type ArchiveVersion = 1 | 2;

/** Writes an archive by `write`. */
export function makeArchive(
  version: ArchiveVersion,
  write: (writer: TreeWriter) => void,
): MemoryArchive {
  const metadata = new MemorySink();
  const payload = version === 2 ? new MemorySink() : undefined;
  const writer = new ArchiveWriter({ metadata, payload });
  write(writer);
  assert.equal(writer.sizes?.metadataSize, metadata.bytes.length);
  assert.equal(writer.sizes?.payloadSize, payload?.bytes.length);
  return { metadata: metadata.bytes, payload: payload?.bytes };
}

/** Opens an archive for random access. */
export function openArchive({ metadata, payload }: MemoryArchive): Tree {
  return openPxarTree(
    new MemorySource(metadata),
    payload === undefined ? {} : { payload: new MemorySource(payload) },
  );
}

/** Opens an archive for reading in order. */
export function decodeArchive({ metadata, payload }: MemoryArchive): PxarDecoder {
  return new PxarDecoder(
    new MemorySource(metadata),
    payload === undefined ? {} : { payload: new MemorySource(payload) },
  );
}

/** Lets the independent checker judge archives; nothing where it is missing. */
export async function checkArchives(archives: readonly MemoryArchive[]): Promise<void> {
  if (!hasChecker) return;
  using place = new TempDirectory("transfer");
  for (const [index, { metadata, payload }] of archives.entries()) {
    const path = place.join(`${index}.${payload === undefined ? "pxar" : "mpxar"}`);
    Deno.writeFileSync(path, metadata);
    if (payload !== undefined) Deno.writeFileSync(place.join(`${index}.ppxar`), payload);
    const { code, stdout, stderr } = await runCommand(["python3", CHECKER, path], {
      timeoutMs: CHECK_TIMEOUT_MS,
      check: false,
    });
    assert.equal(code, 0, `${path}: ${stdout}\n${stderr}`);
  }
}

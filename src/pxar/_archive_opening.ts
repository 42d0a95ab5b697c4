/**
 * Opens an archive at random: what stands before the root, and the root itself (format specification, section 8).
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { located, readEntry } from "./_entry_reader.ts";
import type { ItemInput } from "./_item_input.ts";
import { readPrelude, readVersion } from "./_prologue.ts";
import type { RandomInput } from "./_random_input.ts";
import { SourceCursor } from "./_source_cursor.ts";
import type { PxarNode } from "./archive_node.ts";
import { PxarDecoder } from "./decoder.ts";
import { Item } from "./format/item.ts";

/** What an archive begins and ends with. */
export interface ArchiveOpening {
  readonly version: 1 | 2;
  readonly prelude: Uint8Array | undefined;
  readonly root: PxarNode;
}

/**
 * Finds the root directory. When its table is not at the end, the archive is read in order, to tell an archive that is
 * cut off or damaged in between from one with a wrong table.
 *
 * @throws {FormatError}
 */
export function openArchive(
  random: RandomInput,
  source: ByteSource,
  allocate: (size: number) => NativeBuffer,
  name: string | undefined,
): ArchiveOpening {
  try {
    return located(random.goTo(0, source.size), (input) => readOpening(random, input, source.size));
  } catch (error) {
    if (error instanceof FormatError && error.code === "bad-goodbye") {
      const decoder = new PxarDecoder(
        new SourceCursor(source, allocate),
        name === undefined ? {} : { name },
      );
      while (decoder.next() !== undefined);
    }
    throw error;
  }
}

function readOpening(random: RandomInput, input: ItemInput, size: number): ArchiveOpening {
  input.header();
  let version: 1 | 2 = 1;
  let prelude: Uint8Array | undefined;
  const isVersioned = input.item === Item.FORMAT_VERSION;
  if (isVersioned) {
    version = readVersion(input);
    input.header();
    if (version === 2 && input.item === Item.PRELUDE) {
      prelude = readPrelude(input);
      input.header();
    }
  }
  const entryOffset = input.itemOffset;
  const entry = readEntry(input, false);
  if (entry.kind !== "directory") {
    input.fail("unexpected-item", "Cannot read archive: its root is no directory", entryOffset);
  }
  const childrenOffset = input.position;
  const { offset, count, tailTarget } = random.tableBefore(size);
  // In version 2 the reference counts from the beginning of the stream.
  const isTarget = tailTarget === entryOffset || (isVersioned && tailTarget === 0);
  if (!isTarget || offset < childrenOffset) {
    input.fail("bad-goodbye", "Cannot read goodbye table: it is not the root's", offset);
  }
  const table = { entryOffset, childrenOffset, offset, count, depth: 0 };
  return { version, prelude, root: { name: "", offset: entryOffset, end: size, entry, table } };
}

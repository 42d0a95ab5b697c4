/**
 * Opens an archive at random: what stands before the root, and the root itself.
 *
 * @module
 */

import { atItem, readEntry } from "./entry_reader.ts";
import type { ItemInput } from "./item_input.ts";
import { readPrelude, readVersion } from "./prologue.ts";
import type { RandomInput } from "./random_input.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { isTableDamage, type TableRebuilder } from "./table_rebuilder.ts";
import type { PxarNode, PxarTable } from "../archive_node.ts";
import type { PxarEntry } from "../entry.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { Item } from "../format/item.ts";

/** Metadata of a root whose own cannot be read: accessible to its owner alone. */
const LOST_METADATA: Metadata = {
  mode: 0o40700,
  flags: 0n,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: [],
  acl: NO_ACL,
  fcaps: undefined,
  projectId: 0n,
};

/** What an archive begins and ends with. */
export interface ArchiveOpening {
  readonly version: 1 | 2;
  readonly prelude: Uint8Array | undefined;
  readonly root: PxarNode;
}

/**
 * Finds the root directory. When its table is not at the end, the archive is read in order: it may
 * be cut off or damaged.
 *
 * @param version to assume where the beginning cannot be read
 * @throws {FormatError}
 * @throws what a rebuilt table says, when nothing was found
 */
export function readArchiveOpening(
  random: RandomInput,
  size: number,
  tables: TableRebuilder,
  version: 1 | 2,
): ArchiveOpening {
  const opening = readBeginning(random, size, version);
  const { table, reason } = opening;
  if (reason === undefined) return openingOf(opening, table, size);
  const { entryOffset, childrenOffset } = table;
  const place = { offset: entryOffset, childrenOffset, limit: size };
  const rebuilt = tables.rebuild(place, reason);
  if (rebuilt.count === 0) throw rebuilt.damage;
  const { offset, count } = rebuilt;
  return openingOf(opening, { ...table, offset, count, rebuilt }, size);
}

function readBeginning(random: RandomInput, size: number, version: 1 | 2): Beginning {
  try {
    return atItem(random.goTo(0, size), (input) => readOpening(random, input, size));
  } catch (error) {
    if (!isDamage(error)) throw error;
    return readEnd(random, size, version, error);
  }
}

/** The root by its table alone. What is stored of itself is lost with the beginning. */
function readEnd(random: RandomInput, size: number, version: 1 | 2, damage: Error): Beginning {
  let place: { offset: number; count: number; tailTarget: number };
  let childrenOffset: number;
  try {
    place = random.tableBefore(size);
    childrenOffset = place.offset;
    for (let index = 0; index < place.count; index++) {
      childrenOffset = Math.min(
        childrenOffset,
        place.offset - random.tableItem(place, index).offset,
      );
    }
  } catch (error) {
    if (isTableDamage(error)) throw damage;
    throw error;
  }
  const { offset, count, tailTarget } = place;
  if (childrenOffset <= tailTarget) throw damage;
  const table = { entryOffset: tailTarget, childrenOffset, offset, count, depth: 0 };
  const entry = { kind: "directory", metadata: LOST_METADATA } as const;
  return { version, prelude: undefined, entry, table, reason: undefined };
}

/** What was read at the beginning, and where the table is or why it is not. */
interface Beginning {
  readonly version: 1 | 2;
  readonly prelude: Uint8Array | undefined;
  readonly entry: PxarEntry;
  readonly table: PxarTable;
  readonly reason: Error | undefined;
}

function openingOf(
  { version, prelude, entry }: Beginning,
  table: PxarTable,
  end: number,
): ArchiveOpening {
  return { version, prelude, root: { name: "", offset: table.entryOffset, end, entry, table } };
}

function readOpening(random: RandomInput, input: ItemInput, size: number): Beginning {
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
  const place = { entryOffset, childrenOffset, depth: 0 };
  try {
    const { offset, count, tailTarget } = random.tableBefore(size);
    // In version 2 the reference counts from the beginning of the stream.
    const isTarget = tailTarget === entryOffset || (isVersioned && tailTarget === 0);
    if (!isTarget || offset < childrenOffset) {
      input.fail("bad-goodbye", "Cannot read goodbye table: it is not the root's", offset);
    }
    const table = { ...place, offset, count };
    return { version, prelude, entry, table, reason: undefined };
  } catch (error) {
    if (!isTableDamage(error)) throw error;
    const table = { ...place, offset: childrenOffset, count: 0 };
    return { version, prelude, entry, table, reason: error };
  }
}

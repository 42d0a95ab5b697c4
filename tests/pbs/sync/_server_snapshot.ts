/**
 * Snapshots as servers take them.
 *
 * @module
 */

import type { Datastore } from "#src/pbs/datastore.ts";
import type { SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { blockOf, groupOf } from "#tests/support/pbs_activity.ts";
import { goldenKey } from "#tests/support/pbs_fixtures.ts";
import type { Random } from "#tests/support/property_random.ts";

const FIRST_TIME = 1_700_000_000;
/** Servers cut images into chunks of this size, and take no others. */
const IMAGE_CHUNK_SIZE = 4 << 20;
const KEY = "keys/key-none.json";

/** A snapshot that shares chunks with others; those of the group b are encrypted. */
export function backUp(store: Datastore, random: Random, id: string, day: number): SnapshotId {
  const crypt = id === "b" ? goldenKey(KEY) : undefined;
  const writer = store.startSnapshot({
    group: groupOf(id),
    time: FIRST_TIME + day * 86_400,
    crypt,
  });
  const image = writer.openFixed("disk.img.fidx", 2 * IMAGE_CHUNK_SIZE + 5, IMAGE_CHUNK_SIZE);
  for (const number of [1, day, 3]) {
    const size = Math.min(IMAGE_CHUNK_SIZE, 2 * IMAGE_CHUNK_SIZE + 5 - image.position);
    image.write(new Uint8Array(size).fill(number));
  }
  image.finish();
  const stream = writer.openDynamic("root.pxar.didx", { kind: "dynamic", averageSize: 4096 });
  for (let block = 0; block < 20; block++) stream.write(blockOf(random.between(0, 30)));
  stream.finish();
  writer.addBlob("some.conf.blob", new TextEncoder().encode(`day ${day}`));
  writer.finish();
  return writer.id;
}

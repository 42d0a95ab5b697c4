/**
 * An archive of a snapshot, for the commands that read archives.
 *
 * @module
 */

import { type ArchiveHolder, openArchiveStreams } from "#src/backup/archive_access.ts";
import { knownEntriesOf } from "#src/backup/catalog_access.ts";
import { streamOf } from "#src/backup/source_stream.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { ClosableSource } from "#src/io/streams.ts";
import { formatSnapshot } from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import type { ArchiveInput } from "../pxar/archive_input.ts";

/** The archive `name` of a directory. The snapshot must be open as long as it is used. */
export function snapshotInput(snapshot: SnapshotReader, name: string): ArchiveInput {
  const knownEntries = knownEntriesOf(snapshot, name);
  return {
    ...holderInput(snapshot, name, `${formatSnapshot(snapshot.id)}/${name}`),
    knownEntries,
  };
}

/**
 * As {@link snapshotInput}, of anything that has archives. @param fullName what messages call it
 */
export function holderInput(holder: ArchiveHolder, name: string, fullName: string): ArchiveInput {
  return {
    name: fullName,
    isPipe: false,
    openFiles() {
      const streams = openArchiveStreams(holder, name);
      const { source, payload } = streams;
      return {
        name: fullName,
        source,
        payload,
        [Symbol.dispose]: () => streams[Symbol.dispose](),
      };
    },
    openStreams() {
      const streams = openArchiveStreams(holder, name);
      const { source, payload } = streams;
      return {
        name: fullName,
        source: inOrder(source),
        payload: payload === undefined ? undefined : inOrder(payload),
        payloadSize: payload?.size,
        [Symbol.dispose]: () => streams[Symbol.dispose](),
      };
    },
  };
}

function inOrder(source: ByteSource): ClosableSource {
  return { ...streamOf(source), size: source.size, close: () => source.close() };
}

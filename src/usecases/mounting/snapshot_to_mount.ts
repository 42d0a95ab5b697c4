/**
 * An archive or image of a snapshot for a mount.
 *
 * @module
 */

import { notOfKind } from "#src/backup/archive_access.ts";
import { openPbsSource, type PbsRequest } from "#src/sources/pbs/pbs_source.ts";
import type { SourceToMount } from "./source_to_mount.ts";

/** What to mount of a snapshot, as asked for. */
export type SnapshotRequest = Omit<PbsRequest, "threadCount">;

/** A part of a snapshot as what a mount shows. */
export function snapshotToMount(request: SnapshotRequest): SourceToMount {
  return {
    places: () =>
      request.store.kind === "directory" ? [{ what: "datastore", path: request.store.path }] : [],
    open({ threadCount }) {
      const source = openPbsSource({ ...request, threadCount });
      if (source.description.content === "blob") {
        source[Symbol.dispose]();
        throw notOfKind(request.archive, "an archive of a directory");
      }
      return Promise.resolve({ source, bound: () => source.identify() });
    },
  };
}

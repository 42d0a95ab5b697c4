/**
 * Backups of 1,000 small files by the library, in this process.
 *
 * @module
 */

import { backup } from "#src/backup/backup.ts";
import type { ChangeDetectionMode } from "#src/backup/backup_options.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import type { StoreWorkers } from "#src/pbs/snapshot_types.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { startStoreThreads } from "#src/pbs/writing/store_threads.ts";
import { median } from "../host.ts";
import { makeDistinctSmallFiles } from "./data.ts";
import type { PxarReport } from "../pxar/report.ts";

const CHUNK_SIZE = 4096;
const ROUNDS = 9;
const WARM_UP_ROUNDS = 4;

/** Milliseconds of a backup of `source` to a group, the start of the snapshot included. */
function backUp(
  store: Datastore,
  workers: StoreWorkers,
  source: string,
  mode: ChangeDetectionMode,
  id: string,
): number {
  const start = performance.now();
  const group = { ns: ROOT_NAMESPACE, type: "host", id } as const;
  const writer = store.startSnapshot({ group, workers });
  backup(writer, [{ kind: "pxar", name: "root.pxar", path: source }], {
    mode,
    chunkSize: CHUNK_SIZE,
  });
  return performance.now() - start;
}

/** Measures first backups, each of new files to a new group, and unchanged ones. */
export function benchmarkLibrary(place: string, report: PxarReport): void {
  const storePath = `${place}/library-store`;
  const source = `${place}/library-source`;
  Datastore.create(storePath);
  const store = Datastore.open(storePath, { access: "write", syncLevel: "none" });
  using threads = startStoreThreads();
  const measure = (
    name: string,
    target: number,
    reference: number | undefined,
    run: (round: number) => number,
  ) => {
    const count = WARM_UP_ROUNDS + ROUNDS;
    const times = Array.from({ length: count }, (_, round) => run(round)).slice(WARM_UP_ROUNDS);
    report.add({
      name: `1,000 x 4 KiB by the library, ${name}`,
      unit: "ms",
      value: median(times),
      target: `<= ${target}`,
      yardstick: reference,
    });
  };
  const first = (mode: ChangeDetectionMode) => (round: number) => {
    makeDistinctSmallFiles(source);
    const time = backUp(store, threads, source, mode, `${mode}-${round}`);
    Deno.removeSync(source, { recursive: true });
    return time;
  };
  measure("first, legacy", 30, 27, first("legacy"));
  measure("first, data", 28, 26, first("data"));
  makeDistinctSmallFiles(source);
  measure(
    "unchanged, metadata",
    5,
    undefined,
    () => backUp(store, threads, source, "metadata", "same"),
  );
  store.close();
  Deno.removeSync(storePath, { recursive: true });
  Deno.removeSync(source, { recursive: true });
}

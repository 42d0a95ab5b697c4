/**
 * What is told of a datastore as a whole; names and values as a server's API has them.
 *
 * @module
 */

import { BACKUP_TYPES, type BackupType } from "#src/pbs/format/snapshot_path.ts";
import { type GcStatus, gcStatusFields } from "#src/pbs/gc/status.ts";
import type { SnapshotStore } from "#src/pbs/ports.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { Output } from "./output.ts";
import type { PartialListing } from "./partial_listing.ts";

/** Groups and snapshots of a type. */
export interface TypeCount {
  groups: number;
  snapshots: number;
}

/** The status of a datastore; space in bytes. */
export interface StatusRecord {
  readonly avail: number;
  /** Null for types of which there is nothing. */
  readonly counts?: Readonly<Record<BackupType | "other", TypeCount | null>> | undefined;
  readonly "gc-status"?: ReturnType<typeof gcStatusFields> | undefined;
  readonly total: number;
  readonly used: number;
}

/** The status; with `gcStatus` also what is in the datastore, in all namespaces. */
export function statusRecord(
  store: SnapshotStore,
  gcStatus: (() => GcStatus) | undefined,
  listing: PartialListing,
): StatusRecord {
  const { totalBytes, usedBytes, availableBytes } = store.status();
  return {
    avail: availableBytes,
    counts: gcStatus ? countSnapshots(store, listing) : undefined,
    "gc-status": gcStatus && gcStatusFields(gcStatus()),
    total: totalBytes,
    used: usedBytes,
  };
}

/** The same as a table. */
export function formatStatus(record: StatusRecord, output: Output): string {
  const { total, used, avail, counts } = record;
  const share = (bytes: number) => {
    const percent = total === 0 ? 0 : Math.round(100 * bytes / total);
    return `${bytes} ${`(${percent} %)`.padStart(8)}`;
  };
  const rows = [["total", share(total)], ["used", share(used)], ["avail", share(avail)]];
  for (const type of BACKUP_TYPES) {
    const count = counts?.[type] ?? undefined;
    if (count === undefined) continue;
    rows.push([type, `${count.groups} groups, ${count.snapshots} snapshots`]);
  }
  const gc = record["gc-status"];
  if (gc !== undefined) {
    rows.push(["data", formatHumanBytes(gc["index-data-bytes"])]);
    rows.push(["chunks", `${gc["disk-chunks"]}, ${formatHumanBytes(gc["disk-bytes"])}`]);
  }
  return output.plainTable([{ title: "name" }, { title: "value", align: "right" }], rows);
}

function countSnapshots(
  store: SnapshotStore,
  listing: PartialListing,
): NonNullable<StatusRecord["counts"]> {
  const counts: Record<BackupType | "other", TypeCount | null> = {
    ct: null,
    host: null,
    other: null,
    vm: null,
  };
  for (const group of store.namespaces().flatMap((ns) => store.groups(ns))) {
    const count = counts[group.type] ??= { groups: 0, snapshots: 0 };
    count.groups++;
    count.snapshots += listing.of(group, () => store.snapshots(group)).length;
  }
  return counts;
}

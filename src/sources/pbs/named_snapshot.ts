/**
 * Parts of snapshots by the names of sources: `DATASTORE#[NAMESPACE/]TYPE/ID/TIME/ARCHIVE`.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { isDirectory } from "#src/io/files/files.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { archiveNameOf } from "#src/pbs/format/archive_name.ts";
import {
  formatBackupTime,
  formatGroup,
  type GroupId,
  isBackupType,
  namespaceNames,
  parseGroup,
  parseNamespace,
  parseSnapshot,
  qualifiedName,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import { chooseByTime, firstNames } from "../choice.ts";
import type { OpenSourceOptions, Source } from "../source.ts";
import { openPbsSource } from "./pbs_source.ts";

const DIRECTORY_PREFIX = "dir:";

/**
 * Opens an archive, image or blob of a snapshot of the datastore `place`.
 *
 * @param place a directory, or `dir:PATH` as PBS_REPOSITORY has it
 * @param item `[NAMESPACE/]TYPE/ID/TIME/ARCHIVE`; the time may also be chosen (`choice.ts`)
 * @throws what `openPbsSource()` throws
 */
export async function openNamedSnapshot(
  place: string,
  item: string | undefined,
  { credentials, threadCount = 1 }: OpenSourceOptions,
): Promise<Source> {
  const storePath = directoryOf(place);
  const { snapshot, archive, keyFingerprint } = findPart(storePath, place, item);
  const key = keyFingerprint === undefined
    ? undefined
    : await credentials?.encryptionKey(keyFingerprint);
  const store = { kind: "directory", path: storePath } as const;
  return openPbsSource({ store, snapshot, archive, key, threadCount });
}

interface Part {
  readonly snapshot: SnapshotId;
  readonly archive: string;
  /** Of the key that the snapshot was made with. */
  readonly keyFingerprint: string | undefined;
}

function findPart(storePath: string, place: string, item: string | undefined): Part {
  using stack = new DisposableStack();
  const store = stack.adopt(Datastore.open(storePath), (it) => it.close());
  const names = item?.split("/") ?? [];
  // A namespace can have the name of a type: what follows it tells.
  const depth = [names.length - 4, names.length - 3, names.length - 2]
    .find((position) => isBackupType(names[position] ?? ""));
  const ns = parseNamespace(names.slice(0, depth).join("/"));
  if (depth === undefined) throw incomplete(place, "datastore", groupNames(store));
  const group = parseGroup(names.slice(depth, depth + 2).join("/"), ns);
  const [time, archive, ...more] = names.slice(depth + 2);
  if (more.length > 0) {
    throw new UsageError(`Cannot open "${item}" of "${place}": an archive is one source`);
  }
  if (time === undefined) throw incomplete(place, "group", snapshotNames(store, group));
  const snapshot = findSnapshot(store, group, time);
  const { keyFingerprint, files } = store.snapshotInfo(snapshot);
  if (archive !== undefined) return { snapshot, archive, keyFingerprint };
  const parts = files.map(({ name }) => archiveNameOf(name)).filter((name) => !ASIDE.has(name));
  throw incomplete(place, "snapshot", parts.map((name) => `${names.join("/")}/${name}`));
}

/** Files of a snapshot that are no backup. */
const ASIDE: ReadonlySet<string> = new Set(["index.json", "client.log", "catalog.pcat1"]);

function findSnapshot(store: Datastore, group: GroupId, time: string): SnapshotId {
  const snapshots = () =>
    store.snapshots(group).filter((snapshot) => store.snapshotInfo(snapshot).isFinished);
  return chooseByTime(time, snapshots, `group ${qualifiedName(group)} of "${store.path}"`) ??
    parseSnapshot(`${formatGroup(group)}/${time}`, group.ns);
}

function groupNames(store: Datastore): string[] {
  return store.namespaces().flatMap((ns) =>
    store.groups(ns).map((group) => pathOf(group, "latest"))
  );
}

function snapshotNames(store: Datastore, group: GroupId): string[] {
  return store.snapshots(group).map(({ time }) => pathOf(group, formatBackupTime(time)));
}

function pathOf(group: GroupId, time: string): string {
  return [...namespaceNames(group.ns), formatGroup(group), time].join("/");
}

/** The error for a name that says too little: with what there is. */
function incomplete(place: string, what: string, names: readonly string[]): UsageError {
  return new UsageError(`Cannot open "${place}": it is a ${what} with more than one source`, {
    hint: `Add #[NAMESPACE/]TYPE/ID/TIME/ARCHIVE; there is: ${firstNames(names)}`,
  });
}

/** A path, or a directory as PBS_REPOSITORY writes it. */
function directoryOf(place: string): string {
  const isPrefixed = place.startsWith(DIRECTORY_PREFIX) && !isDirectory(place);
  return absolutePath(isPrefixed ? place.slice(DIRECTORY_PREFIX.length) : place);
}

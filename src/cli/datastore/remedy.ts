/**
 * The commands that lead out of a condition of a datastore, whole, so that they can be pasted.
 *
 * @module
 */

import type { Command } from "commander";
import { type Failure, StateError } from "#src/errors.ts";
import { formatSnapshot, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type {
  FutureSnapshotError,
  NoDatastoreError,
  NoNamespaceError,
  ProtectedSnapshotError,
} from "#src/pbs/state_errors.ts";
import { shellWord } from "#src/bytes/shell_word.ts";

/** With more than that ahead of the clock it is rather the clock that is wrong. */
const FORGOTTEN_MAX = 5;

/**
 * What these errors have; which class it is, is told by its fields, so that commands without
 * datastores do not load them.
 */
type Way =
  & Partial<NoNamespaceError>
  & Partial<NoDatastoreError>
  & Partial<ProtectedSnapshotError>
  & Partial<FutureSnapshotError>;

/** What commands are told of the datastore. */
interface StoreWords {
  readonly repository?: string;
  readonly serverStore?: string;
  readonly ns?: string;
}

/**
 * What a person types to get out of a condition of a datastore.
 *
 * @param command the command that failed: what it was told of the datastore is repeated
 * @returns undefined where there is no such way
 */
export function datastoreRemedy(
  error: Failure,
  command: Command | undefined,
): string | undefined {
  if (!(error instanceof StateError)) return undefined;
  const { missingNamespaces, storePath, protectedSnapshot, futureSnapshots } = error as Way;
  const words = command?.opts<StoreWords>() ?? {};
  if (missingNamespaces !== undefined) {
    const makings = missingNamespaces.map((ns) =>
      datastoreCommand(words, "namespace", "create", ns)
    );
    // The one of the environment would be asked for again.
    const isFromEnvironment = words.ns === undefined && hasOption(command, "--ns");
    const listing = datastoreCommand(
      words,
      "namespace",
      "list",
      ...(isFromEnvironment ? ["--ns", ""] : []),
    );
    return `Run ${makings.join(" && ")} to make it, or ${listing} to see what there is`;
  }
  if (storePath !== undefined) {
    const making = `pbkfs pbs datastore create ${shellWord(storePath)}`;
    return `A datastore is a directory with \`.chunks\` in it; ${making} makes one`;
  }
  if (protectedSnapshot !== undefined) {
    return `Run ${snapshotCommand(words, ["protect", "--off"], [protectedSnapshot])} first`;
  }
  if (futureSnapshots === undefined) return undefined;
  const count = futureSnapshots.length;
  if (count <= FORGOTTEN_MAX) {
    const removal = snapshotCommand(words, ["forget"], futureSnapshots);
    return `Set the clock if it is wrong; otherwise run ${removal}`;
  }
  const removal = snapshotCommand(words, ["forget"], futureSnapshots.slice(-1));
  return `Set the clock: ${count} snapshots of the group are ahead of it. If all of them are wrong, ` +
    `remove them, the last one by ${removal}`;
}

/**
 * A command for snapshots, whole.
 *
 * @param store what is to be said of the datastore
 * @param snapshots of one namespace, at least one
 */
export function snapshotCommand(
  store: StoreWords,
  words: readonly string[],
  snapshots: readonly SnapshotId[],
): string {
  const { ns } = snapshots[0]!.group;
  // The root is where commands are by themselves, unless somebody had to say so.
  const place = ns === "" && store.ns === undefined ? [] : ["--ns", ns];
  return datastoreCommand(store, ...words, ...snapshots.map(formatSnapshot), ...place);
}

function datastoreCommand(
  { repository, serverStore }: StoreWords,
  ...words: readonly string[]
): string {
  return [
    ...["pbkfs", "pbs", ...words],
    ...(repository === undefined ? [] : ["--repository", repository]),
    ...(serverStore === undefined ? [] : ["--server-store", serverStore]),
  ].map(shellWord).join(" ");
}

function hasOption(command: Command | undefined, long: string): boolean {
  return command?.options.some((option) => option.long === long) ?? false;
}

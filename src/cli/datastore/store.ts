/**
 * The datastore that a command works on, and the names of what is in it.
 *
 * @module
 */

import type { Command } from "commander";
import { StateError } from "#src/errors.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import type { RemoteStore } from "#src/pbs/client/remote_store.ts";
import type { SnapshotStore } from "#src/pbs/ports.ts";
import {
  type GroupId,
  type Namespace,
  parseGroup,
  parseNamespace,
  parseSnapshot,
  qualifiedName,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import { NoNamespaceError } from "#src/pbs/state_errors.ts";
import type { CommandContext } from "../command.ts";
import { type FormatChoice, Output } from "../output/output.ts";
import {
  addRepositoryOptions,
  datastorePath,
  REPOSITORY_ENVIRONMENT,
  repositoryOf,
  type RepositoryOptions,
} from "../options/repository.ts";
import { addServerOptions, SERVER_ENVIRONMENT, type ServerFlags } from "../options/server.ts";

/** Values of {@link addPlaceOptions}. */
export interface PlaceOptions extends RepositoryOptions, ServerFlags {}

/** Values of {@link addStoreOptions}. */
export interface StoreOptions extends PlaceOptions {
  readonly ns?: string;
}

/** The options by which commands name a datastore, here or on a server. */
export function addPlaceOptions(command: Command): Command {
  return addServerOptions(addRepositoryOptions(command));
}

/** Environment variables of commands that need a datastore, for their help. */
export const PLACE_ENVIRONMENT: Readonly<Record<string, string>> = {
  ...REPOSITORY_ENVIRONMENT,
  ...SERVER_ENVIRONMENT,
};

/** The options by which commands name the datastore and the namespace in it. */
export function addStoreOptions(command: Command): Command {
  return addPlaceOptions(command)
    .option(
      "--ns <namespace>",
      "namespace, such as team/sub; else the value of PBS_NAMESPACE, else the root",
    );
}

/** Environment variables of commands that also need a namespace, for their help. */
export const STORE_ENVIRONMENT: Readonly<Record<string, string>> = {
  ...PLACE_ENVIRONMENT,
  PBS_NAMESPACE: "namespace where --ns is not given",
};

/** The namespace of the command line or the environment. @throws {UsageError} */
export function namespaceOf(options: StoreOptions, context: CommandContext): Namespace {
  return parseNamespace(options.ns ?? context.environment("PBS_NAMESPACE") ?? "");
}

/**
 * Opens the place of snapshots that was asked for, does something with it and closes it. What has
 * to be known of its locks is told on standard error.
 *
 * @throws {UsageError} when there is none to be opened
 */
export async function withStore<Result>(
  options: PlaceOptions & FormatChoice,
  context: CommandContext,
  access: "read" | "write",
  use: (store: SnapshotStore) => Result | Promise<Result>,
): Promise<Result> {
  return await withEither(options, context, access, { local: use, remote: use });
}

/** What is done with a datastore on this machine, and with one of a server. */
export interface EitherUse<Result> {
  local(store: Datastore): Result | Promise<Result>;
  remote(store: RemoteStore): Result | Promise<Result>;
}

/** As {@link withStore}, for what is not the same here and there. */
export async function withEither<Result>(
  options: PlaceOptions & FormatChoice,
  context: CommandContext,
  access: "read" | "write",
  { local, remote }: EitherUse<Result>,
): Promise<Result> {
  const repository = repositoryOf(options, context);
  if (repository.kind === "directory") {
    return await withDatastore(options, context, access, local);
  }
  const { withRemoteStore } = await import("./remote_store.ts");
  return await withRemoteStore(repository, options, context, access, remote);
}

/** As {@link withStore}, for what can only be done with a datastore on this machine. */
export async function withDatastore<Result>(
  options: RepositoryOptions & FormatChoice,
  context: CommandContext,
  access: "read" | "write",
  use: (store: Datastore) => Result | Promise<Result>,
): Promise<Result> {
  const path = datastorePath(options, context);
  const { Datastore } = await import("#src/pbs/datastore.ts");
  const { serverStore } = options;
  const store = Datastore.open(path, {
    access,
    serverStore,
  });
  try {
    if (store.warnings.length > 0) {
      const output = new Output(options, context);
      for (const warning of store.warnings) output.warning(warning);
    }
    return await use(store);
  } finally {
    store.close();
  }
}

/** A group or a snapshot, as named on the command line. */
export type Target =
  | { readonly kind: "group"; readonly group: GroupId }
  | { readonly kind: "snapshot"; readonly snapshot: SnapshotId };

/** Reads `TYPE/ID` or `TYPE/ID/TIME`. @throws {UsageError} */
export function parseTarget(text: string, ns: Namespace): Target {
  return text.split("/").length === 2
    ? { kind: "group", group: parseGroup(text, ns) }
    : { kind: "snapshot", snapshot: parseSnapshot(text, ns) };
}

/**
 * The snapshot that is named; of a group it is the last finished one.
 *
 * @throws {StateError} `not-found` when the group has none
 */
export function snapshotOf(store: SnapshotStore, target: Target): SnapshotId {
  if (target.kind === "snapshot") return target.snapshot;
  const last = lastSnapshot(store, target.group);
  if (last !== undefined) return last;
  throw new StateError(
    "not-found",
    `backup group ${qualifiedName(target.group)} does not contain any snapshots`,
    { hint: "pbkfs pbs list shows all groups" },
  );
}

function lastSnapshot(store: SnapshotStore, group: GroupId): SnapshotId | undefined {
  try {
    return store.groupInfo(group).last;
  } catch (error) {
    const isNoGroup = error instanceof StateError && error.code === "not-found";
    if (isNoGroup && !(error instanceof NoNamespaceError)) return undefined;
    throw error;
  }
}

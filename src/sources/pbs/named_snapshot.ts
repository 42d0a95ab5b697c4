/**
 * Parts of snapshots by the names of sources: `DATASTORE#[NAMESPACE/]TYPE/ID/TIME/ARCHIVE`.
 *
 * @module
 */

import { AuthError, StateError, UsageError } from "#src/errors.ts";
import { connectStore, type ServerConnection } from "#src/pbs/client/open_server.ts";
import type { Repository, ServerRepository } from "#src/pbs/client/repository.ts";
import type { ServerLogin } from "#src/pbs/client/server_login.ts";
import { NoNamespaceError } from "#src/pbs/state_errors.ts";
import { openSnapshotStore, type StoreAddress } from "#src/pbs/store_address.ts";
import type { SnapshotInfo } from "#src/pbs/snapshot_types.ts";
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
import { chooseByTime, firstNames, LATEST } from "../choice.ts";
import { hintOfNames } from "../nearest_name.ts";
import { formatSourceName } from "../name.ts";
import type {
  Credentials,
  OpenSourceOptions,
  Source,
  SourceContent,
  SourceSummary,
} from "../source.ts";
import { openPbsSource } from "./pbs_source.ts";
import { repositoryAt } from "./store_place.ts";

/** A datastore of either kind. */
type NamedStore = ReturnType<typeof openSnapshotStore>;

/**
 * Opens an archive, image or blob of a snapshot of the datastore `place`.
 *
 * @param place a directory, or a repository as PBS_REPOSITORY has it
 * @param item `[NAMESPACE/]TYPE/ID/TIME/ARCHIVE`; the time may also be chosen (`choice.ts`)
 * @throws what `openPbsSource()` throws
 * @throws {AuthError} when nobody knows how to log in to the server, or it does not let us in
 * @throws {ProtocolError} when there is no way to the server
 */
export async function openNamedSnapshot(
  place: string,
  item: string | undefined,
  { credentials, serverStore, threadCount = 1, ...options }: OpenSourceOptions,
): Promise<Source> {
  using stack = new DisposableStack();
  const store = await reachStore(repositoryAt(place), stack, { credentials, serverStore });
  const { snapshot, archive, keyFingerprint } = findPart(store, place, item);
  const key = keyFingerprint === undefined
    ? undefined
    : await credentials?.encryptionKey(keyFingerprint);
  const kept = stack.move();
  const end = () => kept.dispose();
  const { countsLinks, spawn, onWarning } = options;
  const given = { threadCount, countsLinks, spawn, onWarning };
  return openPbsSource({ store, snapshot, archive, key, end, ...given });
}

/**
 * The way to a datastore.
 *
 * @param stack ends it
 * @throws what {@link connectNamedServer} throws
 */
export async function reachStore(
  repository: Repository,
  stack: DisposableStack,
  { credentials, serverStore }: Pick<OpenSourceOptions, "credentials" | "serverStore">,
): Promise<StoreAddress> {
  if (repository.kind === "directory") return { ...repository, serverStore };
  const connection = await connectNamedServer(repository, credentials);
  stack.defer(() => connection.end());
  return connection.address;
}

/**
 * The way to a server that a name names, which the caller ends.
 *
 * @throws {AuthError} when nobody knows how to log in, or it does not let us in
 * @throws {ProtocolError} when there is no way to it
 */
export async function connectNamedServer(
  server: ServerRepository,
  credentials: Credentials | undefined,
): Promise<ServerConnection> {
  if (credentials?.connectServer !== undefined) return await credentials.connectServer(server);
  return connectStore({ login: await loginTo(server, credentials), store: server.store });
}

/** How somebody logs in to a server. @throws {AuthError} `password` when nobody says it */
export async function loginTo(
  { user, token, host, port }: ServerRepository,
  credentials: Credentials | undefined,
): Promise<ServerLogin> {
  const authId = token === undefined ? user : `${user}!${token}`;
  const login = await credentials?.serverLogin?.({ host, port, authId });
  if (login !== undefined) return login;
  throw new AuthError(`Cannot log in to ${host} as ${authId}: nobody gives a password`, {
    code: "password",
    hint: "Give credentials with serverLogin()",
  });
}

interface Part {
  readonly snapshot: SnapshotId;
  readonly archive: string;
  /** Of the key that the snapshot was made with. */
  readonly keyFingerprint: string | undefined;
}

function findPart(address: StoreAddress, place: string, item: string | undefined): Part {
  using stack = new DisposableStack();
  const store = stack.adopt(openSnapshotStore(address), (it) => it.close());
  const names = item?.split("/") ?? [];
  const depth = depthOf(names);
  const ns = parseNamespace(names.slice(0, depth).join("/"));
  if (depth === undefined) throw incomplete(place, "datastore", groupNames(store));
  const group = parseGroup(names.slice(depth, depth + 2).join("/"), ns);
  const [time, archive, ...more] = names.slice(depth + 2);
  if (more.length > 0) {
    throw new UsageError(`Cannot open "${item}" of "${place}": an archive is one source`);
  }
  if (time === undefined) throw incomplete(place, "group", snapshotNames(store, group));
  const { id: snapshot, keyFingerprint, files } = findSnapshot(store, group, time);
  if (archive !== undefined) return { snapshot, archive, keyFingerprint };
  const parts = files.map(({ name }) => archiveNameOf(name)).filter((name) => !ASIDE.has(name));
  throw incomplete(place, "snapshot", parts.map((name) => `${names.join("/")}/${name}`));
}

/**
 * Where the type of the group stands. A namespace can have the name of a type: what follows it
 * tells.
 */
function depthOf(names: readonly string[]): number | undefined {
  return [names.length - 4, names.length - 3, names.length - 2]
    .find((position) => isBackupType(names[position] ?? ""));
}

/** Files of a snapshot that are no backup. */
const ASIDE: ReadonlySet<string> = new Set(["index.json", "client.log", "catalog.pcat1"]);

function findSnapshot(store: NamedStore, group: GroupId, time: string): SnapshotInfo {
  const snapshots = () =>
    store.snapshots(group).filter((snapshot) => store.snapshotInfo(snapshot).isFinished);
  try {
    const chosen = chooseByTime(
      time,
      snapshots,
      `group ${qualifiedName(group)} of "${store.name}"`,
    );
    return store.snapshotInfo(chosen ?? parseSnapshot(`${formatGroup(group)}/${time}`, group.ns));
  } catch (error) {
    throw withCandidates(error, store, group, time);
  }
}

function snapshotsOf(store: NamedStore, group: GroupId): SnapshotInfo[] {
  try {
    return store.snapshots(group).map((snapshot) => store.snapshotInfo(snapshot));
  } catch (error) {
    throw withCandidates(error, store, group, LATEST);
  }
}

/** The error, with what there is where the name may be mistyped. */
function withCandidates(
  error: unknown,
  store: NamedStore,
  group: GroupId,
  time: string,
): unknown {
  const { message } = error as Error;
  const wanted = pathOf(group, time);
  if (error instanceof UsageError) {
    const hint = hintOfNames(wanted, snapshotNames(store, group));
    return new UsageError(message, { hint, cause: error });
  }
  if (!(error instanceof StateError && error.code === "not-found")) return error;
  // Which ones are missing says more than what there is elsewhere.
  if (error instanceof NoNamespaceError) return error;
  const groups = groupNames(store);
  const isGroupThere = groups.includes(pathOf(group, LATEST));
  // What is chosen by time is not mistyped, and the error says what there is.
  if (isGroupThere && (time === LATEST || time.startsWith("@"))) return error;
  const hint = isGroupThere
    ? hintOfNames(wanted, snapshotNames(store, group))
    : hintOfNames(pathOf(group, LATEST), groups);
  return new StateError("not-found", message, { hint, cause: error });
}

function groupNames(store: NamedStore): string[] {
  return store.namespaces().flatMap((ns) => store.groups(ns).map((group) => pathOf(group, LATEST)));
}

function snapshotNames(store: NamedStore, group: GroupId): string[] {
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

/**
 * The archives, images and blobs of a datastore, or of a namespace, group or snapshot of it.
 *
 * @returns undefined where the item names one of them
 * @throws what {@link openNamedSnapshot} throws
 */
export async function listNamedParts(
  place: string,
  item: string | undefined,
  options: OpenSourceOptions,
): Promise<SourceSummary[] | undefined> {
  const names = item?.split("/") ?? [];
  const depth = depthOf(names);
  if (depth !== undefined && names.length > depth + 3) return undefined;
  using stack = new DisposableStack();
  const address = await reachStore(repositoryAt(place), stack, options);
  const store = stack.adopt(openSnapshotStore(address), (it) => it.close());
  const ns = parseNamespace(names.slice(0, depth).join("/"));
  if (depth === undefined) {
    return store.namespaces(ns).flatMap((each) => store.groups(each))
      .flatMap((group) => store.snapshots(group))
      .flatMap((snapshot) => partsOf(store, store.snapshotInfo(snapshot)));
  }
  const group = parseGroup(names.slice(depth, depth + 2).join("/"), ns);
  const time = names[depth + 2];
  const infos = time === undefined ? snapshotsOf(store, group) : [findSnapshot(store, group, time)];
  return infos.flatMap((info) => partsOf(store, info));
}

/** Extensions of stored files, and what they hold. */
const PART_CONTENTS: Readonly<Record<string, SourceContent>> = {
  didx: "tree",
  fidx: "image",
  blob: "blob",
};

function partsOf(store: NamedStore, { id, files, isFinished }: SnapshotInfo): SourceSummary[] {
  const sizes = new Map<string, { content: SourceContent; sizeBytes: number }>();
  for (const { name, size } of files) {
    const archive = archiveNameOf(name).replace(/\.[mp]pxar$/u, ".pxar");
    const content = PART_CONTENTS[name.slice(name.lastIndexOf(".") + 1)];
    if (ASIDE.has(archive) || content === undefined) continue;
    sizes.set(archive, { content, sizeBytes: size + (sizes.get(archive)?.sizeBytes ?? 0) });
  }
  const time = formatBackupTime(id.time);
  return Array.from(sizes, ([archive, { content, sizeBytes }]) => {
    const why = !isFinished
      ? "the snapshot is unfinished"
      : content === "blob"
      ? "it is a blob, which is read at once"
      : null;
    const item = `${pathOf(id.group, time)}/${archive}`;
    return {
      kind: "pbs",
      name: formatSourceName({ kind: "pbs", place: store.name, item }),
      content,
      time,
      sizeBytes,
      postgres: null,
      chain: [],
      mountable: why === null,
      why,
    };
  });
}

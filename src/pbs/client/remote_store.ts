/**
 * The snapshots of a server's datastore. Every call asks the server, and blocks meanwhile.
 *
 * @module
 */

import { hostCodecs } from "#src/codecs/codecs.ts";
import { Failure, StateError, UsageError } from "#src/errors.ts";
import { currentSeconds, isAheadOf } from "../clock.ts";
import { BlobCodec } from "../crypt/blob_codec.ts";
import type { Manifest } from "../format/manifest.ts";
import { type GcStatus, parseGcStatus } from "../gc/status.ts";
import {
  formatGroup,
  formatSnapshot,
  type GroupId,
  type Namespace,
  namespaceNames,
  ROOT_NAMESPACE,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import type { SnapshotReader, SnapshotWriter } from "../ports.ts";
import type {
  GroupInfo,
  KeptSnapshot,
  NewSnapshotOptions,
  OpenSnapshotOptions,
  SnapshotInfo,
} from "../snapshot_types.ts";
import { LocalSnapshotReader } from "../snapshots/local_snapshot_reader.ts";
import { loadManifest } from "../snapshots/manifest_file.ts";
import type { OpenStore } from "../snapshots/open_store.ts";
import { type PruneDecision, type RetentionOptions, selectForPruning } from "../snapshots/prune.ts";
import { checkNewSnapshot, checkOwner, usableBase } from "../snapshots/snapshot_start.ts";
import { checkNotes } from "../snapshots/store_listing.ts";
import type { SnapshotDestination } from "../snapshots/snapshot_destination.ts";
import { StoredSnapshotWriter } from "../snapshots/stored_snapshot_writer.ts";
import { FutureSnapshotError } from "../state_errors.ts";
import type { Storage, StorageSpace } from "../storage/storage.ts";
import type { CopyableStore, StoredSnapshot } from "../sync/ports.ts";
import type { NetworkLink } from "./network_link.ts";
import type { CallParameters } from "./network_thread/server_port.ts";
import { parseSpace, parseText } from "./rest_answers.ts";
import { DatastoreCalls, groupParameters, snapshotParameters } from "./datastore_calls.ts";
import { BaseStorage, type OpenSession } from "./base_storage.ts";
import type { ChunkDiskCacheAddress } from "./chunk_disk_cache.ts";
import { followTask } from "./tasks.ts";
import { ServerDestination } from "./server_destination.ts";
import { ServerStorage, type ServerStorageDescription } from "./server_storage.ts";

/** Where the snapshots are. */
export interface RemoteStoreOptions {
  readonly link: NetworkLink;
  /** What messages call it: the repository as text. */
  readonly name: string;
  /** Name of the datastore. */
  readonly store: string;
  /** Who is logged in: owns the groups that are made. */
  readonly authId: string;
  /** Where chunks are kept that were read. Default: nowhere. */
  readonly cache?: ChunkDiskCacheAddress | undefined;
  /** Default: `read`. */
  readonly access?: "read" | "write" | undefined;
  /** Ends the connection, when the store is closed. */
  readonly end?: () => void;
}

/** See {@link SnapshotStore}. */
export class RemoteStore implements CopyableStore {
  /** `read` changes nothing. */
  readonly access: "read" | "write";
  /** None: locks are the server's. */
  readonly warnings: readonly string[] = [];
  /** Undefined: it is elsewhere. */
  readonly localPath = undefined;
  readonly #options: RemoteStoreOptions;
  readonly #link: NetworkLink;
  readonly #calls: DatastoreCalls;
  readonly #codec = new BlobCodec(hostCodecs());

  /** Asks the server nothing. */
  constructor(options: RemoteStoreOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#calls = new DatastoreCalls(options.link, options.store, options.name);
    this.access = options.access ?? "read";
  }

  /** What messages call it: the repository. */
  get name(): string {
    return this.#options.name;
  }

  /** See {@link SnapshotStore.namespaces}. */
  namespaces(below: Namespace = ROOT_NAMESPACE): Namespace[] {
    return this.#calls.namespaces(below);
  }

  /** See {@link SnapshotStore.createNamespace}. */
  createNamespace(namespace: Namespace): void {
    this.#requireWritable();
    const names = namespaceNames(namespace);
    const [name, parent] = [names.at(-1), names.slice(0, -1).join("/") as Namespace];
    if (name === undefined) throw new StateError("exists", "The root namespace is there always");
    const place = parent === ROOT_NAMESPACE ? {} : { parent };
    this.#calls.inNamespace(
      parent,
      () => this.#calls.rest("POST", "namespace", { name, ...place }),
    );
  }

  /** See {@link SnapshotStore.removeNamespace}. */
  removeNamespace(namespace: Namespace, isRecursive = false): void {
    this.#requireWritable();
    const parameters = { ns: namespace, "delete-groups": isRecursive };
    this.#calls.inNamespace(namespace, () => this.#calls.rest("DELETE", "namespace", parameters));
  }

  /** See {@link SnapshotStore.groups}. */
  groups(namespace: Namespace): GroupId[] {
    return this.#calls.groups(namespace).map(({ id }) => id);
  }

  /** See {@link SnapshotStore.groupInfo}. */
  groupInfo(group: GroupId): GroupInfo {
    const { owner, hasNotes } = this.#calls.requireGroup(group);
    const snapshots = this.#calls.snapshots(group).toReversed();
    const notes = hasNotes ? this.#calls.get("group-notes", groupParameters(group)) : "";
    return {
      id: group,
      owner,
      notes: parseText(notes ?? "", this.#options.name) || undefined,
      snapshots: snapshots.map(({ info }) => info.id),
      last: snapshots.find(({ info }) => info.isFinished)?.info.id,
      error: undefined,
    };
  }

  /** See {@link SnapshotStore.setOwner}. */
  setOwner(group: GroupId, owner: string): void {
    this.#requireWritable();
    checkOwner(owner);
    const parameters = { ...groupParameters(group), "new-owner": owner };
    this.#calls.inGroup(group, () => this.#calls.rest("POST", "change-owner", parameters));
  }

  /** See {@link SnapshotStore.setGroupNotes}. */
  setGroupNotes(group: GroupId, notes: string): void {
    this.#requireWritable();
    checkNotes(notes);
    const parameters = { ...groupParameters(group), notes };
    this.#calls.inGroup(group, () => this.#calls.rest("PUT", "group-notes", parameters));
  }

  /** See {@link SnapshotStore.snapshots}. */
  snapshots(group: GroupId): SnapshotId[] {
    return this.#calls.requireSnapshots(group).map(({ info }) => info.id);
  }

  /** See {@link SnapshotStore.snapshotInfo}. */
  snapshotInfo(snapshot: SnapshotId): SnapshotInfo {
    const { info, hasNotes } = this.#calls.requireSnapshot(snapshot);
    if (!hasNotes) return info;
    const notes = parseText(
      this.#calls.get("notes", snapshotParameters(snapshot)) ?? "",
      this.#options.name,
    );
    return { ...info, notes: notes === "" ? undefined : notes };
  }

  /** See {@link SnapshotStore.manifest}. */
  manifest(snapshot: SnapshotId): Manifest {
    using session = this.#openSession(snapshot);
    return loadManifest(this.#storeOver(session.storage), snapshot);
  }

  /** See {@link SnapshotStore.openSnapshot}. */
  openSnapshot(snapshot: SnapshotId, options: OpenSnapshotOptions = {}): LocalSnapshotReader {
    const session = this.#openSession(snapshot);
    const release = () => session[Symbol.dispose]();
    const store = this.#storeOver(session.storage);
    return LocalSnapshotReader.open(store, snapshot, { ...options, release });
  }

  /** See {@link SnapshotStore.startSnapshot}. The owner of a new group is who is logged in. */
  startSnapshot(options: NewSnapshotOptions): SnapshotWriter {
    this.#requireWritable();
    checkNewSnapshot(options);
    const { group, owner } = options;
    const { authId, name } = this.#options;
    if (owner !== undefined && owner !== authId) {
      throw new StateError(
        "foreign-owner",
        `Cannot back up to ${
          formatGroup(group)
        } for ${owner}: on ${name} what ${authId} backs up ` +
          "is its own",
      );
    }
    const destination = this.#startBackup(
      options,
      (open) => usableBase(options, (crypt) => open({ crypt })),
    );
    return new StoredSnapshotWriter(this.#codec, options, destination);
  }

  /** See {@link CopyableStore.snapshotInfos}. Without notes, which are asked for one by one. */
  snapshotInfos(group: GroupId): SnapshotInfo[] {
    return this.#calls.requireSnapshots(group).map(({ info }) => info).reverse();
  }

  /** See {@link CopyableStore.openStored}. */
  openStored(id: SnapshotId): StoredSnapshot {
    return { id, ...this.#openSession(id) };
  }

  /** See {@link CopyableStore.startCopy}. The owner of a new group is who is logged in. */
  startCopy(snapshot: SnapshotId): SnapshotDestination {
    this.#requireWritable();
    return this.#startBackup(snapshot, (open) => readableBase(() => open({ isKeyOptional: true })));
  }

  /** See {@link SnapshotStore.plannedSnapshot}. */
  plannedSnapshot(group: GroupId, time?: number): SnapshotId {
    const finished = this.#calls.snapshots(group)
      .filter(({ info }) => info.isFinished)
      .map(({ info }) => info.id);
    const last = finished.at(-1);
    const now = currentSeconds();
    if (time !== undefined) {
      if (last === undefined || time > last.time) return { group, time };
      throw notAfter({ group, time }, last);
    }
    if (last === undefined) return { group, time: now };
    const future = finished.filter((id) => isAheadOf(id.time, now));
    if (future.length > 0) throw new FutureSnapshotError(future, now);
    return { group, time: Math.max(now, last.time + 1) };
  }

  /** See {@link SnapshotStore.setNotes}. */
  setNotes(snapshot: SnapshotId, notes: string): void {
    this.#requireWritable();
    checkNotes(notes);
    const parameters = { ...snapshotParameters(snapshot), notes };
    this.#calls.inSnapshot(snapshot, () => this.#calls.rest("PUT", "notes", parameters));
  }

  /** See {@link SnapshotStore.setProtected}. */
  setProtected(snapshot: SnapshotId, isProtected: boolean): void {
    this.#requireWritable();
    const parameters = { ...snapshotParameters(snapshot), protected: isProtected };
    this.#calls.inSnapshot(snapshot, () => this.#calls.rest("PUT", "protected", parameters));
  }

  /** See {@link SnapshotStore.addClientLog}. */
  addClientLog(
    snapshot: SnapshotId,
    content: Uint8Array<ArrayBuffer>,
    options: OpenSnapshotOptions = {},
  ): void {
    this.#requireWritable();
    const blob = this.#codec.encodeBytes(content, { compress: true, crypt: options.crypt });
    const parameters = snapshotParameters(snapshot);
    this.#calls.inSnapshot(
      snapshot,
      () => this.#calls.rest("POST", "upload-backup-log", parameters, blob),
    );
  }

  /** See {@link SnapshotStore.forget}. */
  forget(snapshot: SnapshotId): void {
    this.#requireWritable();
    const parameters = snapshotParameters(snapshot);
    this.#calls.inSnapshot(snapshot, () => this.#calls.rest("DELETE", "snapshots", parameters));
  }

  /** See {@link SnapshotStore.forgetGroup}. */
  forgetGroup(group: GroupId): KeptSnapshot[] {
    this.#requireWritable();
    const kept = this.#calls.requireSnapshots(group).flatMap(({ info: { id } }): KeptSnapshot[] => {
      try {
        this.#calls.rest("DELETE", "snapshots", snapshotParameters(id));
        return [];
      } catch (error) {
        if (!(error instanceof StateError) || !KEEPING.has(error.code)) throw error;
        return [{ id, reason: error }];
      }
    });
    if (kept.length === 0) {
      // It may have gone with its last snapshot.
      unlessNotFound(() => this.#calls.rest("DELETE", "groups", groupParameters(group)));
    }
    return kept;
  }

  /** See {@link SnapshotStore.planPrune}. Days are those of this machine. */
  planPrune(group: GroupId, keep: RetentionOptions): PruneDecision<SnapshotId>[] {
    const prunable = this.#calls.requireSnapshots(group)
      .map(({ info: { id, isFinished, isProtected } }) => ({
        id,
        time: id.time,
        isFinished,
        isProtected,
      }));
    return selectForPruning(prunable, keep);
  }

  /** See {@link SnapshotStore.status}. */
  status(): StorageSpace {
    return parseSpace(this.#calls.get("status"), this.#options.name);
  }

  /** What the last garbage collection found. */
  gcStatus(): GcStatus {
    return parseGcStatus(JSON.stringify(this.#calls.get("gc")), this.#options.name);
  }

  /**
   * Starts a task of the server and waits for its end.
   *
   * @param name of the call that starts it: `gc`, `verify`
   * @param onLine is given what it says
   * @returns `OK`, or what went wrong
   */
  runTask(name: string, parameters: CallParameters, onLine: (text: string) => void): string {
    const upid = parseText(this.#calls.rest("POST", name, parameters), this.#options.name);
    return followTask(this.#link, upid, this.#options.name, onLine);
  }

  /** Ends the connection: snapshots that are open are not readable any more. */
  close(): void {
    this.#options.end?.();
  }

  #beginBackup(options: NewSnapshotOptions): StartedBackup {
    const { group, time } = options;
    const begin = (id: SnapshotId): StartedBackup => {
      const { store } = this.#options;
      const parameters = { store, ...snapshotParameters(id), benchmark: false, debug: false };
      const request = { what: "open-backup", parameters } as const;
      const answer = this.#calls.inNamespace(group.ns, () => this.#link.ask(request));
      return { id, ...answer as Omit<StartedBackup, "id"> };
    };
    try {
      return begin({ group, time: time ?? currentSeconds() });
    } catch (error) {
      const isTaken = error instanceof StateError && error.code === "exists";
      if (!isTaken || time !== undefined) throw error;
      // Somebody was here this very second, or is ahead of the clock.
      return begin(this.plannedSnapshot(group));
    }
  }

  /** Begins a snapshot. @param openPrevious opens the last one as its base, if it can be one */
  #startBackup(
    options: NewSnapshotOptions,
    openPrevious: (open: OpenBase) => SnapshotReader | undefined,
  ): SnapshotDestination {
    const { id, session, previousTime } = this.#beginBackup(options);
    try {
      const previous = previousTime === null
        ? undefined
        : openPrevious((how) => this.#openBase(session, { ...id, time: previousTime }, how));
      return new ServerDestination(this.#link, { id, session, previous });
    } catch (error) {
      this.#link.ask({ what: "close", session });
      throw error;
    }
  }

  /** The snapshot that a backup is based on, read by the session of the backup. */
  #openBase(session: number, id: SnapshotId, options: OpenSnapshotOptions): SnapshotReader {
    const base = new BaseStorage(
      this.#describe(session),
      (name) => this.#link.bytes({ what: "previous", session, name }),
      () => this.#openSession(id),
    );
    const release = () => base[Symbol.dispose]();
    return LocalSnapshotReader.open(this.#storeOver(base), id, { ...options, release });
  }

  /** A session that reads a snapshot. @throws {StateError} `not-found` */
  #openSession(snapshot: SnapshotId): OpenSession {
    const { store } = this.#options;
    const parameters = { store, ...snapshotParameters(snapshot), debug: false };
    const request = { what: "open-reader", parameters } as const;
    const session = this.#calls.inNamespace(
      snapshot.group.ns,
      () => this.#link.ask(request),
    ) as number;
    const storage = new ServerStorage(this.#describe(session));
    return {
      storage,
      [Symbol.dispose]: () => {
        storage.close();
        this.#link.ask({ what: "close", session });
      },
    };
  }

  #describe(session: number): ServerStorageDescription {
    const { name, cache } = this.#options;
    return { kind: "server", name, mailbox: this.#link.shared, session, cache };
  }

  #storeOver(storage: Storage): OpenStore {
    return { storage, codecs: hostCodecs(), codec: this.#codec, isWritable: false };
  }

  #requireWritable(): void {
    if (this.access === "write") return;
    throw new UsageError(
      `Cannot change datastore "${this.#options.name}": it is open for reading only`,
    );
  }
}

/** Opens the snapshot that a backup is based on. */
type OpenBase = (options: OpenSnapshotOptions) => SnapshotReader;

/** The base of a copy; undefined where it is damaged. */
function readableBase(open: () => SnapshotReader): SnapshotReader | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof Failure && !error.isTemporary) return undefined;
    throw error;
  }
}

/** Why a snapshot stays although its group is removed. */
const KEEPING: ReadonlySet<string> = new Set(["protected", "locked"]);

interface StartedBackup {
  readonly id: SnapshotId;
  readonly session: number;
  readonly previousTime: number | null;
}

function unlessNotFound(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof StateError) || error.code !== "not-found") throw error;
  }
}

function notAfter(id: SnapshotId, last: SnapshotId): StateError {
  return new StateError(
    "exists",
    `Cannot make snapshot ${formatSnapshot(id)}: there is ${formatSnapshot(last)}`,
    { hint: "Give a later time, or none", option: "time" },
  );
}

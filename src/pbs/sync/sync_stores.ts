/**
 * Makes one place of snapshots have what another one has.
 *
 * Snapshots are copied as they are stored, oldest first, since nothing can be put before the last
 * snapshot of a group. What fails in one group is no reason to leave others alone.
 *
 * @module
 */

import { Failure, StateError, UsageError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import {
  formatGroup,
  type GroupId,
  type Namespace,
  namespaceNames,
  qualifiedName,
  ROOT_NAMESPACE,
  type SnapshotId,
} from "../format/snapshot_path.ts";
import type { SnapshotInfo } from "../snapshot_types.ts";
import type { CopyableStore } from "./ports.ts";
import type { SyncOutcome, SyncReason, SyncReport } from "./report.ts";
import { type CopyCounts, copySnapshot, isDamaged } from "./snapshot_copy.ts";

/** What is copied, and how. */
export interface SyncOptions {
  /** Namespace, with all below it. Default: the root. */
  readonly namespace?: Namespace;
  /** Groups, in whichever of the namespaces they are. Default: all. */
  readonly groups?: readonly Pick<GroupId, "type" | "id">[] | undefined;
  /** So many of the last snapshots of each group. Default: all. */
  readonly last?: number | undefined;
  /** Removes what is not in the source, unless it is protected. Default: false. */
  readonly removesVanished?: boolean;
  /** Copies encrypted snapshots alone. Default: false. */
  readonly isEncryptedOnly?: boolean;
  /** Copies only snapshots whose last verification has found no damage. Default: false. */
  readonly isVerifiedOnly?: boolean;
  /** Changes nothing. Default: false. */
  readonly isDryRun?: boolean;
  /** Asked all the time whether to go on; what is done stays. */
  readonly signal?: { throwIfAborted(): void };
  /** Told how far the copy of a snapshot is. */
  readonly onProgress?: (snapshot: SnapshotId, counts: CopyCounts) => void;
  /** Told of each outcome when it is there. */
  readonly onOutcome?: (outcome: SyncOutcome) => void;
}

/**
 * Copies what the target does not have. Owners of new groups are set by the target.
 *
 * @returns also what has failed, by group and snapshot
 * @throws {UsageError} when both are the same
 * @throws {StateError} `not-found` when the source has no such namespace
 */
export function syncStores(
  source: CopyableStore,
  target: CopyableStore,
  options: SyncOptions = {},
): SyncReport {
  refuseSame(source, target);
  return new Sync(source, target, options).run();
}

function refuseSame({ localPath: one }: CopyableStore, { localPath: other }: CopyableStore): void {
  if (one === undefined || other === undefined) return;
  const [first, second] = [one, other].map((path) => hostFiles.status(`${path}/.chunks`));
  const isSame = first?.device === second?.device && first?.ino === second?.ino;
  if (one === other || isSame) {
    throw new UsageError(`Cannot sync "${one}" with itself`, { option: "target" });
  }
}

class Sync {
  readonly #source: CopyableStore;
  readonly #target: CopyableStore;
  readonly #options: SyncOptions;
  readonly #outcomes: SyncOutcome[] = [];
  readonly #found = new Set<string>();
  #namespacesOfTarget: Set<Namespace> | undefined;

  constructor(source: CopyableStore, target: CopyableStore, options: SyncOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  run(): SyncReport {
    const { namespace = ROOT_NAMESPACE, groups, removesVanished } = this.#options;
    const namespaces = this.#source.namespaces(namespace);
    for (const ns of namespaces) {
      this.#attempt(describeNamespace(ns), () => this.#syncNamespace(ns));
    }
    if (removesVanished === true) {
      this.#attempt(describeNamespace(namespace), () => {
        this.#removeNamespaces(namespace, new Set(namespaces));
      });
    } else {
      for (const group of groups?.map(formatGroup).filter((name) => !this.#found.has(name)) ?? []) {
        this.#fail(group, new StateError("not-found", `Cannot find group ${group} in the source`));
      }
    }
    const isComplete = this.#outcomes.every(({ result }) => result !== "failed");
    return { outcomes: this.#outcomes, isComplete };
  }

  #syncNamespace(ns: Namespace): void {
    const groups = this.#source.groups(ns).filter((group) => this.#isWanted(group));
    for (const group of groups) this.#found.add(formatGroup(group));
    if (groups.length > 0 || this.#options.groups === undefined) this.#makeNamespace(ns);
    for (const group of groups) {
      this.#attempt(qualifiedName(group), () => this.#syncGroup(group));
    }
    if (this.#options.removesVanished !== true) return;
    const names = new Set(groups.map(formatGroup));
    for (const group of this.#groupsOfTarget(ns)) {
      if (!names.has(formatGroup(group))) this.#removeGroup(group);
    }
  }

  #isWanted(group: GroupId): boolean {
    const { groups } = this.#options;
    return groups === undefined ||
      groups.some(({ type, id }) => type === group.type && id === group.id);
  }

  #makeNamespace(ns: Namespace): void {
    if (this.#options.isDryRun === true) return;
    const there = this.#namespacesOfTarget ??= new Set(this.#target.namespaces());
    const names = namespaceNames(ns);
    for (let depth = 1; depth <= names.length; depth++) {
      const part = names.slice(0, depth).join("/") as Namespace;
      if (there.has(part)) continue;
      this.#target.createNamespace(part);
      there.add(part);
    }
  }

  #syncGroup(group: GroupId): void {
    const all = this.#source.snapshots(group);
    const target = this.#stateOfTarget(group);
    const infos = this.#newInfos(group, target);
    const wanted = this.#select(all, infos, target);
    const hasFailed = !this.#copyAll(wanted);
    if (this.#options.isDryRun !== true) this.#carryMarks(group, infos, target);
    if (this.#options.removesVanished !== true || hasFailed) return;
    const times = new Set(all.map(({ time }) => time));
    for (const id of target.snapshots) {
      if (!times.has(id.time)) this.#remove(id);
    }
  }

  /** What is known of snapshots back to the last one of the target, by time. */
  #newInfos(group: GroupId, { last }: TargetGroup): Infos {
    const infos = new Map<number, SnapshotInfo>();
    for (const info of this.#source.snapshotInfos(group)) {
      infos.set(info.id.time, info);
      if (last !== undefined && info.id.time <= last.time) break;
    }
    return infos;
  }

  /** The snapshots that are to be copied, oldest first; tells of the others. */
  #select(all: readonly SnapshotId[], infos: Infos, target: TargetGroup): SnapshotInfo[] {
    const { last = Infinity } = this.#options;
    const present = new Set(target.snapshots.map(({ time }) => time));
    const wanted: SnapshotInfo[] = [];
    const others: SyncOutcome[] = [];
    let count = 0;
    for (const id of all.toReversed()) {
      if (count >= last) break;
      const isYounger = target.last === undefined || id.time > target.last.time;
      const info = infos.get(id.time);
      const reason = isYounger ? this.#reasonToSkip(info) : undefined;
      const name = qualifiedName(id);
      if (reason !== undefined) {
        others.push({ name, result: "skipped", reason });
        continue;
      }
      count++;
      if (isYounger) wanted.push(info!);
      else if (present.has(id.time)) others.push({ name, result: "present" });
      else others.push({ name, result: "skipped", reason: "older-than-target" });
    }
    for (const outcome of others.reverse()) this.#tell(outcome);
    return wanted.reverse();
  }

  #reasonToSkip(info: SnapshotInfo | undefined): SyncReason | undefined {
    const { isEncryptedOnly, isVerifiedOnly } = this.#options;
    if (info === undefined) return "vanished";
    if (!info.isFinished) return "unfinished";
    if (isEncryptedOnly === true && !isEncrypted(info)) return "not-encrypted";
    if (isVerifiedOnly === true && info.verifyState?.state !== "ok") return "not-verified";
    return undefined;
  }

  /** @returns whether none has failed */
  #copyAll(wanted: readonly SnapshotInfo[]): boolean {
    let isComplete = true;
    for (const info of wanted) {
      try {
        this.#copy(info);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        this.#fail(qualifiedName(info.id), error);
        isComplete = false;
        // What is damaged stays so; of all others a later attempt may succeed, but only as long as
        // there is no younger one.
        if (!isDamaged(error)) break;
      }
    }
    return isComplete;
  }

  #copy({ id, isProtected }: SnapshotInfo): void {
    const name = qualifiedName(id);
    const { isDryRun, onProgress, signal } = this.#options;
    if (isDryRun === true) return this.#tell({ name, result: "copied" });
    signal?.throwIfAborted();
    const stored = this.#open(id);
    if (stored === undefined) {
      return this.#tell({ name, result: "skipped", reason: "vanished" });
    }
    try {
      const counts = copySnapshot(stored, this.#target, (progress) => {
        signal?.throwIfAborted();
        onProgress?.(id, progress);
      });
      if (isProtected) this.#target.setProtected(id, true);
      this.#tell({ name, result: "copied", counts });
    } finally {
      stored[Symbol.dispose]();
    }
  }

  #open(id: SnapshotId) {
    try {
      return this.#source.openStored(id);
    } catch (error) {
      if (hasCode(error, "not-found")) return undefined;
      throw error;
    }
  }

  /**
   * Marks that are no part of a snapshot: whoever was interrupted may have left the last one
   * without its protection.
   */
  #carryMarks(group: GroupId, infos: Infos, { last, notes }: TargetGroup): void {
    if (last !== undefined && infos.get(last.time)?.isProtected === true) {
      if (!this.#target.snapshotInfo(last).isProtected) this.#target.setProtected(last, true);
    }
    const wanted = this.#source.groupInfo(group).notes;
    if (wanted === undefined || notes !== undefined) return;
    if (this.#stateOfTarget(group).last !== undefined) this.#target.setGroupNotes(group, wanted);
  }

  #stateOfTarget(group: GroupId): TargetGroup {
    try {
      const { snapshots, last, notes } = this.#target.groupInfo(group);
      return { snapshots: snapshots.toReversed(), last, notes };
    } catch (error) {
      if (!hasCode(error, "not-found")) throw error;
      return { snapshots: [], last: undefined, notes: undefined };
    }
  }

  #groupsOfTarget(ns: Namespace): GroupId[] {
    try {
      return this.#target.groups(ns).filter((group) => this.#isWanted(group));
    } catch (error) {
      if (hasCode(error, "not-found")) return [];
      throw error;
    }
  }

  #removeGroup(group: GroupId): void {
    const name = qualifiedName(group);
    this.#attempt(name, () => {
      for (const id of this.#target.snapshots(group)) this.#remove(id);
    });
  }

  #remove(id: SnapshotId): void {
    const name = qualifiedName(id);
    this.#options.signal?.throwIfAborted();
    try {
      if (this.#options.isDryRun !== true) this.#target.forget(id);
      else if (this.#target.snapshotInfo(id).isProtected) {
        return this.#tell({ name, result: "kept", reason: "protected" });
      }
      this.#tell({ name, result: "removed" });
    } catch (error) {
      if (hasCode(error, "protected")) this.#tell({ name, result: "kept", reason: "protected" });
      else if (hasCode(error, "locked")) this.#tell({ name, result: "kept", reason: "locked" });
      else if (error instanceof Failure) this.#fail(name, error);
      else throw error;
    }
  }

  /** Removes namespaces that the source does not have, with what is in them. */
  #removeNamespaces(below: Namespace, there: ReadonlySet<Namespace>): void {
    const vanished = this.#target.namespaces(below).filter((ns) => !there.has(ns)).reverse();
    for (const ns of vanished) {
      for (const group of this.#groupsOfTarget(ns)) this.#removeGroup(group);
      if (this.#options.isDryRun === true) continue;
      try {
        this.#target.removeNamespace(ns);
        this.#tell({ name: describeNamespace(ns), result: "removed" });
      } catch (error) {
        // Something was kept, or is not asked for.
        if (!hasCode(error, "busy")) throw error;
      }
    }
  }

  #attempt(name: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#fail(name, error);
    }
  }

  #fail(name: string, error: unknown): void {
    this.#tell({ name, result: "failed", error });
  }

  #tell(outcome: SyncOutcome): void {
    this.#outcomes.push(outcome);
    this.#options.onOutcome?.(outcome);
  }
}

/** By time. */
type Infos = ReadonlyMap<number, SnapshotInfo>;

/** What the target has of a group; nothing where there is none. */
interface TargetGroup {
  /** Oldest first. */
  readonly snapshots: readonly SnapshotId[];
  /** The youngest finished one. */
  readonly last: SnapshotId | undefined;
  readonly notes: string | undefined;
}

function isEncrypted({ files }: SnapshotInfo): boolean {
  const modes = files.map(({ cryptMode }) => cryptMode).filter((mode) => mode !== undefined);
  return modes.length > 0 && modes.every((mode) => mode === "encrypt");
}

function hasCode(error: unknown, code: StateError["code"]): boolean {
  return error instanceof StateError && error.code === code;
}

function describeNamespace(ns: Namespace): string {
  return ns === ROOT_NAMESPACE ? "root namespace" : `namespace ${ns}`;
}

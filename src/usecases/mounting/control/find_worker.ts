/**
 * From a mount point or a diff directory to the process that serves it.
 *
 * A worker is found in /proc, by its card and the lock of its diff directory, and never through the
 * mount: that may belong to a worker which has stopped, hangs or is gone. A number that somebody
 * has written down is no proof; see `worker_card.ts` and `diff_lock.ts` for what is.
 *
 * @module
 */

import { HostProcess, listProcesses, ownProcess } from "#src/io/process.ts";
import { identityOf, isSameMount, type MountIdentity } from "#src/mount/mount_identity.ts";
import { resolveMountPoint } from "#src/mount/mount_point.ts";
import { findMount, type MountTableEntry } from "#src/mount/mount_table.ts";
import { realPathOfMissing } from "#src/overlay/diff_place.ts";
import { findLockHolder } from "#src/overlay/diff_lock.ts";
import { HANDSHAKE_FLAG } from "../handshake.ts";
import { type CardContent, WorkerCard } from "./worker_card.ts";

/** Type of our mounts in the kernel's table. */
export const MOUNT_TYPE = "fuse.pbkfs";

/** A worker that has just been started has its card after this time, on a busy machine too. */
const CARD_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** A process that is proved to be a worker. Close it when it is not needed any more. */
export class Worker implements Disposable {
  readonly process: HostProcess;
  readonly card: WorkerCard;

  constructor(process: HostProcess, card: WorkerCard) {
    this.process = process;
    this.card = card;
  }

  get pid(): number {
    return this.process.pid;
  }

  [Symbol.dispose](): void {
    this.process[Symbol.dispose]();
    this.card[Symbol.dispose]();
  }
}

/** What is at a mount point, and who serves it. */
export interface FoundMount extends Disposable {
  /** Absolute path without links. */
  readonly mountPath: string;
  /** One of our mounts; undefined when none is there. */
  readonly entry: MountTableEntry | undefined;
  /** Undefined when there is none, or none that can be seen from here. */
  readonly worker: Worker | undefined;
  /** Undefined when neither the worker nor the caller names it. */
  readonly diffPath: string | undefined;
  /** Workers that have something mounted at this path in other mount namespaces. */
  readonly elsewhere: readonly ForeignWorker[];
}

/** A worker that is none of this mount namespace. */
export interface ForeignWorker {
  readonly pid: number;
  readonly diffPath: string | undefined;
}

/**
 * Finds what is mounted, or about to be, at a path.
 *
 * @param diffHint a diff directory whose worker it is when nothing is mounted at the path
 */
export async function findMountAt(path: string, diffHint?: string): Promise<FoundMount> {
  const mountPath = resolveMountPoint(path);
  const diffPath = diffHint === undefined ? undefined : realPathOfMissing(diffHint);
  const deadline = performance.now() + CARD_TIMEOUT_MS;
  let found = look(mountPath, diffPath);
  while (performance.now() < deadline) {
    if (found.entry === undefined && found.worker === undefined) {
      // Asked before the next look: one that has its card by now is found then.
      const isStarting = isAnyStarting();
      found = look(mountPath, diffPath);
      if (!isStarting || found.worker !== undefined) break;
    } else if (isJustMounted(found)) {
      found[Symbol.dispose]();
      found = look(mountPath, diffPath);
    } else {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return found;
}

/** The worker is about to say so. */
function isJustMounted({ entry, worker }: FoundMount): boolean {
  return entry !== undefined && worker?.card.read().state === "starting";
}

function look(mountPath: string, diffPath: string | undefined): FoundMount {
  const mounted = findMount(mountPath);
  const entry = mounted?.type === MOUNT_TYPE ? mounted : undefined;
  const mount = entry === undefined ? undefined : identityOf(entry);
  const serving = entry === undefined ? undefined : findWorkerOf(entry, mount);
  // What has just been mounted is on no card for a moment; with the number of another one that has
  // ended it may be taken for another place of that.
  const isWanted = (card: CardContent) =>
    mount === undefined || card.state === "starting" || mayServe(card, mount, true);
  const { worker, elsewhere } = serving?.card.read().mount_path === mountPath
    ? { worker: serving, elsewhere: [] }
    : firstOf(findByPlace(mountPath, diffPath, isWanted), serving);
  return {
    mountPath,
    entry,
    worker,
    diffPath: worker?.card.read().diff_dir ?? diffPath,
    elsewhere,
    [Symbol.dispose]: () => worker?.[Symbol.dispose](),
  };
}

/** The worker of a place if there is one, else the one that serves what is there. */
function firstOf(
  byPlace: Pick<FoundMount, "worker" | "elsewhere">,
  serving: Worker | undefined,
): Pick<FoundMount, "worker" | "elsewhere"> {
  if (byPlace.worker === undefined) return { ...byPlace, worker: serving };
  serving?.[Symbol.dispose]();
  return byPlace;
}

/** The worker that serves a mount of the own namespace, at its first place or at another one. */
export function findWorkerOf(
  entry: MountTableEntry,
  mount = identityOf(entry),
): Worker | undefined {
  using own = ownProcess();
  const namespace = own.mountNamespace;
  const workers = findWorkers(({ card, process }) => {
    const content = card.read();
    const isItsPlace = content.mount_path === entry.mountPoint &&
      process.mountNamespace === namespace;
    return mayServe(content, mount, isItsPlace);
  });
  const best = workers.toSorted((one, other) => idOf(other) - idOf(one))[0];
  for (const worker of workers) if (worker !== best) worker[Symbol.dispose]();
  return best;
}

/**
 * Whether a worker may be the one that serves a mount. The card of a worker that has stopped, or
 * has not taken note of the end of its mount, names a device that may be another mount's by now. Of
 * those that may, it is the one that has mounted last.
 *
 * @param isItsPlace the worker mounts at the very place
 */
export function mayServe(card: CardContent, mount: MountIdentity, isItsPlace: boolean): boolean {
  const served = mountServedBy(card);
  if (served === undefined) return false;
  if (isSameMount(served, mount)) return true;
  if (isItsPlace || served.device !== mount.device || served.source !== mount.source) return false;
  // Another place of a mount is younger than the first.
  return served.id! < mount.id!;
}

function idOf({ card }: Worker): number {
  return card.read().mount?.id ?? 0;
}

/**
 * The mount that a worker serves now, for all it knows; undefined where it serves none yet, or none
 * any more.
 */
export function mountServedBy({ state, mount }: CardContent): MountIdentity | undefined {
  return state === "mounted" && mount !== undefined ? { id: undefined, ...mount } : undefined;
}

/** The worker that has locked a diff directory. */
function findWorkerByDiff(diffPath: string): Worker | undefined {
  const pid = findLockHolder(diffPath)?.pid;
  return pid === undefined ? undefined : openWorker(pid);
}

/** The worker that is going to mount at a path, or has mounted there and lost its place. */
function findByPlace(
  mountPath: string,
  diffPath: string | undefined,
  isWanted: (card: CardContent) => boolean,
): Pick<FoundMount, "worker" | "elsewhere"> {
  const isThere = ({ card }: Worker) => {
    const content = card.read();
    return content.mount_path === mountPath && isWanted(content);
  };
  const byDiff = diffPath === undefined ? undefined : findWorkerByDiff(diffPath);
  if (byDiff !== undefined && isThere(byDiff)) return { worker: byDiff, elsewhere: [] };
  byDiff?.[Symbol.dispose]();
  using own = ownProcess();
  const workers = findWorkers(isThere);
  const namespace = own.mountNamespace;
  const worker = workers.find(({ process }) => process.mountNamespace === namespace);
  const others = workers.filter((other) => other !== worker);
  const elsewhere = others.filter(({ process }) => process.mountNamespace !== namespace)
    .map(({ pid, card }) => ({ pid, diffPath: card.read().diff_dir }));
  for (const other of others) other[Symbol.dispose]();
  return { worker, elsewhere };
}

/** All workers that this user may look at and that `isWanted`. */
function findWorkers(isWanted: (worker: Worker) => boolean): Worker[] {
  const found: Worker[] = [];
  for (const pid of listProcesses()) {
    const worker = openWorker(pid);
    if (worker === undefined) continue;
    if (isWanted(worker)) found.push(worker);
    else worker[Symbol.dispose]();
  }
  return found;
}

function openWorker(pid: number): Worker | undefined {
  const process = HostProcess.open(pid);
  if (process === undefined) return undefined;
  const card = process.state === "ended" ? undefined : WorkerCard.find(process);
  if (card !== undefined) return new Worker(process, card);
  process[Symbol.dispose]();
  return undefined;
}

/** Whether there is a process that was started as a worker a moment ago and has no card yet. */
function isAnyStarting(): boolean {
  using own = ownProcess();
  return listProcesses().some((pid) => {
    using process = HostProcess.open(pid);
    if (process?.commandLine.at(-1) !== HANDSHAKE_FLAG) return false;
    if (process.state === "ended" || process.executable !== own.executable) return false;
    using card = WorkerCard.find(process);
    return card === undefined;
  });
}

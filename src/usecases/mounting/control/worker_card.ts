/**
 * What a background worker says of itself: a file in its own memory that any command can find in
 * `/proc/PID/fd`.
 *
 * It needs no directory, neither a diff's nor one of the system, so that every kind of mount has
 * it. It goes with the process, so that it is never stale. It can be read when the worker is
 * stopped, when its disk is full or broken, and, by whoever has opened it, when the worker has
 * ended: then it tells how.
 *
 * What is proved by it: the file belongs to the user that the process runs as, and names the start
 * time and the executable of the process in which it was found. So it was written by that very
 * process, or by one of that user. Whoever forges one can do no more with it than have a process of
 * his own signalled.
 *
 * The text is one JSON object, replaced in place. It begins and ends with the number of the
 * edition, so that a reader sees when he has parts of two.
 *
 * @module
 */

import * as v from "valibot";
import * as host from "#ffi/libc/calls.ts";
import { type HostProcess, ownProcess } from "#src/io/process.ts";
import { sleep } from "#src/threads/waiting.ts";

/** Name by which the kernel shows the file. */
const FILE_NAME = "pbkfs-worker";
const LINK_TARGET = `/memfd:${FILE_NAME} (deleted)`;

/**
 * Short name of worker processes: what looks for them need not look into the files of all others.
 */
export const WORKER_PROCESS_NAME = "pbkfs";
const OWN_NAME_FILE = "/proc/self/comm";

const SIZE_MAX = 1 << 20;
/** A reader may come in the middle of a replacement; the next attempt is later than that. */
const READ_ATTEMPTS_MAX = 50;
const RETRY_PAUSE_MS = 1;

/** Why a worker ended without having done everything. */
const FailureSchema = v.object({
  code: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
});

const MountSchema = v.object({
  /** `major:minor` of the file system. */
  device: v.string(),
  source: v.string(),
  /** Number that no other mount has, where the kernel has such. */
  id: v.optional(v.number()),
});

const CardSchema = v.object({
  edition: v.number(),
  /** Clock ticks since the system's start. */
  start_ticks: v.number(),
  /** Device and number of the executable. */
  executable: v.string(),
  /**
   * `starting`: nothing is mounted; `mounted`; `settling`: the mount has ended and what was written
   * is made durable; `ended`: all is; `failed`: it is not, or there was no mount.
   */
  state: v.picklist(["starting", "mounted", "settling", "ended", "failed"]),
  /** Absolute path without links, in the worker's mount namespace. */
  mount_path: v.string(),
  /** The mount, once there is one, at its first place. */
  mount: v.optional(MountSchema),
  /** Absolute path of the diff directory, where there is one. */
  diff_dir: v.optional(v.string()),
  failure: v.optional(FailureSchema),
  /** Answer to the last question for statistics, and how many there were. */
  statistics: v.optional(v.object({
    number: v.number(),
    report: v.unknown(),
    /** Id of the last order that was taken before (`worker_orders.ts`). */
    order: v.optional(v.string()),
  })),
  last_edition: v.number(),
});

type CardText = v.InferOutput<typeof CardSchema>;

/** A worker's words about itself. */
export type CardContent = Omit<CardText, "last_edition">;

/** What changes in the life of a worker. */
export type CardChange = Partial<
  Pick<CardContent, "state" | "mount_path" | "mount" | "diff_dir" | "failure">
>;

/** The card of this process, which is a worker. */
export class OwnCard {
  readonly #fd: number;
  #content: CardContent;

  private constructor(fd: number, content: CardContent) {
    this.#fd = fd;
    this.#content = content;
  }

  /**
   * Makes this process one that can be found. @param mountPath where it is going to mount @throws
   * {OsError}
   */
  static publish(mountPath: string): OwnCard {
    using own = ownProcess();
    const fd = host.unwrap(host.memfdCreate(FILE_NAME), "make", FILE_NAME);
    const card = new OwnCard(fd, {
      edition: 0,
      start_ticks: own.startTicks ?? 0,
      executable: own.executable ?? "",
      state: "starting",
      mount_path: mountPath,
    });
    card.update({});
    setOwnName();
    return card;
  }

  /** Says what has changed. A full system costs the news, never the mount. */
  update(change: CardChange): void {
    this.#replace(change);
  }

  /** Answers a question for statistics. @param order id of the last order that was taken */
  showStatistics(report: unknown, order?: string): void {
    const number = (this.#content.statistics?.number ?? 0) + 1;
    this.#replace({ statistics: { number, report, order } });
  }

  #replace(change: Partial<CardContent>): void {
    const edition = this.#content.edition + 1;
    this.#content = { ...this.#content, ...change, edition };
    const text = JSON.stringify({ ...this.#content, last_edition: edition } satisfies CardText);
    const buffer = host.nativeBufferOf(new TextEncoder().encode(text));
    const written = host.pwriteFully(this.#fd, buffer.address, buffer.bytes.length, 0);
    if (written === buffer.bytes.length) host.ftruncate(this.#fd, written);
  }
}

/** Only a hint to those who look: what a process is called proves nothing. */
function setOwnName(): void {
  const fd = host.open(OWN_NAME_FILE, host.OpenFlag.WRONLY);
  if (fd < 0) return;
  const buffer = host.nativeBufferOf(new TextEncoder().encode(WORKER_PROCESS_NAME));
  host.write(fd, buffer.address, BigInt(buffer.bytes.length));
  host.close(fd);
}

/**
 * The card of another process, which stays readable when that has ended. Close it when it is not
 * needed any more.
 */
export class WorkerCard implements Disposable {
  #fd: number;
  #content: CardContent;

  private constructor(fd: number, content: CardContent) {
    this.#fd = fd;
    this.#content = content;
  }

  /**
   * The card of a process. @returns undefined when it is no worker, or not to be looked at by this
   * user
   */
  static find(process: HostProcess): WorkerCard | undefined {
    if (process.name !== WORKER_PROCESS_NAME) return undefined;
    for (const { fd, target } of process.descriptors()) {
      if (target !== LINK_TARGET || !isInMemory(process, fd)) continue;
      const card = WorkerCard.#open(process.openDescriptor(fd), process);
      if (card !== undefined) return card;
    }
    return undefined;
  }

  static #open(fd: number, process: HostProcess): WorkerCard | undefined {
    if (fd < 0) return undefined;
    const content = readContent(fd);
    if (content !== undefined && isOwnCard(fd, content, process)) {
      return new WorkerCard(fd, content);
    }
    host.close(fd);
    return undefined;
  }

  /** What it says now. */
  read(): CardContent {
    return this.#content = readContent(this.#fd) ?? this.#content;
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) host.close(this.#fd);
    this.#fd = -1;
  }
}

let memoryMountId: string | undefined;

/**
 * A file of a hanging mount can be called as the kernel calls those in memory; opening it could
 * take for ever.
 */
export function isInMemory(process: HostProcess, fd: number): boolean {
  memoryMountId ??= mountIdOfMemory();
  return mountIdOf(process.descriptorInfo(fd)) === memoryMountId;
}

/** All files in memory are on one mount of the kernel's own. */
function mountIdOfMemory(): string {
  const fd = host.unwrap(host.memfdCreate("probe"), "make", "file in memory");
  using own = ownProcess();
  const id = mountIdOf(own.descriptorInfo(fd));
  host.close(fd);
  return id ?? "";
}

function mountIdOf(descriptorInfo: string | undefined): string | undefined {
  return /^mnt_id:\s*(\d+)$/mu.exec(descriptorInfo ?? "")?.[1];
}

/** Whether the process in which a card was found is the one that wrote it. */
function isOwnCard(fd: number, content: CardContent, process: HostProcess): boolean {
  const stat = new host.HostStat();
  return host.statFd(fd, stat) === 0 && stat.uid === process.fileUserId &&
    content.start_ticks === process.startTicks && content.executable === process.executable;
}

function readContent(fd: number): CardContent | undefined {
  for (let attempt = 1; attempt <= READ_ATTEMPTS_MAX; attempt++) {
    const content = parseCard(readWorkerText(fd, SIZE_MAX));
    if (content !== undefined) return content;
    sleep(RETRY_PAUSE_MS);
  }
  return undefined;
}

/**
 * The text of a file in a worker's memory; empty when there is none, or more than `sizeMax` bytes.
 */
export function readWorkerText(fd: number, sizeMax: number): string {
  const stat = new host.HostStat();
  if (host.statFd(fd, stat) < 0 || stat.size === 0 || stat.size > sizeMax) return "";
  const buffer = host.allocateNativeBuffer(stat.size);
  const length = host.preadFully(fd, buffer.address, stat.size, 0);
  return length < 0 ? "" : new TextDecoder().decode(buffer.bytes.subarray(0, length));
}

/**
 * Parses the text of a card. @returns undefined when it is none, or parts of two editions of one
 */
export function parseCard(text: string): CardContent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const result = v.safeParse(CardSchema, value);
  if (!result.success || result.output.edition !== result.output.last_edition) return undefined;
  const { last_edition: _, ...content } = result.output;
  return content;
}

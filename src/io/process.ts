/**
 * Processes of this host, as /proc shows them.
 *
 * A number can mean another process a moment later, and means another one in another PID namespace.
 * An open directory `/proc/PID` does neither: what is read through it, and who is signalled through
 * it, is one process for ever. So whoever signals opens first, looks at what was opened, and
 * signals that.
 *
 * Nothing here waits for the process, or for a mount: /proc answers for a process that is stopped
 * or hangs.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { listOpenDirectory } from "./files/open_directory.ts";

/**
 * What a process is doing. `blocked`: it waits in the kernel and takes no signal, not even SIGKILL.
 */
export type ProcessState = "running" | "stopped" | "blocked" | "ended";

/** An open file of a process. */
export interface ProcessDescriptor {
  readonly fd: number;
  /** What the kernel says that it is: a path, or a name such as `/memfd:x (deleted)`. */
  readonly target: string;
}

const DIRECTORY_FLAGS = host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY;

/** One process. Close it when it is not needed any more. */
export class HostProcess implements Disposable {
  /** Its number in the namespace that /proc shows. */
  readonly pid: number;
  #fd: number;

  private constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /**
   * The process that has that number now. @returns undefined when there is none that may be looked
   * at
   */
  static open(pid: number): HostProcess | undefined {
    const fd = host.open(`/proc/${pid}`, DIRECTORY_FLAGS);
    return fd < 0 ? undefined : new HostProcess(pid, fd);
  }

  /** What it is doing now. */
  get state(): ProcessState {
    const fields = this.#statFields();
    if (fields === undefined) return "ended";
    const [letter] = fields;
    const isZombie = letter === "Z" || letter === "X" || letter === "x";
    // The first thread may have ended before the others, which still have all files open.
    if (isZombie) return Number(fields[THREAD_COUNT_FIELD]) <= 1 ? "ended" : "blocked";
    if (letter === "T" || letter === "t") return "stopped";
    return letter === "D" ? "blocked" : "running";
  }

  /** It has ended and its parent knows: the number is free. */
  get isGone(): boolean {
    return this.#statFields() === undefined;
  }

  /** The process that started it, or has taken it over; 0 for one of another PID namespace. */
  get parentPid(): number | undefined {
    const text = this.#statFields()?.[PARENT_FIELD];
    return text === undefined ? undefined : Number(text);
  }

  /** When it was started, in clock ticks since the system's start: the same in every namespace. */
  get startTicks(): number | undefined {
    const text = this.#statFields()?.[START_TIME_FIELD];
    return text === undefined ? undefined : Number(text);
  }

  /** User id that its files are made with. */
  get fileUserId(): number | undefined {
    const [, text] = /^Uid:\s+\d+\s+\d+\s+\d+\s+(\d+)$/mu.exec(this.#text("status") ?? "") ?? [];
    return text === undefined ? undefined : Number(text);
  }

  /** Short name, which the process may choose. */
  get name(): string | undefined {
    return this.#text("comm")?.replace(/\n$/u, "");
  }

  /** Its arguments, the program first. */
  get commandLine(): string[] {
    return (this.#text("cmdline") ?? "").split("\0").slice(0, -1);
  }

  /**
   * Device and number of the file that it executes, which may be removed by now. @returns undefined
   * when it may not be known
   */
  get executable(): string | undefined {
    const stat = new host.HostStat();
    const result = host.statAt(this.#fd, "exe", stat, true);
    return result < 0 ? undefined : `${stat.device}:${stat.ino}`;
  }

  /** Identity of the mount namespace that it is in. @returns undefined when it may not be known */
  get mountNamespace(): string | undefined {
    const target = host.readlinkAt(this.#fd, "ns/mnt");
    return typeof target === "number" ? undefined : decodeFileName(target);
  }

  /** Its working directory, root directory and program; none where they may not be known. */
  places(): string[] {
    const links = ["cwd", "root", "exe"].map((name) => host.readlinkAt(this.#fd, name));
    return links.filter((target) => typeof target !== "number").map(decodeFileName);
  }

  /** The mounts that it sees, as text of mountinfo. @returns undefined when it may not be known */
  get mountTable(): string | undefined {
    return this.#text("mountinfo");
  }

  /** Its open files; none where they may not be known. */
  descriptors(): ProcessDescriptor[] {
    const directory = host.openAt(this.#fd, "fd", DIRECTORY_FLAGS);
    if (directory < 0) return [];
    try {
      const found: ProcessDescriptor[] = [];
      for (const name of namesIn(directory)) {
        const target = host.readlinkAt(directory, name);
        if (typeof target === "number") continue;
        found.push({ fd: Number(name), target: decodeFileName(target) });
      }
      return found;
    } finally {
      host.close(directory);
    }
  }

  /**
   * Opens what the process has open, anew: it stays there when the process ends. Only for files
   * that cannot hang.
   *
   * @returns a descriptor for reading, or a negative errno
   */
  openDescriptor(fd: number): number {
    return host.openAt(this.#fd, `fd/${fd}`, host.OpenFlag.RDONLY | host.OpenFlag.NONBLOCK);
  }

  /** {@link openDescriptor} for writing; of a file in memory only. */
  openDescriptorForWriting(fd: number): number {
    return host.openAt(this.#fd, `fd/${fd}`, host.OpenFlag.WRONLY | host.OpenFlag.NONBLOCK);
  }

  /** What the kernel says of one of its open files (proc(5), "fdinfo"). */
  descriptorInfo(fd: number): string | undefined {
    return this.#text(`fdinfo/${fd}`);
  }

  /** Signals it. @returns 0 or a negative errno: see `signalProcess` */
  signal(signal: number): number {
    return host.signalProcess(this.#fd, signal);
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) host.close(this.#fd);
    this.#fd = -1;
  }

  /** Fields of `stat` behind the name, which may have blanks and brackets in it. */
  #statFields(): string[] | undefined {
    const text = this.#text("stat");
    return text?.slice(text.lastIndexOf(")") + 2).split(" ");
  }

  #text(name: string): string | undefined {
    const bytes = host.readSmallFile(`/proc/self/fd/${this.#fd}/${name}`, TEXT_SIZE_MAX);
    return typeof bytes === "number" ? undefined : decodeFileName(bytes);
  }
}

const TEXT_SIZE_MAX = 16 << 20;
// proc(5) counts from 1, and these from the state, which is the third.
const PARENT_FIELD = 4 - 3;
const THREAD_COUNT_FIELD = 20 - 3;
const START_TIME_FIELD = 22 - 3;

/** This process. */
export function ownProcess(): HostProcess {
  const target = host.readlink("/proc/self");
  const pid = typeof target === "number" ? host.getPid() : Number(decodeFileName(target));
  const own = HostProcess.open(pid);
  if (own === undefined) throw new host.OsError(host.Errno.ENOENT, "open", "/proc/self");
  return own;
}

/** Numbers of the processes that this one was called by, down to the first that /proc shows. */
export function callersOfThis(): number[] {
  const callers: number[] = [];
  using own = ownProcess();
  let pid = own.parentPid;
  while (pid !== undefined && pid > 0 && !callers.includes(pid)) {
    callers.push(pid);
    using process = HostProcess.open(pid);
    pid = process?.parentPid;
  }
  return callers;
}

/** Numbers of all processes that /proc shows, oldest first. */
export function listProcesses(): number[] {
  const fd = host.open("/proc", DIRECTORY_FLAGS);
  if (fd < 0) return [];
  try {
    return namesIn(fd).filter((name) => /^\d+$/u.test(name)).map(Number);
  } finally {
    host.close(fd);
  }
}

/** What is in a directory of a process that may end at any moment. */
function namesIn(fd: number): string[] {
  try {
    return listOpenDirectory(fd, "/proc").map(({ name }) => name);
  } catch (error) {
    if (error instanceof host.OsError) return [];
    throw error;
  }
}

/**
 * The record of a restore that is not finished: a file in the target that says of what it is, and
 * how much of it is on stable storage. With the last step it goes.
 *
 * One JSON object a line. The first says what is restored, and where to; what follows is appended:
 * so many files of the source, in its order, are complete and durable. A last line may be torn.
 *
 * @module
 */

import * as v from "valibot";
import { FormatError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { syncDirectory } from "#src/io/files/whole_file.ts";

/** Name of the file, in the root of the target. */
export const RECORD_NAME = ".pbkfs-restore";
const NEW_RECORD_NAME = ".pbkfs-restore.new";

/** Names in the root of a target that are the restore's own. */
export const OWN_NAMES: ReadonlySet<string> = new Set([RECORD_NAME, NEW_RECORD_NAME]);

const RECORD_SIZE_MAX = 16 << 20;

const IdentitySchema = v.object({
  format: v.literal(1),
  source: v.object({
    kind: v.string(),
    name: v.string(),
    fingerprint: v.string(),
    ids: v.array(v.string()),
  }),
  places: v.array(v.string()),
  databases_left_out: v.array(v.number()),
  incremental: v.boolean(),
  owner: v.nullable(v.object({ uid: v.number(), gid: v.number() })),
});

const ProgressSchema = v.object({
  done: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  complete: v.optional(v.literal(true)),
});

/** What is restored, and where to: another restore must not go on with it. */
export type RestoreIdentity = Readonly<v.InferOutput<typeof IdentitySchema>>;

/** Only one restore at a time has it open. */
export class UnfinishedRestore implements Disposable {
  readonly identity: RestoreIdentity;
  /** Files, in the order of the source, that are complete and durable. */
  readonly doneCount: number;
  /** All is durable; what is left is to give the last file its name. */
  readonly isComplete: boolean;
  readonly #targetPath: string;
  readonly #fd: number;

  private constructor(
    targetPath: string,
    fd: number,
    identity: RestoreIdentity,
    progress: { doneCount: number; isComplete: boolean },
  ) {
    this.#targetPath = targetPath;
    this.#fd = fd;
    this.identity = identity;
    this.doneCount = progress.doneCount;
    this.isComplete = progress.isComplete;
  }

  /**
   * The restore that a directory holds. @returns undefined where it holds none
   *
   * @throws {StateError} `locked` while another process is at it
   * @throws {FormatError} when the record is damaged
   */
  static open(targetPath: string): UnfinishedRestore | undefined {
    const path = `${targetPath}/${RECORD_NAME}`;
    const flags = host.OpenFlag.RDWR | host.OpenFlag.APPEND | host.OpenFlag.NOFOLLOW;
    const opened = host.open(path, flags);
    if (opened === -host.Errno.ENOENT || opened === -host.Errno.ENOTDIR) return undefined;
    const fd = host.unwrap(opened, "open", path);
    try {
      lock(fd, targetPath);
      return new UnfinishedRestore(targetPath, fd, ...parseRecord(readRecord(path), path));
    } catch (error) {
      host.close(fd);
      throw error;
    }
  }

  /** Begins a restore: from now on the directory holds it. @throws {OsError} */
  static create(targetPath: string, identity: RestoreIdentity): UnfinishedRestore {
    const newPath = `${targetPath}/${NEW_RECORD_NAME}`;
    const path = `${targetPath}/${RECORD_NAME}`;
    host.unlink(newPath);
    const { RDWR, APPEND, CREAT, EXCL } = host.OpenFlag;
    const fd = host.unwrap(host.open(newPath, RDWR | APPEND | CREAT | EXCL, 0o600), "create", path);
    const progress = { doneCount: 0, isComplete: false };
    const restore = new UnfinishedRestore(targetPath, fd, identity, progress);
    try {
      lock(fd, targetPath);
      restore.#append(identity);
      const { NOREPLACE } = host.RenameFlag;
      host.unwrap(host.rename(newPath, path, NOREPLACE), "create", path);
      syncDirectory(targetPath);
      return restore;
    } catch (error) {
      host.unlink(newPath);
      host.close(fd);
      throw error;
    }
  }

  /** Says that so many files are complete and durable. @throws {OsError} */
  recordDone(doneCount: number): void {
    this.#append({ done: doneCount });
  }

  /** Says that everything is durable. @throws {OsError} */
  recordComplete(): void {
    this.#append({ complete: true });
  }

  /** The restore is finished. @throws {OsError} */
  remove(): void {
    host.unwrap(host.unlink(`${this.#targetPath}/${RECORD_NAME}`), "remove", RECORD_NAME);
    syncDirectory(this.#targetPath);
  }

  /** Closes the record; the directory goes on holding the restore unless it was removed. */
  [Symbol.dispose](): void {
    host.close(this.#fd);
  }

  #append(line: object): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    const { address } = host.nativeBufferOf(bytes);
    const count = host.write(this.#fd, address, BigInt(bytes.length));
    const path = `${this.#targetPath}/${RECORD_NAME}`;
    if (host.unwrap(count, "write", path) < bytes.length) {
      throw new host.OsError(host.Errno.ENOSPC, "write", path);
    }
    host.unwrap(host.fsync(this.#fd), "sync", path);
  }
}

function lock(fd: number, targetPath: string): void {
  const { EXCLUSIVE, NONBLOCKING } = host.Lock;
  const result = host.flock(fd, EXCLUSIVE | NONBLOCKING);
  if (result === -host.Errno.EAGAIN) {
    throw new StateError("locked", `Cannot restore to "${targetPath}": another restore is at it`);
  }
  host.unwrap(result, "lock", targetPath);
}

function readRecord(path: string): string {
  const bytes = host.readSmallFile(path, RECORD_SIZE_MAX);
  if (typeof bytes === "number") throw new host.OsError(-bytes, "read", path);
  return new TextDecoder().decode(bytes);
}

function parseRecord(
  text: string,
  path: string,
): [RestoreIdentity, { doneCount: number; isComplete: boolean }] {
  const [first = "", ...rest] = text.split("\n");
  const identity = v.safeParse(IdentitySchema, parseLine(first));
  if (!identity.success) {
    throw new FormatError("Cannot read the record of an unfinished restore", {
      path,
      hint: "Empty the directory to begin anew",
    });
  }
  const progress = { doneCount: 0, isComplete: false };
  for (const line of rest) {
    const parsed = v.safeParse(ProgressSchema, parseLine(line));
    if (!parsed.success) continue;
    progress.doneCount = Math.max(progress.doneCount, parsed.output.done ?? 0);
    progress.isComplete ||= parsed.output.complete === true;
  }
  return [identity.output, progress];
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

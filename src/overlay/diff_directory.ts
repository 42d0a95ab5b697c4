/**
 * A diff directory as a whole: whose it is, who uses it, whether it is sound.
 *
 *     DIFF/.pbkfs-binding.json   what the diff belongs to
 *     DIFF/.pbkfs-lock           flock'ed while mounted
 *     DIFF/.pbkfs-dirty          present while a mount that skips fsync is, or was, live
 *     DIFF/.pbkfs-branches/      see `branches.ts`
 *     DIFF/.pbkfs                link to data/.pbkfs: worker.pid, stat, pbkfs.log
 *     DIFF/data/                 the upper tree
 *     DIFF/links/                see `linked_files.ts`
 *     DIFF/tmp/                  names of files in the making
 *
 * @module
 */

import { removeFile, syncDirectory } from "#src/io/files/whole_file.ts";
import * as host from "#ffi/libc/calls.ts";
import { StateError } from "#src/errors.ts";
import {
  type Binding,
  type BoundSource,
  checkSource,
  DIFF_FORMAT_VERSION,
  formatBinding,
  recordedSource,
} from "./binding.ts";
import { BINDING_FILE_NAME } from "./binding_name.ts";
import { requireNoBranches } from "./branches.ts";
import { requireNotPromoted } from "./promotion/promotion_record.ts";
import { NONCE_SIZE } from "./partial_file.ts";
import { type ControlDirectory, openControlDirectory } from "./control_directory.ts";
import { acquireDiffLock, type DiffLock } from "./diff_lock.ts";
import {
  checkOverlap,
  CONTROL_DIRECTORY_NAME,
  createDirectory,
  DATA_DIRECTORY_NAME,
  type DiffPlace,
  probeWritable,
  realPathOfMissing,
  refuseForeign,
  TEMPORARY_DIRECTORY_NAME,
} from "./diff_place.ts";
import { replaceTextFile } from "./durable_file.ts";
import { readHostDirectory, removeHostTree } from "./host_directory.ts";

/** Name of the marker in the diff directory that says that acknowledged writes may be lost. */
export const DIRTY_FILE_NAME = ".pbkfs-dirty";

/** What a mount asks of a diff directory. */
export interface DiffRequest {
  /** Where the source lies, and what that is called in messages. */
  readonly sourcePlaces: readonly DiffPlace[];
  /** Absolute and without links: nothing is looked up there, where a dead mount may be. */
  readonly mountPath: string;
  /** Mount although the marker of lost writes is there, or the source has changed. */
  readonly force: boolean;
  /** Looks at the record of a bound directory as soon as it is locked. @throws to refuse it */
  readonly checkBinding?: (binding: Binding) => void;
}

/** What is recorded when a diff directory is bound. */
export interface BindingFacts {
  readonly source: BoundSource;
  /** Files may get extended attributes from now on. */
  readonly extendedAttributes: boolean;
  readonly programVersion: string;
}

/**
 * Opens, and with it locks, a diff directory. A directory that does not exist is made (mode 0700).
 * Nothing is written into a directory that another tool made.
 *
 * @throws {UsageError} `overlap` when diff directory, mount point and source are not apart
 * @throws {StateError} `foreign-diff`, `has-branches`, `locked`, `promoted` or `dirty`, or
 *   what `checkBinding` throws
 * @throws {FormatError} when the binding is damaged
 * @throws {OsError} when the directory cannot be made or written
 */
export function openDiffDirectory(path: string, request: DiffRequest): DiffDirectory {
  const absolute = realPathOfMissing(path);
  const { mountPath, force } = request;
  const sourcePlaces = request.sourcePlaces.map(({ what, path }) => {
    return { what, path: realPathOfMissing(path) };
  });
  checkOverlap([
    { what: "diff directory", path: absolute },
    { what: "mount point", path: mountPath },
    ...sourcePlaces,
  ]);
  const isNew = createDirectory(absolute);
  refuseForeign(absolute);
  // Who reads it for a branch has a share of the lock: its branches say more.
  requireNoBranches(absolute, "mount");
  probeWritable(absolute);
  const lock = acquireDiffLock(absolute, {
    pid: host.getPid(),
    startTime: nowSeconds(),
    diffPath: absolute,
    mountPath,
  });
  try {
    // Read again: the former holder may have changed it before the lock was free.
    const binding = refuseForeign(absolute);
    requireNoBranches(absolute, "mount");
    if (binding !== undefined) {
      requireNotPromoted(binding, absolute, "mount");
      // What a killed mount could not drop itself, also where this one is refused.
      emptyTemporaryDirectory(absolute);
      request.checkBinding?.(binding);
    }
    const isDirty = hasFile(`${absolute}/${DIRTY_FILE_NAME}`);
    if (isDirty && !force) throw dirtyError(absolute);
    return new DiffDirectory(absolute, { mountPath, isNew, force }, lock, binding);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * What a directory that need not be there is bound to.
 *
 * @throws {StateError} `foreign-diff`
 * @throws {FormatError} when the record is damaged
 */
export function readBinding(path: string): Binding | undefined {
  return refuseForeign(realPathOfMissing(path));
}

/**
 * What a diff directory is bound to.
 *
 * @param act what is to be done with it, for the message: `read`
 * @throws {StateError} `not-found` when it is not one; `foreign-diff`
 * @throws {FormatError} when the record is damaged
 */
export function requireBinding(path: string, act: string): Binding {
  const binding = readBinding(path);
  if (binding !== undefined) return binding;
  throw new StateError("not-found", `Cannot ${act} "${path}": it is not a diff directory`, {
    hint: "A diff directory is what a writable mount has made, and was mounted before",
  });
}

/** Replaces the record of a diff directory, durably. Wants its lock. @throws {OsError} */
export function writeBinding(diffPath: string, binding: Binding): void {
  // Root may mount a user's diff; the user still needs to read what it belongs to afterwards.
  const directory = new host.HostStat();
  host.unwrap(host.lstat(diffPath, directory), "stat", diffPath);
  const { uid, gid } = directory;
  const options = { mode: 0o600, durable: true, owner: { uid, gid } };
  replaceTextFile(diffPath, BINDING_FILE_NAME, formatBinding(binding), options);
}

/**
 * Removes what a mount kept in `tmp/`, as far as it can be. Wants the diff's lock.
 *
 * @throws {OsError} when the directory cannot be listed
 */
export function emptyTemporaryDirectory(diffPath: string): void {
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY | host.OpenFlag.NOFOLLOW;
  const fd = host.open(`${diffPath}/${TEMPORARY_DIRECTORY_NAME}`, flags);
  if (fd < 0) return;
  try {
    for (const { name } of readHostDirectory(fd)) removeHostTree(fd, name);
  } finally {
    host.close(fd);
  }
}

/** A locked diff directory. {@link release} it after a clean end, else {@link abandon} it. */
export class DiffDirectory {
  /** Absolute path without links. */
  readonly path: string;
  readonly mountPath: string;
  readonly #isNew: boolean;
  readonly #force: boolean;
  readonly #lock: DiffLock;
  #binding: Binding | undefined;
  #control: ControlDirectory | undefined;

  constructor(
    path: string,
    place: { mountPath: string; isNew: boolean; force: boolean },
    lock: DiffLock,
    binding: Binding | undefined,
  ) {
    this.path = path;
    this.mountPath = place.mountPath;
    this.#isNew = place.isNew;
    this.#force = place.force;
    this.#lock = lock;
    this.#binding = binding;
  }

  /** The record, once the directory is bound. */
  get binding(): Binding | undefined {
    return this.#binding;
  }

  /** The record's `binding_id`; needs a bound directory. */
  get id(): string {
    return this.#bound().binding_id;
  }

  /**
   * Path of the worker's own directory, `DIFF/data/.pbkfs`, for this process; needs a bound
   * directory.
   */
  get controlPath(): string {
    return this.#control!.path;
  }

  /**
   * Files may have extended attributes, since this or a former mount keeps them; needs a bound
   * directory. Such a diff is never mounted without: without the ACL, the mode of such a
   * file would give the owning group the permissions of the ACL's mask.
   */
  get hasExtendedAttributes(): boolean {
    return this.#bound().xattrs_used;
  }

  /** The bytes by which the diff's own files are recognised; needs a bound directory. */
  get nonce(): Uint8Array {
    return Uint8Array.fromHex(this.#bound().nonce);
  }

  /**
   * Binds the directory, or renews its binding, as Active; makes what a mount needs in it; forgets
   * lost writes that were forgiven. Durable on return.
   *
   * @returns how the source has changed since the diff was made over it, when that was forgiven
   * @throws {StateError} `bound-elsewhere`, `source-changed` or what the source throws, when the
   *   diff was made over another one
   * @throws {OsError}
   */
  bind(facts: BindingFacts): string | undefined {
    const old = this.#binding;
    const { source } = facts;
    const change = old === undefined ? undefined : checkSource(old, source, this.#force);
    const version = old?.format_version ?? DIFF_FORMAT_VERSION;
    this.#write({
      ...source.keys,
      format_version: version,
      binding_id: old?.binding_id ?? crypto.randomUUID(),
      nonce: old?.nonce ?? crypto.getRandomValues(new Uint8Array(NONCE_SIZE)).toHex(),
      source: version === 1 ? undefined : recordedSource(source),
      generation: crypto.randomUUID(),
      created_at: old?.created_at ?? nowSeconds(),
      last_used_at: nowSeconds(),
      owner_pid: host.getPid(),
      owner_host: hostName(),
      pbkfs_version: facts.programVersion,
      state: "Active",
      xattrs_used: facts.extendedAttributes || old?.xattrs_used === true,
    });
    this.#makeTree();
    if (removeFile(`${this.path}/${DIRTY_FILE_NAME}`)) syncDirectory(this.path);
    return change;
  }

  /**
   * Sees to it that what is at the path is still what was mounted.
   *
   * @throws {OsError} `ENOENT` when it was moved or removed, `ESTALE` when something else has its
   *   path
   */
  requireInPlace(): void {
    this.#control?.requireInPlace();
  }

  /** Leaves the marker that says that acknowledged writes may be lost until {@link clearDirty}. */
  markDirty(): void {
    const text = `perf-unsafe mount ${this.#bound().binding_id}\n`;
    replaceTextFile(this.path, DIRTY_FILE_NAME, text, { mode: 0o600, durable: true });
  }

  /** Removes the marker: every acknowledged write is durable. */
  clearDirty(): void {
    if (removeFile(`${this.path}/${DIRTY_FILE_NAME}`)) syncDirectory(this.path);
  }

  /** Records a clean end and frees the lock. @throws {OsError} */
  release(): void {
    try {
      this.#write({ ...this.#bound(), state: "Released", last_used_at: nowSeconds() });
    } finally {
      this.#free();
    }
  }

  /**
   * Frees the lock and leaves the record as it is. Removes the directory if this attempt made it.
   */
  abandon(): void {
    this.#free();
    if (this.#isNew && this.#binding === undefined) host.rmdir(this.path);
  }

  #free(): void {
    this.#control?.close();
    this.#control = undefined;
    this.#lock.release();
  }

  #bound(): Binding {
    if (this.#binding === undefined) throw new Error("The diff directory is not bound");
    return this.#binding;
  }

  #write(binding: Binding): void {
    writeBinding(this.path, binding);
    this.#binding = binding;
  }

  #makeTree(): void {
    const data = `${this.path}/${DATA_DIRECTORY_NAME}`;
    createDirectory(data);
    createDirectory(`${this.path}/${TEMPORARY_DIRECTORY_NAME}`);
    const control = `${data}/${CONTROL_DIRECTORY_NAME}`;
    if (createDirectory(control)) {
      host.unwrap(host.chmod(control, 0o755), "chmod", control);
    }
    this.#control ??= openControlDirectory(this.path);
    const link = `${this.path}/${CONTROL_DIRECTORY_NAME}`;
    const target = `${DATA_DIRECTORY_NAME}/${CONTROL_DIRECTORY_NAME}`;
    const result = host.symlink(target, link);
    if (result !== -host.Errno.EEXIST) host.unwrap(result, "symlink", link);
    syncDirectory(data);
    syncDirectory(this.path);
  }
}

function dirtyError(path: string): StateError {
  return new StateError(
    "dirty",
    `Cannot mount: "${path}" has ${DIRTY_FILE_NAME}, the last mount that skips fsync did not end cleanly`,
    {
      hint:
        "Acknowledged writes may be lost: mount it all the same, or give a fresh diff directory",
      option: "force",
    },
  );
}

function hasFile(path: string): boolean {
  return host.lstat(path) === 0;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function hostName(): string {
  const bytes = host.readSmallFile("/proc/sys/kernel/hostname", 1024);
  return typeof bytes === "number" ? "unknown" : new TextDecoder().decode(bytes).trim();
}

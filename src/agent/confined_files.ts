/**
 * Files below a few roots, and nothing else.
 *
 * By system calls, no path leads out of a root: not by `..`, not by a symbolic link, whatever
 * others change meanwhile (`openat2(2)`; a kernel before Linux 5.6 is asked name by name). By the
 * runtime's calls, a path that leads through a link is refused before it is opened; whoever may
 * write below a root could swap one in between.
 *
 * @module
 */

import * as fs from "node:fs";
import { Errno, OsError, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt, openQuietlyBeneath } from "#ffi/libc/metadata.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { callRuntime } from "#src/io/files/runtime_call.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import type { AccessedFile, FileSystemAccessor } from "#src/backup/client/file_system_accessor.ts";
import { HostAccessor } from "#src/backup/client/host_accessor.ts";
import type {
  ClientCapabilities,
  ClientEntry,
  ClientPage,
  ContentRange,
} from "#src/backup/client/provider.ts";
import { hostSource } from "#src/pxar/builder/host_source.ts";
import {
  DIRECTORY_FLAGS,
  makeNativeSource,
  openDirectoryByPath,
} from "#src/pxar/builder/native_source.ts";
import { makePlainSource } from "#src/pxar/builder/plain_source.ts";
import type { BuildSource, MakeBuildSource } from "#src/pxar/builder/source.ts";

/** Of a path that one call of the system takes. */
const STEP_SIZE_MAX = 4000;

/** Files below the roots. */
export class ConfinedFiles implements FileSystemAccessor {
  readonly #roots: readonly Root[];
  readonly #files: HostAccessor;

  /**
   * Opens nothing yet: a root may come later, or be one that is mounted.
   *
   * @param roots absolute paths; one that is a symbolic link is refused when it is asked for
   * @throws {UsageError} when one is no such path
   */
  constructor(roots: readonly string[], options: { readonly xattrs?: boolean } = {}) {
    // The innermost one decides, should one lie in another.
    this.#roots = roots.map((path) => new Root(path))
      .sort((a, b) => b.path.length - a.path.length);
    const make: MakeBuildSource = mayUseFfi
      ? (options, report) => makeNativeSource(options, report, (path) => this.#open(path))
      : () => this.#plainSource();
    this.#files = new HostAccessor({ ...options, source: { ...hostSource, make } });
  }

  /** See {@link FileSystemAccessor.capabilities}. */
  capabilities(): ClientCapabilities {
    return this.#files.capabilities();
  }

  /** See {@link FileSystemAccessor.stat}. */
  stat(path: string): ClientEntry {
    if (this.#namesOf(path, "stat").length > 0) return this.#files.stat(path);
    // What a root lies in is not reached.
    for (const { self } of this.#files.readDirectory(path)) return self!.entry;
    throw new OsError(Errno.ENOENT, "stat", path);
  }

  /** See {@link FileSystemAccessor.readDirectory}. */
  readDirectory(path: string): Iterable<ClientPage> {
    this.#namesOf(path, "list");
    return this.#files.readDirectory(path);
  }

  /** See {@link FileSystemAccessor.readFile}. */
  readFile(path: string, range: ContentRange): AccessedFile {
    this.#namesOf(path, "open");
    return this.#files.readFile(path, range);
  }

  /** See {@link FileSystemAccessor.close}. */
  close(): void {
    for (const root of this.#roots) root.close();
  }

  /** The names from a root to a path; none may lead elsewhere. @throws {OsError} EACCES */
  #namesOf(path: string, call: string): readonly string[] {
    const found = this.#find(path);
    if (found === undefined) throw new OsError(Errno.EACCES, call, path);
    return found.names;
  }

  #find(path: string): { readonly root: Root; readonly names: readonly string[] } | undefined {
    for (const root of this.#roots) {
      const names = root.namesBelow(path);
      if (names !== undefined) return { root, names };
    }
    return undefined;
  }

  #open(path: string): number {
    const found = this.#find(path);
    return found === undefined ? -Errno.EACCES : found.root.open(found.names);
  }

  #plainSource(): BuildSource {
    const plain = makePlainSource();
    return {
      ...plain,
      openRoot: (path, stat) => {
        const found = this.#find(path);
        if (found === undefined) return -Errno.EACCES;
        const refusal = found.root.check(found.names);
        return refusal < 0 ? refusal : plain.openRoot(path, stat);
      },
    };
  }
}

/** The names of a path that begins with a slash, if any; undefined when some of them are none. */
function namesOf(path: string): readonly string[] | undefined {
  if (path === "") return [];
  const names = path.split("/").slice(1);
  const isGood = names.every((name) =>
    name !== "" && name !== "." && name !== ".." && !name.includes("\0")
  );
  return isGood ? names : undefined;
}

class Root {
  /** Without a slash at the end: empty for the root of the file system. */
  readonly path: string;
  #fd = -1;

  constructor(path: string) {
    this.path = path.replace(/\/+$/u, "");
    if (path.startsWith("/") && namesOf(this.path) !== undefined) return;
    throw new UsageError(`Cannot serve "${path}": it is not an absolute path`, { option: "root" });
  }

  /** The names from here to a path; undefined when it is not below. */
  namesBelow(path: string): readonly string[] | undefined {
    if (path === (this.path === "" ? "/" : this.path)) return [];
    return path.startsWith(`${this.path}/`) ? namesOf(path.slice(this.path.length)) : undefined;
  }

  /** Opens a directory below. @returns a descriptor or a negative errno */
  open(names: readonly string[]): number {
    if (this.#fd < 0) {
      const fd = openDirectoryByPath(this.path || "/");
      if (fd < 0) return fd;
      this.#fd = fd;
    }
    if (names.length === 0) return openBeneath(this.#fd, ".");
    let fd = this.#fd;
    for (const step of stepsOf(names)) {
      const next = openBeneath(fd, step);
      if (fd !== this.#fd) host.close(fd);
      if (next < 0) return next;
      fd = next;
    }
    return fd;
  }

  close(): void {
    if (this.#fd >= 0) host.close(this.#fd);
    this.#fd = -1;
  }

  /** Refuses a path that leads through a link. @returns a negative errno then */
  check(names: readonly string[]): number {
    try {
      const root = callRuntime("open", this.path, () => fs.realpathSync(this.path || "/"));
      const path = [this.path, ...names].join("/") || "/";
      const real = callRuntime("open", path, () => fs.realpathSync(path));
      const expected = names.length === 0 ? root : [root === "/" ? "" : root, ...names].join("/");
      return real === expected ? 0 : -Errno.ELOOP;
    } catch (error) {
      if (error instanceof OsError) return -error.errno;
      throw error;
    }
  }
}

function openBeneath(directory: number, path: string): number {
  const fd = openQuietlyBeneath(directory, path, DIRECTORY_FLAGS);
  if (fd !== -Errno.ENOSYS) return fd;
  let inner = directory;
  for (const name of path.split("/")) {
    const next = openQuietlyAt(inner, name, DIRECTORY_FLAGS);
    if (inner !== directory) host.close(inner);
    if (next < 0) return next;
    inner = next;
  }
  return inner;
}

/** Paths that together lead through all names, each short enough for the kernel. */
function* stepsOf(names: readonly string[]): Generator<string> {
  let step = "";
  let size = 0;
  for (const name of names) {
    const nameSize = encodeFileName(name).length + 1;
    if (size + nameSize > STEP_SIZE_MAX && step !== "") {
      yield step;
      step = "";
      size = 0;
    }
    step = step === "" ? name : `${step}/${name}`;
    size += nameSize;
  }
  yield step;
}

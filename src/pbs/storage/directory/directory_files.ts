/**
 * Files of a datastore directory by name.
 *
 * @module
 */

import {
  type FileEntry,
  type FileKind,
  hostFiles,
  isDirectory,
  isMissing,
} from "#src/io/files/files.ts";
import { UsageError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { removeFile, renameFile, syncDirectory, syncFileSystem } from "#src/io/files/whole_file.ts";
import * as host from "#ffi/libc/calls.ts";
import type { FileStorage, StoredEntry, StoredStatus } from "../storage.ts";
import type { StoreFiles } from "./store_files.ts";

/** See {@link FileStorage}. Reading works without FFI. */
export class DirectoryFiles implements FileStorage {
  readonly #root: string;
  readonly #newFiles: StoreFiles | undefined;

  /** Files below `root`; `newFiles` makes new ones, undefined for reading only. */
  constructor(root: string, newFiles: StoreFiles | undefined) {
    this.#root = root;
    this.#newFiles = newFiles;
  }

  pathOf(name: string): string {
    return name === "" ? this.#root : `${this.#root}/${name}`;
  }

  status(name: string): StoredStatus | undefined {
    const path = this.pathOf(name);
    const found = hostFiles.status(path, false);
    return found && { kind: kindOf(found.kind, path), size: found.size };
  }

  list(folder: string): StoredEntry[] {
    const path = this.pathOf(folder);
    return presentEntries(path).map(({ name, kind }) => ({
      name,
      kind: kindOf(kind, `${path}/${name}`),
    }));
  }

  read(name: string, sizeMax: number): Uint8Array<ArrayBuffer> {
    return hostFiles.read(this.pathOf(name), sizeMax);
  }

  open(name: string): ByteSource {
    const path = this.pathOf(name);
    return hostFiles.openFast(path);
  }

  replace(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    const path = this.pathOf(name);
    this.#writing.replaceFile(path, temporaryPathOf(path), bytes);
  }

  commit(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    const { syncLevel } = this.#writing;
    if (syncLevel !== "filesystem") return this.replace(name, bytes);
    const path = this.pathOf(name);
    const directory = path.slice(0, path.lastIndexOf("/"));
    this.#writing.writeTemporary(temporaryPathOf(path), bytes, false);
    syncFileSystem(directory);
    renameFile(temporaryPathOf(path), path, false);
    syncDirectory(directory);
  }

  remove(name: string): boolean {
    const result = host.unlink(this.pathOf(name));
    if (result === -host.Errno.EISDIR || result === -host.Errno.ENOENT) return false;
    host.unwrap(result, "remove", this.pathOf(name));
    return true;
  }

  makeFolder(name: string): boolean {
    return this.#writing.makeDirectory(this.pathOf(name));
  }

  removeFolder(name: string): void {
    removeDirectory(this.pathOf(name));
  }

  removeFolderTree(name: string): void {
    removeTree(this.pathOf(name));
  }

  get #writing(): StoreFiles {
    if (this.#newFiles !== undefined) return this.#newFiles;
    throw new UsageError(`Cannot change "${this.#root}": it is open for reading only`);
  }
}

/** `root.pxar.didx` by way of `root.pxar.tmp_didx`, which garbage collection does not look at. */
function temporaryPathOf(path: string): string {
  const [, stem, extension] = /^(.+)\.(didx|fidx|blob)$/.exec(path) ?? [];
  return extension === undefined ? `${path}.tmp` : `${stem}.tmp_${extension}`;
}

function kindOf(kind: FileKind, path: string): StoredStatus["kind"] {
  if (kind === "file") return kind;
  const isFolder = kind === "directory" || (kind === "symlink" && isDirectory(path));
  return isFolder ? "folder" : "other";
}

function removeTree(path: string): void {
  for (const { name, kind } of presentEntries(path)) {
    if (kind === "directory") removeTree(`${path}/${name}`);
    else removeFile(`${path}/${name}`);
  }
  removeDirectory(path);
}

/** Whatever is looked at may be removed at any time. */
function presentEntries(path: string): FileEntry[] {
  try {
    return hostFiles.entries(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function removeDirectory(path: string): void {
  const result = host.rmdir(path);
  if (result < 0 && result !== -host.Errno.ENOENT) {
    throw new host.OsError(-result, "remove", path);
  }
}

/**
 * A file system in plain memory: what a client of the mount knows that it must find.
 *
 * @module
 */

import assert from "node:assert/strict";

/** Bytes from `start` to `end` (exclusive) of a file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A file; several names may lead to it. */
export interface ModelFile {
  bytes: Uint8Array<ArrayBuffer>;
  /** The bytes that can be foretold, when not all. */
  readonly known?: readonly ByteRange[] | undefined;
}

/** Flags of {@link Model.rename}. */
export interface RenameRules {
  readonly isExchange: boolean;
  readonly mayReplace: boolean;
}

/** The directory that a path is in. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

/**
 * Files and directories by path. Changing methods return false, and do nothing, where a host must
 * refuse.
 */
export class Model {
  /** Number of the file that a name leads to. */
  readonly names = new Map<string, number>();
  readonly files = new Map<number, ModelFile>();
  readonly directories = new Set<string>();
  #nextNumber = 1;

  /** A copy that shares nothing. */
  clone(): Model {
    const copy = new Model();
    for (const [path, number] of this.names) copy.names.set(path, number);
    for (const [number, file] of this.files) {
      copy.files.set(number, { ...file, bytes: file.bytes.slice() });
    }
    for (const path of this.directories) copy.directories.add(path);
    copy.#nextNumber = this.#nextNumber;
    return copy;
  }

  /** Enters a file without asking whether it may be there. @returns its number */
  add(path: string, file: ModelFile): number {
    const number = this.#nextNumber++;
    this.files.set(number, file);
    this.names.set(path, number);
    return number;
  }

  /** The file of a number that is known to be valid. */
  file(number: number): ModelFile {
    const file = this.files.get(number);
    if (file === undefined) throw new RangeError(`Cannot find file ${number}`);
    return file;
  }

  exists(path: string): boolean {
    return this.names.has(path) || this.directories.has(path);
  }

  linkCount(number: number): number {
    let count = 0;
    for (const other of this.names.values()) if (other === number) count++;
    return count;
  }

  /** Names in a directory, sorted. */
  children(directory: string): string[] {
    return [...this.names.keys(), ...this.directories]
      .filter((path) => isBelow(path, directory) && parentOf(path) === directory)
      .map((path) => path.slice(directory.length + 1))
      .sort();
  }

  write(number: number, offset: number, bytes: Uint8Array): void {
    const file = this.file(number);
    if (bytes.length === 0) return;
    if (offset + bytes.length > file.bytes.length) this.resize(number, offset + bytes.length);
    file.bytes.set(bytes, offset);
  }

  resize(number: number, size: number): void {
    const file = this.file(number);
    const bytes = new Uint8Array(size);
    bytes.set(file.bytes.subarray(0, size));
    file.bytes = bytes;
  }

  /** Zeros inside the file; only with `mayGrow` also behind its end. */
  zero(number: number, { start, end }: ByteRange, mayGrow: boolean): void {
    if (mayGrow && end > this.file(number).bytes.length) this.resize(number, end);
    this.file(number).bytes.fill(0, start, end);
  }

  create(path: string): boolean {
    if (this.exists(path) || !this.directories.has(parentOf(path))) return false;
    this.add(path, { bytes: new Uint8Array(0) });
    return true;
  }

  link(path: string, newPath: string): boolean {
    const number = this.names.get(path);
    if (number === undefined || this.exists(newPath)) return false;
    if (!this.directories.has(parentOf(newPath))) return false;
    this.names.set(newPath, number);
    return true;
  }

  unlink(path: string): boolean {
    return this.names.delete(path);
  }

  mkdir(path: string): boolean {
    if (this.exists(path) || !this.directories.has(parentOf(path))) return false;
    this.directories.add(path);
    return true;
  }

  rmdir(path: string): boolean {
    return this.#isEmptyDirectory(path) && this.directories.delete(path);
  }

  #isEmptyDirectory(path: string): boolean {
    return this.directories.has(path) && this.children(path).length === 0;
  }

  rename(from: string, to: string, { isExchange, mayReplace }: RenameRules): boolean {
    if (!this.exists(from) || !this.directories.has(parentOf(to))) return false;
    if (isBelow(to, from) || isExchange && (isBelow(from, to) || !this.exists(to))) return false;
    if (!mayReplace && this.exists(to)) return false;
    if (from === to) return true;
    if (isExchange) {
      this.#exchange(from, to);
      return true;
    }
    const isDirectory = this.directories.has(from);
    if (isDirectory && this.exists(to) && !this.#isEmptyDirectory(to)) return false;
    if (!isDirectory && this.directories.has(to)) return false;
    const number = this.names.get(from);
    if (number !== undefined && this.names.get(to) === number) return true;
    this.#move(from, to);
    return true;
  }

  #exchange(from: string, to: string): void {
    const aside = "\0aside";
    this.#move(from, aside);
    this.#move(to, from);
    this.#move(aside, to);
  }

  #move(from: string, to: string): void {
    for (const [path, number] of [...this.names]) {
      if (path !== from && !isBelow(path, from)) continue;
      this.names.delete(path);
      this.names.set(to + path.slice(from.length), number);
    }
    for (const path of [...this.directories]) {
      if (path !== from && !isBelow(path, from)) continue;
      this.directories.delete(path);
      this.directories.add(to + path.slice(from.length));
    }
  }
}

/** Asserts that bytes read at `offset` are the file's, as far as they are known. */
export function assertKnownBytes(
  actual: Uint8Array,
  file: ModelFile,
  offset: number,
  what: string,
): void {
  const end = offset + actual.length;
  for (const range of file.known ?? [{ start: 0, end }]) {
    const from = Math.max(range.start, offset);
    const to = Math.min(range.end, end);
    for (let at = from; at < to; at++) {
      if (actual[at - offset] === file.bytes[at]) continue;
      assert.fail(`${what}: byte ${at} is ${actual[at - offset]}, expected ${file.bytes[at]}`);
    }
  }
}

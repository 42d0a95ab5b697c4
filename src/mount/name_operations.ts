/**
 * Operations on names: find, make, remove, rename.
 *
 * Every operation takes plain arguments, puts the body of the answer in the kernel's layout into
 * the worker's {@link Answer} and returns the body's length, or a negative errno.
 *
 * @module
 */

import { EntrySlot, type FileSystem } from "#src/tree/file_system.ts";
import type { Caller } from "#src/tree/file_system.ts";
import { type Answer, BODY } from "./answer.ts";

/** Handlers of requests on names. A success with a node id counts as one lookup of that node. */
export class NameOperations {
  readonly #fileSystem: FileSystem;
  readonly #answer: Answer;
  readonly #caller: Caller;
  readonly #entry = new EntrySlot();

  constructor(fileSystem: FileSystem, answer: Answer, caller: Caller) {
    this.#fileSystem = fileSystem;
    this.#answer = answer;
    this.#caller = caller;
  }

  lookup(parentId: number, name: string): number {
    return this.#entryBody(this.#fileSystem.lookup(parentId, name, this.#entry));
  }

  mknod(parentId: number, name: string, mode: number, rdev: number): number {
    return this.#entryBody(
      this.#fileSystem.mknod(parentId, name, mode, rdev, this.#caller, this.#entry),
    );
  }

  mkdir(parentId: number, name: string, mode: number): number {
    return this.#entryBody(
      this.#fileSystem.mkdir(parentId, name, mode, this.#caller, this.#entry),
    );
  }

  symlink(parentId: number, name: string, target: string): number {
    return this.#entryBody(
      this.#fileSystem.symlink(parentId, name, target, this.#caller, this.#entry),
    );
  }

  link(nodeId: number, newParentId: number, newName: string): number {
    return this.#entryBody(this.#fileSystem.link(nodeId, newParentId, newName, this.#entry));
  }

  unlink(parentId: number, name: string): number {
    return this.#fileSystem.unlink(parentId, name);
  }

  rmdir(parentId: number, name: string): number {
    return this.#fileSystem.rmdir(parentId, name);
  }

  rename(
    parentId: number,
    name: string,
    newParentId: number,
    newName: string,
    flags: number,
  ): number {
    return this.#fileSystem.rename(parentId, name, newParentId, newName, flags);
  }

  forget(nodeId: number, count: number): void {
    this.#fileSystem.forget(nodeId, count);
  }

  #entryBody(result: number): number {
    return result < 0 ? result : this.#answer.setEntry(BODY, this.#entry);
  }
}

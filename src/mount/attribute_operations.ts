/**
 * Operations on a node's attributes. Conventions as in `name_operations.ts`.
 *
 * @module
 */

import { Errno } from "#ffi/os_error.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import {
  AttributeChange,
  AttributesSlot,
  Change,
  type FileSystem,
  StatfsSlot,
} from "#src/tree/file_system.ts";
import { type Answer, BODY } from "./answer.ts";

const CHANGE_BITS = Object.values(Change).reduce((sum, bit) => sum | bit, 0);

/** Handlers of the requests for attributes, for one thread. */
export class AttributeOperations {
  /** Filled by the front end before {@link setattr}. */
  readonly change: AttributeChange = new AttributeChange();
  readonly #fileSystem: FileSystem;
  readonly #answer: Answer;
  readonly #attributes = new AttributesSlot();
  readonly #statfs = new StatfsSlot();

  constructor(fileSystem: FileSystem, answer: Answer) {
    this.#fileSystem = fileSystem;
    this.#answer = answer;
  }

  getattr(nodeId: number): number {
    return this.#attributesBody(this.#fileSystem.getattr(nodeId, this.#attributes));
  }

  /** Applies {@link change}; bits that the file system has no meaning for are dropped. */
  setattr(nodeId: number): number {
    const { change } = this;
    change.mask &= CHANGE_BITS;
    if ((change.mask & Change.SIZE) !== 0 && change.size > Number.MAX_SAFE_INTEGER) {
      return -Errno.EFBIG;
    }
    return this.#attributesBody(this.#fileSystem.setattr(nodeId, change, this.#attributes));
  }

  readlink(nodeId: number): number {
    const target = this.#fileSystem.readlink(nodeId);
    return typeof target === "number" ? target : this.#answer.setBytes(encodeFileName(target));
  }

  statfs(): number {
    const result = this.#fileSystem.statfs(this.#statfs);
    return result < 0 ? result : this.#answer.setStatfs(this.#statfs);
  }

  /** Never called in practice: the kernel checks permissions itself (`default_permissions`). */
  access(): number {
    return 0;
  }

  setxattr(
    nodeId: number,
    name: string,
    value: Uint8Array,
    flags: number,
    killSgid: boolean,
  ): number {
    return this.#fileSystem.setxattr(nodeId, name, value, flags, killSgid);
  }

  /** `sizeMax` 0 asks for the length only. */
  getxattr(nodeId: number, name: string, sizeMax: number): number {
    const value = this.#fileSystem.getxattr(nodeId, name);
    if (typeof value === "number") return value;
    return this.#sizedBody(value, sizeMax);
  }

  /** `sizeMax` 0 asks for the length only. */
  listxattr(nodeId: number, sizeMax: number): number {
    const names = this.#fileSystem.listxattr(nodeId);
    if (typeof names === "number") return names;
    return this.#sizedBody(encodeFileName(names.map((name) => `${name}\0`).join("")), sizeMax);
  }

  removexattr(nodeId: number, name: string): number {
    return this.#fileSystem.removexattr(nodeId, name);
  }

  #attributesBody(result: number): number {
    return result < 0 ? result : this.#answer.setAttributesBody(this.#attributes);
  }

  #sizedBody(bytes: Uint8Array, sizeMax: number): number {
    if (sizeMax === 0) return this.#answer.setCount(bytes.length);
    if (bytes.length > sizeMax || bytes.length > this.#answer.buffer.bytes.length - BODY) {
      return -Errno.ERANGE;
    }
    return this.#answer.setBytes(bytes);
  }
}

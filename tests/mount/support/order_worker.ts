/**
 * FUSE worker for tests: serves a host directory, writable, and tells in which order it was written
 * and synced.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { serveWorker } from "#src/mount/fuse_worker.ts";
import { ROOT_NODE_ID } from "#src/tree/file_system.ts";
import { HostFileSystem } from "./host_file_system.ts";

/** Attribute of the root that tells it; a step that is repeated at once is told once. */
const ORDER_XATTR = "user.test.order";

class OrderedFileSystem extends HostFileSystem {
  readonly #steps: string[] = [];

  override write(
    nodeId: number,
    handle: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
    killSuidgid: boolean,
  ): number {
    this.#note("write");
    return super.write(nodeId, handle, offset, size, source, start, killSuidgid);
  }

  override fsync(nodeId: number, handle: number, dataOnly: boolean): number {
    this.#note("fsync");
    return super.fsync(nodeId, handle, dataOnly);
  }

  override rename(
    parentId: number,
    name: string,
    newParentId: number,
    newName: string,
    flags: number,
  ): number {
    this.#note(`rename to ${newName}`);
    return super.rename(parentId, name, newParentId, newName, flags);
  }

  override fsyncdir(nodeId: number): number {
    this.#note("fsyncdir");
    return super.fsyncdir(nodeId);
  }

  override getxattr(nodeId: number, name: string): Uint8Array | number {
    if (nodeId !== ROOT_NODE_ID || name !== ORDER_XATTR) return super.getxattr(nodeId, name);
    return new TextEncoder().encode(this.#steps.join("\n"));
  }

  #note(step: string): void {
    if (this.#steps.at(-1) !== step) this.#steps.push(step);
  }
}

serveWorker((description) => new OrderedFileSystem(description as string));

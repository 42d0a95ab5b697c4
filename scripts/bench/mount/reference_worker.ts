/**
 * The FUSE worker of the request-cost benchmark: the same file system as the C reference, a
 * directory with one file `data` that is read from a plain file, and empty files `f0`, `f1`, …
 * Nothing is cached, so that every call of a client becomes requests.
 *
 * @module
 */

import { open, OpenFlag, preadFully } from "#ffi/libc/calls.ts";
import { Errno, unwrap } from "#ffi/os_error.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { serveWorker } from "#src/mount/mod.ts";
import {
  type AttributesSlot,
  type EntrySlot,
  type FileSystem,
  type OpenSlot,
  ROOT_NODE_ID,
} from "#src/tree/file_system.ts";
import { FileType } from "#src/tree/node.ts";

const DATA_NODE_ID = 2;
const FIRST_EMPTY_NODE_ID = 10;

/** What the worker gets from the main isolate. */
export interface ReferenceDescription {
  readonly dataPath: string;
}

function refuse(): number {
  return -Errno.ENOSYS;
}

class ReferenceFileSystem implements FileSystem {
  readonly #fd: number;
  readonly #size: number;

  constructor({ dataPath }: ReferenceDescription) {
    this.#fd = unwrap(open(dataPath, OpenFlag.RDONLY), "open", dataPath);
    this.#size = Deno.statSync(dataPath).size;
  }

  lookup(_parentId: number, name: string, out: EntrySlot): number {
    if (name === "data") out.nodeId = DATA_NODE_ID;
    else if (name.startsWith("f")) out.nodeId = FIRST_EMPTY_NODE_ID + Number(name.slice(1));
    else return -Errno.ENOENT;
    out.timeoutSeconds = 0;
    return this.getattr(out.nodeId, out.attributes);
  }

  getattr(nodeId: number, out: AttributesSlot): number {
    const isRoot = nodeId === ROOT_NODE_ID;
    out.ino = nodeId;
    out.mode = isRoot ? FileType.DIRECTORY | 0o755 : FileType.FILE | 0o644;
    out.nlink = isRoot ? 2 : 1;
    out.size = nodeId === DATA_NODE_ID ? this.#size : 0;
    out.timeoutSeconds = 0;
    return 0;
  }

  open(_nodeId: number, _flags: number, _killSuidgid: boolean, out: OpenSlot): number {
    out.handle = 1;
    out.keepCache = false;
    out.directIo = true;
    return 0;
  }

  read(
    _nodeId: number,
    _handle: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    return preadFully(this.#fd, target.address + BigInt(start), size, offset);
  }

  forget(): void {}
  flush(): number {
    return 0;
  }
  release(): void {}
  releasedir(): void {}
  close(): void {}
  setattr = refuse;
  readlink = refuse;
  mknod = refuse;
  mkdir = refuse;
  symlink = refuse;
  link = refuse;
  unlink = refuse;
  rmdir = refuse;
  rename = refuse;
  create = refuse;
  write = refuse;
  fsync = refuse;
  fallocate = refuse;
  lseek = refuse;
  copyFileRange = refuse;
  opendir = refuse;
  readdir = refuse;
  fsyncdir = refuse;
  statfs = refuse;
  setxattr = refuse;
  getxattr = refuse;
  listxattr = refuse;
  removexattr = refuse;
}

serveWorker((description) => new ReferenceFileSystem(description as ReferenceDescription));

/**
 * What all parts of one thread's overlay share.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { LruCache } from "#src/bytes/lru_cache.ts";
import * as host from "#ffi/libc/calls.ts";
import { OsError } from "#src/errors.ts";
import type { FileContent, MountableTree } from "#src/tree/node.ts";
import type { OverlayCounters } from "./counters.ts";
import type { NodeTable } from "./node_table.ts";
import { BLOCK_SIZE, HEADER_SIZE_MAX } from "./partial_file.ts";

/** Behaviour of an overlay, the same for all its threads. */
export interface OverlayOptions {
  /** fsync is acknowledged without doing it. */
  readonly skipFsync: boolean;
  /** Blocks that were read from the lower tree are kept in the diff. */
  readonly materializeOnRead: boolean;
  /** Files opened for writing are copied whole, up to this total; 0: none is. */
  readonly wholeCopyBytesMax: number;
  /** Directories below the root whose changes are kept only while mounted, such as `pg_wal`. */
  readonly volatileDirectories: readonly string[];
  /**
   * Files have extended attributes. Without them every request for one is ENOSYS: the kernel then
   * asks no more, which spares a server that writes one request for each write.
   */
  readonly extendedAttributes: boolean;
  /**
   * Whoever serves the files checks access by their POSIX ACLs; without that they cannot be set.
   */
  readonly posixAcls?: boolean;
}

/** Tells the kernel of files that it may read and write itself. */
export interface BackingRegistry {
  /**
   * Registers an open file. @returns an id greater than 0, or 0 when the kernel does not want it
   */
  register(fd: number): number;
  /** Ends a registration, once no file is open with it any more. */
  unregister(id: number): void;
}

/** Largest piece that is moved at once between lower tree, diff and caller. */
export const COPY_SIZE = 1 << 20;

/** Most lower files that one thread keeps open for reading. */
const OPEN_CONTENT_MAX = 1024;

/** One thread's open directories, buffers and options, used by all parts of its overlay. */
export class OverlayContext {
  readonly dataFd: number;
  readonly tmpFd: number;
  /** See `linked_files.ts`. */
  readonly linksFd: number;
  readonly isRoot: boolean;
  /** Bytes of this boot: what the working block maps of this session are stamped with. */
  readonly bootId: Uint8Array;
  /** For copies between files; a call that uses it never calls another that does. */
  readonly copyBuffer: NativeBuffer;
  /** For headers and block maps of partial files. */
  readonly mapBuffer: NativeBuffer;
  /** For one block that is put together from old and new bytes. */
  readonly blockBuffer: NativeBuffer;
  readonly stat: host.HostStat = new host.HostStat();
  readonly #contents: LruCache<number, FileContent>;

  constructor(
    readonly diffPath: string,
    readonly lower: MountableTree,
    readonly nonce: Uint8Array,
    readonly table: NodeTable,
    readonly counters: OverlayCounters,
    readonly backing: BackingRegistry | undefined,
    readonly options: OverlayOptions,
  ) {
    this.dataFd = openDirectory(`${diffPath}/data`);
    this.tmpFd = openDirectory(`${diffPath}/tmp`);
    this.linksFd = openDirectory(`${diffPath}/links`);
    this.isRoot = host.getEffectiveUid() === 0;
    this.bootId = readBootId();
    this.copyBuffer = host.allocateNativeBuffer(COPY_SIZE);
    this.blockBuffer = host.allocateNativeBuffer(BLOCK_SIZE);
    this.mapBuffer = host.allocateNativeBuffer(2 * HEADER_SIZE_MAX);
    this.#contents = new LruCache(OPEN_CONTENT_MAX, (content) => content.close());
  }

  /** The open content of a lower file, kept for later reads. */
  lowerContent(lowerId: number): FileContent {
    const known = this.#contents.get(lowerId);
    if (known !== undefined) {
      this.counters.add("handleHits", 1);
      return known;
    }
    this.counters.add("handleMisses", 1);
    const node = this.lower.nodeById(lowerId);
    if (node?.kind !== "file") throw new OsError(host.Errno.EIO, "read", `lower node ${lowerId}`);
    const content = node.open();
    this.#contents.set(lowerId, content, 1);
    return content;
  }

  /** A name in the diff's `tmp` directory that is not in use. */
  temporaryName(): string {
    return `t${this.table.nextTemporaryNumber()}`;
  }

  close(): void {
    this.#contents.clear();
    host.close(this.dataFd);
    host.close(this.tmpFd);
    host.close(this.linksFd);
  }
}

function openDirectory(path: string): number {
  const fd = host.open(path, host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY);
  return host.unwrap(fd, "open", path);
}

/** The kernel's boot id as 16 bytes. */
export function readBootId(): Uint8Array {
  const path = "/proc/sys/kernel/random/boot_id";
  const text = host.readSmallFile(path, 64);
  if (typeof text === "number") throw new OsError(-text, "read", path);
  return Uint8Array.fromHex(new TextDecoder().decode(text).trim().replaceAll("-", ""));
}

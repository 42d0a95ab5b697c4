/**
 * Directory listings: one merged list for each open directory, in an anonymous memory file.
 *
 * The list is taken when reading starts and stays as it is until the directory is read from its
 * start again, so that names that are there throughout come exactly once while others come and go.
 * It lies in a memory file because any thread may be asked for the next part; the handle is its
 * descriptor, a cookie its byte offset.
 *
 * Record: u64 inode number, u16 length of the name, u8 type, name.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName, encodeFileNameInto } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import type { EmitEntry } from "#src/tree/file_system.ts";
import type { OverlayContext } from "./context.ts";
import { readHostDirectory } from "./host_directory.ts";
import { lowerKey, ROOT_SLOT } from "./node_table.ts";
import { isWhiteout } from "./found.ts";
import type { Nodes } from "./nodes.ts";

const { Errno } = host;
const RECORD_HEADER_SIZE = 11;
const WINDOW_SIZE = 64 << 10;
const RECORD_SIZE_MAX = RECORD_HEADER_SIZE + 256;

/** Lists directories for one thread. */
export class Listings {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #window = host.allocateNativeBuffer(WINDOW_SIZE);
  readonly #view = new DataView(this.#window.bytes.buffer);
  readonly #stat = new host.HostStat();
  #used = 0;
  #written = 0;

  constructor(context: OverlayContext, nodes: Nodes) {
    this.#context = context;
    this.#nodes = nodes;
  }

  /** Opens a directory. @returns the handle, or a negative errno */
  open(): number {
    return host.memfdCreate("directory");
  }

  /** Closes a directory. */
  close(handle: number): void {
    host.close(handle);
  }

  /** Takes the list of a directory. Wants the namespace lock. @returns 0 or a negative errno */
  take(slot: number, handle: number): number {
    const { table } = this.#context;
    const emptied = host.ftruncate(handle, 0);
    if (emptied < 0) return emptied;
    this.#used = 0;
    this.#written = 0;
    const parent = slot === ROOT_SLOT ? slot : table.parent(slot);
    this.#append(handle, ".", table.ino(slot), EntryType.DIRECTORY);
    this.#append(handle, "..", table.ino(parent), EntryType.DIRECTORY);
    const lower = this.#nodes.lowerDirectory(slot);
    const fd = table.fd(slot);
    const hidden = new Set<string>();
    for (const entry of fd >= 0 ? readHostDirectory(fd, true) : []) {
      if (!this.#nodes.isListed(slot, entry.name)) continue;
      hidden.add(entry.name);
      let { type } = entry;
      if (type === EntryType.UNKNOWN || type === EntryType.CHARACTER_DEVICE) {
        if (host.statAt(fd, entry.name, this.#stat) < 0) continue;
        if (isWhiteout(this.#stat)) continue;
        type = entryType(this.#stat.mode);
      }
      // The inode number that stat(2) shows, where it is known without opening the file.
      const known = table.find(entry.ino);
      const origin = known === 0 ? lower?.lookup(entry.name) : undefined;
      const ino = known !== 0
        ? table.ino(known)
        : origin !== undefined && entryType(origin.attributes.mode) === type
        ? lowerKey(origin.id)
        : entry.ino;
      this.#append(handle, entry.name, ino, type);
    }
    for (const { name, node } of lower?.entries() ?? []) {
      if (hidden.has(name) || !this.#nodes.isListed(slot, name)) continue;
      this.#append(handle, name, lowerKey(node.id), entryType(node.attributes.mode));
    }
    this.#flush(handle);
    return 0;
  }

  #append(handle: number, name: string, ino: number, type: number): void {
    if (this.#used + RECORD_SIZE_MAX > WINDOW_SIZE) this.#flush(handle);
    const start = this.#used;
    const target = this.#window.bytes.subarray(start + RECORD_HEADER_SIZE);
    const length = encodeFileNameInto(name, target);
    if (length < 0 || length > 255) return;
    this.#view.setBigUint64(start, BigInt(ino), true);
    this.#view.setUint16(start + 8, length, true);
    this.#view.setUint8(start + 10, type);
    this.#used = start + RECORD_HEADER_SIZE + length;
  }

  #flush(handle: number): void {
    const written = host.pwriteFully(handle, this.#window.address, this.#used, this.#written);
    if (written !== this.#used) {
      throw new host.OsError(written < 0 ? -written : Errno.ENOSPC, "write", "directory list");
    }
    this.#written += this.#used;
    this.#used = 0;
  }

  /** Hands out entries from `cookie` on until `emit` has enough. @returns 0 or a negative errno */
  read(handle: number, cookie: number, emit: EmitEntry): number {
    let position = cookie;
    while (true) {
      const size = host.preadFully(handle, this.#window.address, WINDOW_SIZE, position);
      if (size <= 0) return size;
      let offset = 0;
      while (offset + RECORD_HEADER_SIZE <= size) {
        const length = this.#view.getUint16(offset + 8, true);
        const end = offset + RECORD_HEADER_SIZE + length;
        if (end > size) break;
        const ino = this.#view.getUint32(offset, true) +
          this.#view.getUint32(offset + 4, true) * 0x1_0000_0000;
        const name = decodeFileName(
          this.#window.bytes.subarray(offset + RECORD_HEADER_SIZE, end),
        );
        if (!emit(name, ino, this.#view.getUint8(offset + 10), position + end)) return 0;
        offset = end;
      }
      if (offset === 0) return -Errno.EIO;
      position += offset;
    }
  }
}

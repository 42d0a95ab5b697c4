/**
 * Directory listings: one merged list for each open directory, in an anonymous memory file.
 *
 * The list is taken when reading starts and stays as it is until the directory is read from its
 * start again, so that names that are there throughout come exactly once while others come and go.
 * It lies in a memory file because any thread may be asked for the next part; the handle is its
 * descriptor, a cookie its byte offset.
 *
 * Record: u64 inode number, u16 length of the name, u8 type, name. Where the lower tree is damaged,
 * all names that can be read come first; a last record then says why there may be more, and whoever
 * comes to it gets that for an answer.
 *
 * @module
 */

import { EntryType, entryType, UNKNOWN_INO } from "#src/bytes/file_type.ts";
import { decodeFileName, encodeFileNameInto } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { Failure, FormatError } from "#src/errors.ts";
import type { EmitEntry } from "#src/tree/file_system.ts";
import type { DirectoryEntry, DirectoryNode, Node } from "#src/tree/node.ts";
import type { OverlayContext } from "./context.ts";
import { readHostDirectory } from "./host_directory.ts";
import { lowerKey, ROOT_SLOT } from "./node_table.ts";
import type { Nodes } from "./nodes.ts";
import { isWhiteout } from "./whiteout.ts";

const { Errno } = host;
const RECORD_HEADER_SIZE = 11;
const WINDOW_SIZE = 64 << 10;
const NAME_LENGTH_MAX = 255;

/** Type of the record that says why there may be more names; its own name is the message. */
const DAMAGE = 0xff;
const MESSAGE_LENGTH_MAX = 16 << 10;
const MESSAGE_UNITS_MAX = MESSAGE_LENGTH_MAX / 4;

/** A name of the diff. */
interface UpperEntry {
  readonly name: string;
  readonly ino: number;
  readonly type: number;
  /** Whether {@link ino} is the number that stat(2) shows. */
  readonly isKnown: boolean;
}

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

  /**
   * Takes the list of a directory: that of the diff under the namespace lock, and then, without it,
   * that of the lower tree, which never changes, but may have to wait for its source.
   *
   * @returns 0 or a negative errno
   */
  take(slot: number, handle: number): number {
    const { table } = this.#context;
    const emptied = host.ftruncate(handle, 0);
    if (emptied < 0) return emptied;
    this.#used = 0;
    this.#written = 0;
    const hidden = new Set<string>();
    let upper: UpperEntry[];
    table.lockNamespace();
    try {
      const parent = slot === ROOT_SLOT ? slot : table.parent(slot);
      this.#append(handle, ".", table.ino(slot), EntryType.DIRECTORY);
      this.#append(handle, "..", table.ino(parent), EntryType.DIRECTORY);
      upper = this.#readUpper(slot, hidden);
    } finally {
      table.unlockNamespace();
    }
    const lower = this.#nodes.lowerDirectory(slot);
    for (const { name, ino, type, isKnown } of upper) {
      // The inode number that stat(2) shows, where it is known without opening the file.
      const origin = isKnown ? undefined : readable(() => lower?.lookup(name));
      const isSame = origin !== undefined && entryType(origin.attributes.mode) === type;
      this.#append(handle, name, isSame ? lowerKey(origin.id) : ino, type);
    }
    if (lower !== undefined) this.#takeLower(slot, lower, hidden, handle);
    this.#flush(handle);
    return 0;
  }

  /** What the diff has. @param hidden gets the names, those of whiteouts too */
  #readUpper(slot: number, hidden: Set<string>): UpperEntry[] {
    const { table } = this.#context;
    const fd = table.fd(slot);
    const entries: UpperEntry[] = [];
    for (const { name, ino, type: told } of fd >= 0 ? readHostDirectory(fd, true) : []) {
      if (!this.#nodes.isListed(slot, name)) continue;
      hidden.add(name);
      let type = told;
      if (type === EntryType.UNKNOWN || type === EntryType.CHARACTER_DEVICE) {
        if (host.statAt(fd, name, this.#stat) < 0) continue;
        if (isWhiteout(this.#stat)) continue;
        type = entryType(this.#stat.mode);
      }
      const known = table.find(ino);
      const isKnown = known !== 0;
      entries.push({ name, ino: isKnown ? table.ino(known) : ino, type, isKnown });
    }
    return entries;
  }

  #takeLower(
    slot: number,
    lower: DirectoryNode,
    hidden: ReadonlySet<string>,
    handle: number,
  ): void {
    let damage: Error | undefined;
    for (const entry of readableEntries(lower, (error) => damage = error)) {
      const { name } = entry;
      if (hidden.has(name) || !this.#nodes.isListed(slot, name)) continue;
      // Whoever asks for one that cannot be read is told.
      const node = readable(() => entry.node);
      const ino = node === undefined ? UNKNOWN_INO : lowerKey(node.id);
      const type = node === undefined ? EntryType.UNKNOWN : entryType(node.attributes.mode);
      this.#append(handle, name, ino, type);
    }
    if (damage === undefined) return;
    const message = damage.message.slice(0, MESSAGE_UNITS_MAX);
    this.#append(handle, message, 0, DAMAGE, MESSAGE_LENGTH_MAX);
  }

  #append(
    handle: number,
    name: string,
    ino: number,
    type: number,
    lengthMax = NAME_LENGTH_MAX,
  ): void {
    // Encoding puts a NUL behind the name.
    if (this.#used + RECORD_HEADER_SIZE + lengthMax + 1 > WINDOW_SIZE) this.#flush(handle);
    const start = this.#used;
    const target = this.#window.bytes.subarray(start + RECORD_HEADER_SIZE);
    const length = encodeFileNameInto(name, target);
    if (length < 0 || length > lengthMax) return;
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

  /**
   * Hands out entries from `cookie` on until `emit` has enough.
   *
   * @returns 0 or a negative errno
   * @throws {FormatError} behind the last name, where the lower tree may have more than can be read
   */
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
        const type = this.#view.getUint8(offset + 10);
        if (type === DAMAGE) {
          // First the lister takes what it was given.
          if (position + offset > cookie) return 0;
          throw new FormatError(name);
        }
        if (!emit(name, ino, type, position + end)) return 0;
        offset = end;
      }
      if (offset === 0) return -Errno.EIO;
      position += offset;
    }
  }
}

function* readableEntries(
  directory: DirectoryNode,
  onDamage: (damage: Error) => void,
): Generator<DirectoryEntry> {
  try {
    yield* directory.entries();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    onDamage(error);
  }
}

/** What `read` finds; undefined where that is damaged. */
function readable(read: () => Node | undefined): Node | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

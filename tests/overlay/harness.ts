/**
 * An overlay without a mount: paths instead of node ids, exceptions instead of negative errnos.
 *
 * @module
 */

import { type AllocatedBuffer, allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { Errno, OsError, unwrap } from "#ffi/os_error.ts";
import {
  type BackingRegistry,
  createSharedState,
  openOverlay,
  type Overlay,
  type OverlayStatistics,
  overlayStatistics,
  prepareDiffTree,
  settleDiffTree,
  type SharedState,
} from "#src/overlay/mod.ts";
import {
  AttributeChange,
  AttributesSlot,
  Change,
  EntrySlot,
  OpenSlot,
  ROOT_NODE_ID,
} from "#src/tree/file_system.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { behindGate, persistent, type UncertainGate } from "./_uncertain_source.ts";

/** How a harness is set up. */
export interface HarnessOptions {
  readonly threads?: number;
  readonly materializeOnRead?: boolean;
  readonly wholeCopyBytesMax?: number;
  readonly backing?: BackingRegistry;
  readonly volatileDirectories?: readonly string[];
  /** The diff's; one of the tests' unless given. */
  readonly nonce?: Uint8Array;
  /** Refuses and ends waits for the lower tree, which are then done again. */
  readonly gate?: UncertainGate | undefined;
}

/** The nonce of diffs that are bound to nothing. */
export const NONCE = new Uint8Array(16).fill(7);
const CALLER = { uid: 0, gid: 0, umask: 0 };

/** An overlay over a diff in `diffPath`, served by several threads' instances in turn. */
export class OverlayHarness {
  shared!: SharedState;
  #overlays: Overlay[] = [];
  #turn = 0;
  readonly #buffer: AllocatedBuffer = allocateNativeBuffer(1 << 20);
  /** Overlays take that of the process away, whose other tests want it back. */
  readonly #umask = Deno.umask();

  constructor(
    readonly lower: MountableTree,
    readonly diffPath: string,
    readonly options: HarnessOptions = {},
  ) {
    for (const name of ["data", "tmp"]) Deno.mkdirSync(`${diffPath}/${name}`, { recursive: true });
    this.mount();
  }

  /** Starts anew over the same diff, as a remount does. */
  mount(): void {
    const { lower: plainLower, diffPath } = this;
    const { gate } = this.options;
    const lower = gate === undefined ? plainLower : behindGate(plainLower, gate);
    const volatileDirectories = this.options.volatileDirectories ?? [];
    gate?.begin(true);
    const { nonce = NONCE } = this.options;
    prepareDiffTree({ diffPath, lower, nonce, volatileDirectories });
    this.shared = createSharedState();
    this.#overlays = Array.from({ length: this.options.threads ?? 2 }, (_, worker) => {
      const overlay = openOverlay({
        lower,
        diffPath,
        nonce,
        shared: this.shared,
        worker,
        skipFsync: false,
        materializeOnRead: this.options.materializeOnRead ?? false,
        wholeCopyBytesMax: this.options.wholeCopyBytesMax ?? 0,
        backing: this.options.backing,
        volatileDirectories,
        extendedAttributes: true,
        gate,
      });
      return gate === undefined ? overlay : persistent(overlay, gate);
    });
  }

  /** Ends like a clean unmount (`settle`) or like a kill. */
  unmount(settle = true): void {
    for (const overlay of this.#overlays) overlay.close();
    if (settle) settleDiffTree(this.diffPath, this.options.nonce ?? NONCE);
    Deno.umask(this.#umask);
  }

  remount(settle = true): void {
    this.unmount(settle);
    this.mount();
  }

  get statistics(): OverlayStatistics {
    return overlayStatistics(this.shared);
  }

  /** The instance whose turn it is. */
  get overlay(): Overlay {
    this.#turn = (this.#turn + 1) % this.#overlays.length;
    return this.#overlays[this.#turn]!;
  }

  /** Looks a path up; the caller forgets it. */
  lookup(path: string): EntrySlot {
    let parent = ROOT_NODE_ID;
    const entry = new EntrySlot();
    const names = path.split("/").filter((name) => name !== "");
    if (names.length === 0) {
      unwrap(this.overlay.getattr(ROOT_NODE_ID, entry.attributes), "getattr", path);
      entry.nodeId = ROOT_NODE_ID;
      return entry;
    }
    for (const [index, name] of names.entries()) {
      const result = this.overlay.lookup(parent, name, entry);
      if (index > 0) this.overlay.forget(parent, 1);
      unwrap(result, "lookup", path);
      if (entry.nodeId === 0) throw new OsError(Errno.ENOENT, "lookup", path);
      parent = entry.nodeId;
    }
    return entry;
  }

  /** Runs `use` with the node of a path. */
  with<Result>(path: string, use: (nodeId: number) => Result): Result {
    const { nodeId } = this.lookup(path);
    try {
      return use(nodeId);
    } finally {
      if (nodeId !== ROOT_NODE_ID) this.overlay.forget(nodeId, 1);
    }
  }

  #inParent<Result>(path: string, use: (parentId: number, name: string) => Result): Result {
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    return this.with(parent, (parentId) => use(parentId, path.slice(slash + 1)));
  }

  stat(path: string): AttributesSlot {
    const entry = this.lookup(path);
    if (entry.nodeId !== ROOT_NODE_ID) this.overlay.forget(entry.nodeId, 1);
    return entry.attributes;
  }

  exists(path: string): boolean {
    try {
      this.stat(path);
      return true;
    } catch {
      return false;
    }
  }

  /** Runs `use` with an open file. */
  open<Result>(path: string, flags: number, use: (nodeId: number) => Result): Result {
    return this.with(path, (nodeId) => {
      const open = new OpenSlot();
      unwrap(this.overlay.open(nodeId, flags, false, open), "open", path);
      try {
        return use(nodeId);
      } finally {
        this.overlay.release(nodeId, open.handle);
      }
    });
  }

  readNode(nodeId: number, offset: number, size: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let done = 0;
    while (done < size) {
      const want = Math.min(size - done, this.#buffer.bytes.length);
      const count = unwrap(
        this.overlay.read(nodeId, 0, offset + done, want, this.#buffer, 0),
        "read",
        `node ${nodeId}`,
      );
      parts.push(this.#buffer.bytes.slice(0, count));
      done += count;
      if (count < want) break;
    }
    const result = new Uint8Array(done);
    let position = 0;
    for (const part of parts) {
      result.set(part, position);
      position += part.length;
    }
    return result;
  }

  read(path: string, offset = 0, size = 1 << 30): Uint8Array {
    return this.open(path, 0, (nodeId) => {
      const attributes = new AttributesSlot();
      unwrap(this.overlay.getattr(nodeId, attributes), "getattr", path);
      return this.readNode(nodeId, offset, Math.min(size, attributes.size + 8192));
    });
  }

  writeNode(nodeId: number, offset: number, bytes: Uint8Array): void {
    this.#buffer.bytes.set(bytes);
    const count = this.overlay.write(nodeId, 0, offset, bytes.length, this.#buffer, 0, false);
    if (unwrap(count, "write", `node ${nodeId}`) !== bytes.length) throw new Error("short write");
  }

  write(path: string, offset: number, bytes: Uint8Array): void {
    this.open(path, 2, (nodeId) => this.writeNode(nodeId, offset, bytes));
  }

  create(path: string, bytes?: Uint8Array): void {
    this.#inParent(path, (parentId, name) => {
      const entry = new EntrySlot();
      const open = new OpenSlot();
      const flags = 0o302; // O_RDWR | O_CREAT | O_EXCL
      unwrap(
        this.overlay.create(parentId, name, flags, 0o100644, CALLER, entry, open),
        "create",
        path,
      );
      if (bytes !== undefined) this.writeNode(entry.nodeId, 0, bytes);
      this.overlay.release(entry.nodeId, open.handle);
      this.overlay.forget(entry.nodeId, 1);
    });
  }

  mkdir(path: string): void {
    this.#inParent(path, (parentId, name) => {
      const entry = new EntrySlot();
      unwrap(this.overlay.mkdir(parentId, name, 0o755, CALLER, entry), "mkdir", path);
      this.overlay.forget(entry.nodeId, 1);
    });
  }

  truncate(path: string, size: number): void {
    const change = new AttributeChange();
    change.mask = Change.SIZE;
    change.size = size;
    this.change(path, change);
  }

  change(path: string, change: AttributeChange): AttributesSlot {
    const out = new AttributesSlot();
    this.with(path, (nodeId) => unwrap(this.overlay.setattr(nodeId, change, out), "setattr", path));
    return out;
  }

  unlink(path: string): void {
    this.#inParent(path, (parentId, name) => {
      unwrap(this.overlay.unlink(parentId, name), "unlink", path);
    });
  }

  rmdir(path: string): void {
    this.#inParent(path, (parentId, name) => {
      unwrap(this.overlay.rmdir(parentId, name), "rmdir", path);
    });
  }

  rename(from: string, to: string, flags = 0): void {
    this.#inParent(from, (parentId, name) => {
      this.#inParent(to, (newParentId, newName) => {
        const result = this.overlay.rename(parentId, name, newParentId, newName, flags);
        unwrap(result, "rename", `${from} to ${to}`);
      });
    });
  }

  link(from: string, to: string): void {
    this.with(from, (nodeId) => {
      this.#inParent(to, (parentId, name) => {
        const entry = new EntrySlot();
        unwrap(this.overlay.link(nodeId, parentId, name, entry), "link", to);
        this.overlay.forget(entry.nodeId, 1);
      });
    });
  }

  fsync(path: string): void {
    this.open(path, 2, (nodeId) => unwrap(this.overlay.fsync(nodeId, 0, false), "fsync", path));
  }

  fallocate(path: string, mode: number, offset: number, length: number): void {
    this.open(path, 2, (nodeId) => {
      unwrap(this.overlay.fallocate(nodeId, 0, mode, offset, length), "fallocate", path);
    });
  }

  /** lseek(2) for data or a hole. @returns undefined when only a hole follows */
  seek(path: string, whence: number, offset: number): number | undefined {
    return this.open(path, 0, (nodeId) => {
      const found = this.overlay.lseek(nodeId, 0, offset, whence);
      return found === -Errno.ENXIO ? undefined : unwrap(found, "seek", path);
    });
  }

  /** @param names gets those that were listed, also when the listing then fails */
  list(path: string, names: string[] = []): string[] {
    return this.with(path, (nodeId) => {
      const open = new OpenSlot();
      unwrap(this.overlay.opendir(nodeId, open), "opendir", path);
      let cookie = 0;
      // Few at a time, so that the next part comes from another thread.
      for (let more = true; more;) {
        more = false;
        let room = 3;
        const result = this.overlay.readdir(nodeId, open.handle, cookie, (name, _i, _t, next) => {
          if (room === 0) return false;
          room -= 1;
          more = true;
          cookie = next;
          if (name !== "." && name !== "..") names.push(name);
          return true;
        });
        unwrap(result, "readdir", path);
      }
      this.overlay.releasedir(nodeId, open.handle);
      return names.sort();
    });
  }
}

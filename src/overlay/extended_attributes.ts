/**
 * Extended attributes: those of the lower node until it is copied up, those of the diff's file from
 * then on.
 *
 * All methods take the namespace lock, unless they ask the lower node alone. They return a negative
 * errno where there is no such attribute, and ESTALE of slot 0.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import * as host from "#ffi/libc/calls.ts";
import { FileType } from "#src/tree/node.ts";
import type { OverlayContext, OverlayOptions } from "./context.ts";
import { COPY_MARK_XATTR } from "./copy_mark.ts";
import type { CopyUp } from "./copy_up.ts";
import { Flag } from "./node_flags.ts";
import type { Nodes } from "./nodes.ts";

const { Errno } = host;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

const ModeBits = { SETGID: 0o2000, PERMISSIONS: 0o7777 } as const;

/** Whether an attribute is an ACL that would be stored, but not enforced: it is refused. */
function isUncheckedAcl(name: string, { posixAcls }: OverlayOptions): boolean {
  return !posixAcls && (name === XATTR_ACL_ACCESS || name === XATTR_ACL_DEFAULT);
}

/** Reads and writes extended attributes for one thread. */
export class ExtendedAttributes {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #copyUp: CopyUp;
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes, copyUp: CopyUp) {
    this.#context = context;
    this.#nodes = nodes;
    this.#copyUp = copyUp;
  }

  /** The lower tree may have to be waited for. */
  get(slot: number, name: string): Uint8Array | number {
    const lower = this.#ofLower(slot);
    if (lower !== undefined) return lower.get(name) ?? -Errno.ENODATA;
    if (name === COPY_MARK_XATTR) return -Errno.ENODATA;
    return this.#locked(slot, () =>
      this.#use(
        slot,
        (fd) => host.getXattr(fd, name),
        (path) => host.getLinkXattr(path, name),
      ));
  }

  /** Names. The lower tree may have to be waited for. */
  list(slot: number): readonly string[] | number {
    const lower = this.#ofLower(slot);
    if (lower !== undefined) return [...lower.keys()];
    const bytes = this.#locked(slot, () => this.#use(slot, host.listXattr, host.listLinkXattr));
    if (typeof bytes === "number") return bytes;
    return decodeFileName(bytes).split("\0").filter((name) =>
      name !== "" && name !== COPY_MARK_XATTR
    );
  }

  /**
   * Copies the node up first. `killSgid`: the set-group-id bit goes, as with chmod(2) by a caller
   * outside the group.
   */
  set(slot: number, name: string, value: Uint8Array, flags: number, killSgid: boolean): number {
    this.#copyUp.fetch(slot);
    return this.#locked(slot, () => this.#set(slot, name, value, flags, killSgid));
  }

  #set(slot: number, name: string, value: Uint8Array, flags: number, killSgid: boolean): number {
    if (isUncheckedAcl(name, this.#context.options)) return -Errno.EOPNOTSUPP;
    if (name === COPY_MARK_XATTR) return -Errno.EPERM;
    if (!this.#context.table.has(slot, Flag.UPPER)) {
      const isThere = this.#lower(slot).has(name);
      if (isThere && (flags & XATTR_CREATE) !== 0) return -Errno.EEXIST;
      if (!isThere && (flags & XATTR_REPLACE) !== 0) return -Errno.ENODATA;
    }
    const ready = this.#copyUp.ensureUpper(slot);
    if (ready < 0) return ready;
    const result = this.#use(
      slot,
      (fd) => host.setXattr(fd, name, value, flags),
      (path) => host.setLinkXattr(path, name, value, flags),
    );
    return result === 0 && killSgid ? this.#killSgid(slot) : result;
  }

  #killSgid(slot: number): number {
    const stat = this.#stat;
    const dropFrom = (fd: number, path: string) => {
      const { SETGID, PERMISSIONS } = ModeBits;
      if ((stat.mode & SETGID) === 0) return 0;
      const mode = stat.mode & PERMISSIONS & ~SETGID;
      return path === "" ? host.fchmod(fd, mode) : host.chmodAt(fd, path, mode);
    };
    return this.#use(
      slot,
      (fd) => host.statFd(fd, stat) < 0 ? 0 : dropFrom(fd, ""),
      (path) => host.lstat(path, stat) < 0 ? 0 : dropFrom(host.At.FDCWD, path),
    );
  }

  /** Copies the node up first. */
  remove(slot: number, name: string): number {
    return this.#locked(slot, () => this.#remove(slot, name));
  }

  #remove(slot: number, name: string): number {
    if (name === COPY_MARK_XATTR) return -Errno.ENODATA;
    if (!this.#context.table.has(slot, Flag.UPPER) && !this.#lower(slot).has(name)) {
      return -Errno.ENODATA;
    }
    const ready = this.#copyUp.ensureUpper(slot);
    if (ready < 0) return ready;
    return this.#use(
      slot,
      (fd) => host.removeXattr(fd, name),
      (path) => host.removeLinkXattr(path, name),
    );
  }

  #locked<Result>(slot: number, run: () => Result): Result | number {
    if (slot === 0) return -Errno.ESTALE;
    const { table } = this.#context;
    table.lockNamespace();
    try {
      return run();
    } finally {
      table.unlockNamespace();
    }
  }

  /** Those of a node that stands only in the lower tree; undefined for others, and for slot 0. */
  #ofLower(slot: number): ReadonlyMap<string, Uint8Array> | undefined {
    if (slot === 0 || this.#context.table.has(slot, Flag.UPPER)) return undefined;
    return this.#lower(slot);
  }

  #lower(slot: number): ReadonlyMap<string, Uint8Array> {
    return this.#context.lower.nodeById(this.#context.table.lowerId(slot))?.xattrs() ?? new Map();
  }

  /** By descriptor for files and directories; by path for the rest, which cannot be opened. */
  #use<Result>(
    slot: number,
    byFd: (fd: number) => Result | number,
    byPath: (path: string) => Result | number,
  ): Result | number {
    const { table } = this.#context;
    const type = table.type(slot) << 12;
    if (type === FileType.DIRECTORY) return byFd(table.fd(slot));
    const place = this.#nodes.hostPlace(table.parent(slot), table.name(slot));
    if (type !== FileType.FILE) {
      if (table.has(slot, Flag.DELETED)) return -Errno.ENODATA;
      return byPath(`/proc/self/fd/${place.fd}/${place.name}`);
    }
    if (table.fd(slot) >= 0) return byFd(table.fd(slot));
    const fd = host.openAt(
      place.fd,
      place.name,
      host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW,
    );
    if (fd < 0) return fd;
    try {
      return byFd(fd);
    } finally {
      host.close(fd);
    }
  }
}

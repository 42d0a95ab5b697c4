/**
 * Owner, mode and the rest of what is restored: of archives all that they keep, of backups that
 * know modes only these. One for each thread.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { MetadataRestorer } from "#src/pxar/extractor/metadata_restorer.ts";
import { RESTORE_ALL, type RestoreFeatures } from "#src/pxar/extractor/options.ts";
import type { ProblemSink } from "#src/pxar/extractor/report.ts";
import type { Metadata, MetadataField } from "#src/tree/metadata.ts";
import type { Node } from "#src/tree/node.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import type { WriteCounts } from "./restore_queue.ts";

const PERMISSION_BITS = 0o7777;

/** What only root can restore. */
const USER_FEATURES: RestoreFeatures = {
  ...RESTORE_ALL,
  owner: false,
  fcaps: false,
  projectIds: false,
  deviceNodes: false,
};

/** What threads need to know; plain values. */
export interface NodeMetadataOptions {
  /** What the tree knows of its nodes. */
  readonly knownFields: readonly MetadataField[];
  /** Who is to own everything; undefined: as the tree says, as far as this user may. */
  readonly owner: Owner | undefined;
  /** Of this process. */
  readonly umask: number;
  /** Files may have been there before, with other modes. */
  readonly isIncremental: boolean;
}

/** See the head of the module. */
export class NodeMetadata {
  readonly #owner: Owner | undefined;
  readonly #umask: number;
  readonly #isIncremental: boolean;
  /** Undefined where modes are all that is known. */
  readonly #restorer: MetadataRestorer | undefined;
  readonly #isRoot = host.getEffectiveUid() === 0;
  readonly #uid = host.getEffectiveUid();
  readonly #gid = host.getEffectiveGid();

  constructor({ knownFields, owner, umask, isIncremental }: NodeMetadataOptions) {
    this.#owner = owner;
    this.#umask = umask;
    this.#isIncremental = isIncremental;
    if (knownFields.every((field) => field === "mode")) return;
    const features = this.#isRoot ? RESTORE_ALL : USER_FEATURES;
    this.#restorer = new MetadataRestorer({ ...features, owner: this.#isRoot });
  }

  /** The mode to make a new file with: nobody sees more of it than in the end. */
  newFileMode(node: Node): number {
    return this.#restorer === undefined ? node.attributes.mode & PERMISSION_BITS : 0o600;
  }

  /**
   * Gives a file that was opened with {@link newFileMode} its metadata, its content being complete.
   */
  restoreFile(fd: number, node: Node, path: string, counts: WriteCounts): void {
    if (this.#restorer !== undefined) return this.#restore(fd, node, path, false, counts);
    this.#giveToOwner(fd, node, path);
    const mode = node.attributes.mode & PERMISSION_BITS;
    if (this.#isIncremental || (mode & this.#umask) !== 0) setMode(fd, mode, path);
  }

  /** Gives a directory its metadata when all entries are made, or any other file by its path. */
  restorePath(path: string, node: Node, counts: WriteCounts): void {
    const fd = host.unwrap(host.open(path, host.OpenFlag.RDONLY), "open", path);
    try {
      if (this.#restorer !== undefined) return this.#restore(fd, node, path, false, counts);
      this.#giveToOwner(fd, node, path);
      setMode(fd, node.attributes.mode & PERMISSION_BITS, path);
    } finally {
      host.close(fd);
    }
  }

  /** Gives a link, device, FIFO or socket its metadata. */
  restoreSpecial(path: string, node: Node, counts: WriteCounts): void {
    const { PATH, NOFOLLOW } = host.OpenFlag;
    const fd = host.unwrap(host.open(path, PATH | NOFOLLOW), "open", path);
    try {
      if (this.#restorer !== undefined) this.#restore(fd, node, path, true, counts);
      else this.#giveToOwner(fd, node, path);
    } finally {
      host.close(fd);
    }
  }

  /** Gives a file or link that the source does not have to whom another node belongs. */
  giveToOwnerOf(node: Node, path: string): void {
    const { PATH, NOFOLLOW } = host.OpenFlag;
    const fd = host.unwrap(host.open(path, PATH | NOFOLLOW), "open", path);
    try {
      this.#giveToOwner(fd, node, path);
    } finally {
      host.close(fd);
    }
  }

  #restore(fd: number, node: Node, path: string, isPathOnly: boolean, counts: WriteCounts): void {
    const metadata: Metadata = this.#owner === undefined
      ? node.metadata
      : { ...node.metadata, ...this.#owner };
    const problems: ProblemSink = {
      add: (_path, _step, error, severity) => {
        const isLackOfRights = !this.#isRoot && error instanceof host.OsError &&
          error.code === "EPERM";
        if (severity === "error" && !isLackOfRights) throw error;
        counts.warnings += 1;
      },
    };
    this.#restorer!.restore({ fd, isPathOnly, mayHaveAcl: false, path }, metadata, problems);
  }

  #giveToOwner(fd: number, node: Node, path: string): void {
    const { uid, gid } = this.#owner ?? (this.#isRoot ? node.attributes : this.#ownIds());
    if (uid === this.#uid && gid === this.#gid) return;
    host.unwrap(host.chownAt(fd, "", uid, gid), "change owner of", path);
  }

  #ownIds(): Owner {
    return { uid: this.#uid, gid: this.#gid };
  }
}

const stat = new host.HostStat();

function setMode(fd: number, mode: number, path: string): void {
  host.unwrap(host.statFd(fd, stat), "stat", path);
  if ((stat.mode & PERMISSION_BITS) === mode) return;
  host.unwrap(host.fchmod(fd, mode), "change mode of", path);
}

/** The umask of this process, which is left as it is. */
export function readUmask(): number {
  const status = host.readSmallFile("/proc/self/status");
  const text = typeof status === "number" ? "" : new TextDecoder().decode(status);
  const match = /^Umask:\s*([0-7]+)$/mu.exec(text);
  return match === null ? 0o777 : Number.parseInt(match[1]!, 8);
}

/**
 * Restores the metadata of entries through descriptors. Needs FFI.
 *
 * @module
 */

import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import { FormatError, OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import {
  descriptorPath,
  removeXattrByPath,
  setFatAttributes,
  setFileFlags,
  setMtime,
  setMtimeByPath,
  setProjectId,
  setXattrByPath,
} from "#ffi/libc/extract.ts";
import { getFileFlags } from "#ffi/libc/metadata.ts";
import { type Metadata, XATTR_CAPABILITY } from "#src/tree/metadata.ts";
import { FileType } from "#src/tree/node.ts";
import { encodeAccessAcl, encodeDefaultAcl, lacksGroupObject, NO_ACL } from "#src/bytes/acl.ts";
import { attributesOfFlags, CHATTR_FLAGS, FAT_FLAGS } from "../format/flags.ts";
import { type RestoreFeatures, SET_OWNER } from "./options.ts";
import type { ProblemSink } from "./report.ts";
import { isRestoredXattr } from "./xattr_names.ts";

const { Errno } = host;

const PERMISSION_BITS = 0o7777;
const SET_ID_BITS = 0o6000;

const ALL_ATTRIBUTES = attributesOfFlags(CHATTR_FLAGS, ~0n);
/**
 * Those that change how data are stored (`A`, `c`, `C`, `m`, `P`): a file gets them while it is
 * empty.
 */
const INITIAL_ATTRIBUTES = attributesOfFlags(
  CHATTR_FLAGS.filter(({ label }) => "AcCmP".includes(label)),
  ~0n,
);
/** `c`, `C`, `m`: refused as a whole set by file systems that know no compression. */
const COMPRESSION_ATTRIBUTES = attributesOfFlags(
  CHATTR_FLAGS.filter(({ label }) => "cCm".includes(label)),
  ~0n,
);

/** "Not supported here", for attributes of chattr(1). */
const NO_ATTRIBUTES: ReadonlySet<number> = new Set([
  -Errno.ENOTTY,
  -Errno.ENOSYS,
  -Errno.EBADF,
  -Errno.EOPNOTSUPP,
  -Errno.EINVAL,
]);

const stat = new host.HostStat();

/** The object whose metadata are restored. */
export interface RestoredObject {
  readonly fd: number;
  /** The descriptor is one of O_PATH: everything but regular files and directories. */
  readonly isPathOnly: boolean;
  /**
   * It may have ACLs that are not from the archive: it was there before, or took them from its
   * directory.
   */
  readonly mayHaveAcl: boolean;
  /** Path in the archive, for messages. */
  readonly path: string;
}

/** Restores the metadata of objects, one after the other. */
export class MetadataRestorer {
  readonly #features: RestoreFeatures;
  readonly #uid = host.getEffectiveUid();
  readonly #gid = host.getEffectiveGid();
  /** Whether it has been reported that this user cannot give files away. */
  #hasReportedOwner = false;

  constructor(features: RestoreFeatures) {
    this.#features = features;
  }

  /**
   * Sets what an empty file needs before its data come. Failures show when everything is set at the
   * end.
   */
  restoreInitialFlags(fd: number, flags: bigint): void {
    if (flags === 0n || !this.#features.flags) return;
    const wanted = attributesOfFlags(CHATTR_FLAGS, flags) & INITIAL_ATTRIBUTES;
    if (wanted === 0) return;
    const present = getFileFlags(fd);
    if (present >= 0) replaceAttributes(fd, present, wanted, INITIAL_ATTRIBUTES);
  }

  /** Restores everything, in the order in which one step does not undo another. */
  restore(object: RestoredObject, metadata: Metadata, problems: ProblemSink): void {
    const isOwned = this.#restoreOwner(object, metadata, problems);
    if (this.#features.xattrs && metadata.xattrs.length > 0) {
      this.#restoreXattrs(object, metadata, problems);
    }
    if (this.#features.fcaps && metadata.fcaps !== undefined) {
      const result = setXattr(object, XATTR_CAPABILITY, metadata.fcaps);
      report(result, "set file capabilities of", object, problems);
    }
    if (this.#features.acls) this.#restoreAcls(object, metadata, problems);
    if (this.#features.projectIds && metadata.projectId !== 0n) {
      const isPossible = metadata.projectId <= 0xffff_ffffn;
      const result = isPossible
        ? setProjectId(object.fd, Number(metadata.projectId))
        : -Errno.EINVAL;
      // A missing project id is an error even where the file system knows none: quotas would not be
      // kept.
      if (result < 0) addError(-result, "set project id of", object, problems);
    }
    if (this.#features.permissions) this.#restoreMode(object, metadata.mode, isOwned, problems);
    const { seconds, nanoseconds } = metadata.mtime;
    const setTime = object.isPathOnly ? setMtimeByPath : setMtime;
    report(setTime(object.fd, seconds, nanoseconds), "set time of", object, problems);
    if (metadata.flags !== 0n && this.#features.flags) {
      this.#restoreFlags(object, metadata.flags, problems);
    }
  }

  /** @returns whether the object belongs to whom it should */
  #restoreOwner(object: RestoredObject, metadata: Metadata, problems: ProblemSink): boolean {
    const { uid, gid } = metadata;
    const isOwn = uid === this.#uid && gid === this.#gid;
    if (!this.#features.owner) return isOwn;
    // To look is cheaper than to set what most new files have already; their directory may have
    // given them its group.
    if (isOwn && host.statFd(object.fd, stat) >= 0 && stat.uid === uid && stat.gid === gid) {
      return true;
    }
    // This id means "leave it" to the kernel.
    const isPossible = uid !== host.KEEP_ID && gid !== host.KEEP_ID;
    const result = isPossible ? host.chownAt(object.fd, "", uid, gid) : -Errno.EINVAL;
    // One user's lack of rights is one problem, not one of each entry.
    const isLackOfRights = result === -Errno.EPERM && this.#uid !== 0;
    if (!isLackOfRights || !this.#hasReportedOwner) {
      report(result, SET_OWNER, object, problems);
    }
    this.#hasReportedOwner ||= isLackOfRights;
    return result >= 0;
  }

  #restoreXattrs(object: RestoredObject, metadata: Metadata, problems: ProblemSink): void {
    for (const { name, value } of metadata.xattrs) {
      const step = `set xattr ${JSON.stringify(name)} of`;
      if (isRestoredXattr(name)) report(setXattr(object, name, value), step, object, problems);
      else {
        const error = new OsError(Errno.EOPNOTSUPP, step, object.path);
        problems.add(object.path, step, error, "warning");
      }
    }
  }

  #restoreAcls(object: RestoredObject, metadata: Metadata, problems: ProblemSink): void {
    const { acl, mode } = metadata;
    if (acl === NO_ACL && !object.mayHaveAcl) return;
    const step = "set ACL of";
    try {
      const access = encodeAccessAcl(acl, mode);
      if (access !== undefined) {
        report(setXattr(object, XATTR_ACL_ACCESS, access), step, object, problems);
      } else if (object.mayHaveAcl) removeXattr(object, XATTR_ACL_ACCESS);
      const defaultAcl = encodeDefaultAcl(acl);
      if (defaultAcl !== undefined) {
        report(setXattr(object, XATTR_ACL_DEFAULT, defaultAcl), step, object, problems);
      } else if (object.mayHaveAcl && (mode & FileType.MASK) === FileType.DIRECTORY) {
        removeXattr(object, XATTR_ACL_DEFAULT);
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problems.add(object.path, step, error, "error");
    }
    if (lacksGroupObject(acl)) {
      const error = new FormatError(
        "The ACL has no entry for the owning group: it was given the mask",
        { code: "bad-acl", path: object.path },
      );
      problems.add(object.path, step, error, "warning");
    }
  }

  #restoreMode(
    object: RestoredObject,
    mode: number,
    isOwned: boolean,
    problems: ProblemSink,
  ): void {
    const type = mode & FileType.MASK;
    if (type === FileType.SYMLINK) return;
    let permissions = mode & PERMISSION_BITS;
    const step = "set mode of";
    if (!isOwned && type !== FileType.DIRECTORY && (permissions & SET_ID_BITS) !== 0) {
      // These bits would grant the rights of the extracting user instead of those of the owner that
      // the archive means.
      permissions &= ~SET_ID_BITS;
      const error = new OsError(Errno.EPERM, "set set-id bits without the owner of", object.path);
      problems.add(object.path, step, error, "warning");
    }
    const result = object.isPathOnly
      ? host.chmod(descriptorPath(object.fd), permissions)
      : host.fchmod(object.fd, permissions);
    report(result, step, object, problems);
  }

  #restoreFlags(object: RestoredObject, flags: bigint, problems: ProblemSink): void {
    const fat = attributesOfFlags(FAT_FLAGS, flags);
    if (fat !== 0) reportFlags(setFatAttributes(object.fd, fat), object, problems);
    const wanted = attributesOfFlags(CHATTR_FLAGS, flags);
    if (wanted === 0) return;
    const present = getFileFlags(object.fd);
    const result = present < 0
      ? present
      : replaceAttributes(object.fd, present, wanted, ALL_ATTRIBUTES);
    reportFlags(result, object, problems);
  }
}

/**
 * Sets the attributes `mask` to what is `wanted`; those for compression only where they are known.
 */
function replaceAttributes(fd: number, present: number, wanted: number, mask: number): number {
  const all = present & ~mask | wanted & mask;
  if (all === present) return 0;
  const result = setFileFlags(fd, all);
  if (result !== -Errno.EOPNOTSUPP || (wanted & COMPRESSION_ATTRIBUTES) === 0) return result;
  const rest = all & ~COMPRESSION_ATTRIBUTES | present & COMPRESSION_ATTRIBUTES;
  const restResult = rest === present ? 0 : setFileFlags(fd, rest);
  return restResult < 0 ? restResult : result;
}

/** Removes an ACL that is not the archive's. There may be none; then there is nothing to report. */
function removeXattr(object: RestoredObject, name: string): void {
  if (object.isPathOnly) removeXattrByPath(object.fd, name);
  else host.removeXattr(object.fd, name);
}

function setXattr(object: RestoredObject, name: string, value: Uint8Array): number {
  return object.isPathOnly
    ? setXattrByPath(object.fd, name, value)
    : host.setXattr(object.fd, name, value, 0);
}

function report(
  result: number,
  step: string,
  object: RestoredObject,
  problems: ProblemSink,
): void {
  if (result >= 0) return;
  if (result !== -Errno.EOPNOTSUPP) return addError(-result, step, object, problems);
  problems.add(object.path, step, new OsError(-result, step, object.path), "warning");
}

function reportFlags(result: number, object: RestoredObject, problems: ProblemSink): void {
  if (result >= 0) return;
  const step = "set attributes of";
  const severity = NO_ATTRIBUTES.has(result) ? "warning" : "error";
  problems.add(object.path, step, new OsError(-result, step, object.path), severity);
}

function addError(
  errno: number,
  step: string,
  object: RestoredObject,
  problems: ProblemSink,
): void {
  problems.add(object.path, step, new OsError(errno, step, object.path), "error");
}

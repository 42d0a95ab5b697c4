/**
 * Metadata of an open file or directory that stat(2) does not tell: attributes, project id, xattrs,
 * ACLs, file capabilities.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import { OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import * as metadata from "#ffi/libc/metadata.ts";
import { isStoredXattr, type Metadata, type Xattr, XATTR_CAPABILITY } from "#src/tree/metadata.ts";
import { FileType } from "#src/tree/node.ts";
import { type Acl, decodePosixAcl, NO_ACL } from "#src/bytes/acl.ts";
import { CHATTR_FLAGS, FAT_FLAGS, flagsOfAttributes } from "../format/flags.ts";
import { featuresOf, type FileSystemFeatures } from "./file_systems.ts";
import type { BuildReportBuilder } from "./report.ts";
import { type MetadataOptions, statMetadata } from "./source.ts";

const { Errno } = host;

const XATTR_NAME_SIZE_MAX = 255;

/** Errors that mean: this file system knows no such attribute. */
const UNSUPPORTED: ReadonlySet<number> = new Set([
  -Errno.ENOTTY,
  -Errno.ENOSYS,
  -Errno.EBADF,
  -Errno.EOPNOTSUPP,
  -Errno.EINVAL,
]);

const CHATTR_MASK = CHATTR_FLAGS.reduce((mask, { attribute }) => mask | attribute, 0);
const FAT_MASK = FAT_FLAGS.reduce((mask, { attribute }) => mask | attribute, 0);

/** The xattrs of one file, sorted by what they are for. */
interface ReadXattrs {
  readonly xattrs: Xattr[];
  fcaps: Uint8Array | undefined;
  aclAccess: Uint8Array | undefined;
  aclDefault: Uint8Array | undefined;
}

/**
 * Reads metadata through descriptors opened for reading. Not re-entrant: buffers are shared by all
 * calls.
 */
export class NativeMetadataReader {
  readonly #options: MetadataOptions;
  readonly #report: BuildReportBuilder;
  readonly #names = new Uint8Array(host.XATTR_SIZE_MAX);
  readonly #shortNames = this.#names.subarray(0, 512);
  readonly #name = new Uint8Array(XATTR_NAME_SIZE_MAX + 1);
  readonly #value = new Uint8Array(host.XATTR_SIZE_MAX);
  #device = -1;
  #features: FileSystemFeatures = featuresOf(0);

  constructor(options: MetadataOptions, report: BuildReportBuilder) {
    this.#options = options;
    this.#report = report;
  }

  /** What the file system of `fd` can tell; asked again only where the device changes. */
  features(fd: number, device: number): FileSystemFeatures {
    if (device === this.#device) return this.#features;
    const magic = metadata.getFileSystemMagic(fd);
    // One that does not answer is not asked less: what it fails at is reported then.
    if (magic < 0) return featuresOf(0);
    this.#features = featuresOf(magic);
    this.#device = device;
    return this.#features;
  }

  /** All metadata of an open file or directory. @param path for messages */
  read(fd: number, stat: host.HostStat, path: string): Metadata {
    const features = this.features(fd, stat.device);
    const basic = statMetadata(stat);
    const flags = this.#flags(fd, features, path);
    const projectId = features.projectIds
      ? BigInt(this.#ask(metadata.getProjectId(fd), "project id", path))
      : 0n;
    const length = this.#listXattrs(fd, features, path);
    if (length === 0) {
      return flags === 0n && projectId === 0n ? basic : { ...basic, flags, projectId };
    }
    const read = this.#readXattrs(fd, features, length, path);
    return {
      ...basic,
      flags,
      projectId,
      xattrs: read.xattrs,
      fcaps: read.fcaps,
      acl: this.#acl(read, stat, path),
    };
  }

  #flags(fd: number, features: FileSystemFeatures, path: string): bigint {
    const chattr = this.#ask(metadata.getFileFlags(fd), "attributes", path) & CHATTR_MASK;
    const fat = features.fat
      ? this.#ask(metadata.getFatAttributes(fd), "FAT attributes", path) & FAT_MASK
      : 0;
    if ((chattr | fat) === 0) return 0n;
    return flagsOfAttributes(CHATTR_FLAGS, chattr) | flagsOfAttributes(FAT_FLAGS, fat);
  }

  /** The value of a call, 0 when there is none. */
  #ask(result: number, what: string, path: string): number {
    if (result >= 0) return result;
    if (!UNSUPPORTED.has(result)) {
      this.#report.add("attribute", path, `Cannot read ${what}: ${host.describeErrno(-result)}`);
    }
    return 0;
  }

  /** @returns the length of the list in {@link #names} */
  #listXattrs(fd: number, features: FileSystemFeatures, path: string): number {
    const { xattrs, acls, fcaps } = features;
    if (!this.#options.xattrs || !(xattrs || acls || fcaps)) return 0;
    // The kernel allocates what is offered, and lists are short.
    let length = metadata.listXattrInto(fd, this.#shortNames);
    if (length === -Errno.ERANGE) length = metadata.listXattrInto(fd, this.#names);
    if (length >= 0) return length;
    if (!UNSUPPORTED.has(length)) this.#failXattr(length, "list extended attributes", path);
    return 0;
  }

  #readXattrs(fd: number, features: FileSystemFeatures, length: number, path: string): ReadXattrs {
    const read: ReadXattrs = {
      xattrs: [],
      fcaps: undefined,
      aclAccess: undefined,
      aclDefault: undefined,
    };
    for (let start = 0; start < length;) {
      const end = this.#names.indexOf(0, start);
      const name = decodeFileName(this.#names.subarray(start, end));
      const isStored = isStoredXattr(name) && features.xattrs;
      const isAcl = (name === XATTR_ACL_ACCESS || name === XATTR_ACL_DEFAULT) &&
        features.acls && this.#options.acls;
      const isFcaps = name === XATTR_CAPABILITY && features.fcaps && this.#options.fcaps;
      if ((isStored || isAcl || isFcaps) && end - start <= XATTR_NAME_SIZE_MAX) {
        this.#name.set(this.#names.subarray(start, end + 1));
        const value = this.#readValue(fd, name, path);
        if (value === undefined) { /* gone meanwhile, or left out */ }
        else if (isStored) read.xattrs.push({ name, value });
        else if (isFcaps) read.fcaps = value;
        else if (name === XATTR_ACL_ACCESS) read.aclAccess = value;
        else read.aclDefault = value;
      }
      start = end + 1;
    }
    return read;
  }

  /** Value of the xattr whose name is in {@link #name}. */
  #readValue(fd: number, name: string, path: string): Uint8Array | undefined {
    const length = metadata.getXattrInto(fd, this.#name, this.#value);
    if (length >= 0) return this.#value.slice(0, length);
    if (length !== -Errno.ENODATA && !UNSUPPORTED.has(length)) {
      this.#failXattr(length, `read extended attribute ${name}`, path);
    }
    return undefined;
  }

  #failXattr(result: number, call: string, path: string): void {
    const isTooBig = result === -Errno.E2BIG || result === -Errno.ERANGE;
    if (!isTooBig) {
      this.#report.add("attribute", path, `Cannot ${call}: ${host.describeErrno(-result)}`);
    } else if (this.#options.onLargeXattr !== undefined) {
      this.#options.onLargeXattr(`Cannot ${call}: too big`);
    } else if (this.#options.skipsLargeXattrs) {
      this.#report.add("attribute", path, `Cannot ${call}: too big, left out`);
    } else {
      throw new OsError(Errno.E2BIG, call, path, {
        hint: "Leave such attributes out",
        option: "skipsLargeXattrs",
      });
    }
  }

  #acl(read: ReadXattrs, stat: host.HostStat, path: string): Acl {
    const isDirectory = (stat.mode & FileType.MASK) === FileType.DIRECTORY;
    try {
      return decodePosixAcl(read.aclAccess, isDirectory ? read.aclDefault : undefined) ?? NO_ACL;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#report.add("attribute", path, error.message);
      return NO_ACL;
    }
  }
}

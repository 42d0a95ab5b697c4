/**
 * What a pxar archive says of a file: the vocabulary of encoder, decoder, accessor, builder and
 * extractor.
 *
 * Names, link targets and paths are strings as in `bytes/file_name.ts`; xattr names too.
 *
 * @module
 */

import { FileType, type Timestamp } from "#src/tree/node.ts";

export type { Timestamp } from "#src/tree/node.ts";

/** An extended attribute. Its place in the list is that in the archive. */
export interface PxarXattr {
  /** Full name with its prefix, such as `user.comment`. */
  readonly name: string;
  /** Any bytes; may be empty. */
  readonly value: Uint8Array;
}

/** Permission bits (read 4, write 2, execute 1) that an ACL gives to a user or group. */
export interface PxarAclEntry {
  /** uid or gid. */
  readonly id: bigint;
  /** Stored in 64 bits; the low three mean something. */
  readonly permissions: bigint;
}

/** Default ACL of a directory; undefined stands for "not set". */
export interface PxarDefaultAcl {
  /** Permission of the owner of what is made there. */
  readonly userObject: bigint | undefined;
  /** Permission of its owning group. */
  readonly groupObject: bigint | undefined;
  /** Permission of all other users. */
  readonly other: bigint | undefined;
  /** Upper bound of what named users and groups get. */
  readonly mask: bigint | undefined;
}

/**
 * POSIX ACLs as an archive stores them: without what the mode already says.
 */
export interface PxarAcl {
  /** Users besides the owner. */
  readonly users: readonly PxarAclEntry[];
  /** Groups besides the owning one. */
  readonly groups: readonly PxarAclEntry[];
  /** Permission of the owning group; there exactly when the ACL has a mask. */
  readonly groupObject: bigint | undefined;
  /** What entries made in the directory get; undefined when it has no default ACL. */
  readonly default: PxarDefaultAcl | undefined;
  /** Users that the default ACL names besides the owner. */
  readonly defaultUsers: readonly PxarAclEntry[];
  /** Groups that the default ACL names besides the owning one. */
  readonly defaultGroups: readonly PxarAclEntry[];
}

/** An ACL that says nothing. */
export const NO_ACL: PxarAcl = {
  users: [],
  groups: [],
  groupObject: undefined,
  default: undefined,
  defaultUsers: [],
  defaultGroups: [],
};

/** Metadata of an entry. */
export interface PxarMetadata {
  /** `st_mode` with type bits. Stored in 64 bits; what a file system knows has 32. */
  readonly mode: number;
  /** chattr and FAT attributes. */
  readonly flags: bigint;
  /** Owner as a number: archives have no names of users. */
  readonly uid: number;
  /** Owning group as a number. */
  readonly gid: number;
  /** Last change of the content; archives keep no other time. */
  readonly mtime: Timestamp;
  /** Without ACLs and capabilities, which have their own places. */
  readonly xattrs: readonly PxarXattr[];
  /** {@link NO_ACL} where the mode says all. */
  readonly acl: PxarAcl;
  /** Raw `security.capability`. */
  readonly fcaps: Uint8Array | undefined;
  /** Quota project id; 0n when there is none. */
  readonly projectId: bigint;
}

/** Types of files that have metadata. */
export type PxarFileType =
  | Exclude<PxarKind["kind"], "device">
  | "character-device"
  | "block-device";

/** Mode of an entry of which nothing else is said. */
const MODES: Readonly<Record<PxarFileType, number>> = {
  directory: FileType.DIRECTORY | 0o755,
  file: FileType.FILE | 0o644,
  symlink: FileType.SYMLINK | 0o777,
  "character-device": FileType.CHARACTER_DEVICE | 0o600,
  "block-device": FileType.BLOCK_DEVICE | 0o600,
  fifo: FileType.FIFO | 0o644,
  socket: FileType.SOCKET | 0o755,
};

/**
 * Metadata of an entry that is made up: root's, of 1970, with the usual permissions, but for what
 * `fields` say.
 *
 * @param fields may have a `mode` of permission bits only
 */
export function pxarMetadata(
  type: PxarFileType,
  fields: Partial<PxarMetadata> = {},
): PxarMetadata {
  const mode = MODES[type];
  return {
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    flags: 0n,
    xattrs: [],
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
    ...fields,
    mode: fields.mode === undefined
      ? mode
      : (mode & FileType.MASK) | (fields.mode & ~FileType.MASK),
  };
}

/** Where the bytes of a regular file are. */
export type PxarPayload =
  | {
    readonly kind: "inline";
    /** Offset of the first byte in the archive. */
    readonly offset: number;
    readonly size: number;
  }
  | {
    readonly kind: "reference";
    /** Offset of the PAYLOAD header in the payload stream. */
    readonly offset: number;
    readonly size: number;
  };

/** What an entry is, beside its metadata. */
export type PxarKind =
  | { readonly kind: "directory" }
  | { readonly kind: "file"; readonly payload: PxarPayload }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "device"; readonly major: bigint; readonly minor: bigint }
  | { readonly kind: "fifo" }
  | { readonly kind: "socket" };

/** An entry that stands for itself: everything but a hard link. */
export type PxarEntry = { readonly metadata: PxarMetadata } & PxarKind;

/** A further name of an earlier regular file. It has no metadata of its own. */
export interface PxarHardlink {
  /** Tells hard links from other entries. */
  readonly kind: "hardlink";
  /** Distance from the target's FILENAME header to this one's, in bytes of the metadata stream. */
  readonly distance: bigint;
  /** Path of the target from the archive's root, without a leading slash. */
  readonly targetPath: string;
}

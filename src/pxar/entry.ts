/**
 * What a pxar archive says of a file: the vocabulary of encoder, decoder, accessor, builder and
 * extractor.
 *
 * Names, link targets and paths are strings as in `bytes/file_name.ts`; xattr names too.
 *
 * @module
 */

import { NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { FileType } from "#src/tree/node.ts";

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
  fields: Partial<Metadata> = {},
): Metadata {
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
export type PxarEntry = { readonly metadata: Metadata } & PxarKind;

/** A further name of an earlier regular file. It has no metadata of its own. */
export interface PxarHardlink {
  /** Tells hard links from other entries. */
  readonly kind: "hardlink";
  /** Distance from the target's FILENAME header to this one's, in bytes of the metadata stream. */
  readonly distance: bigint;
  /** Path of the target from the archive's root, without a leading slash. */
  readonly targetPath: string;
}

/**
 * Small pxar archives for tests.
 *
 * @module
 */

import { NO_ACL, PxarEncoder, type PxarEncoderOptions, type PxarMetadata } from "#src/pxar/mod.ts";
import { MemorySink } from "./pxar_fixtures.ts";

/** Metadata with that mode and nothing remarkable else. */
export function metadataOf(mode: number, more: Partial<PxarMetadata> = {}): PxarMetadata {
  return {
    mode,
    flags: 0n,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1_700_000_000, nanoseconds: 5 },
    xattrs: [],
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
    ...more,
  };
}

/** Plain metadata by type. */
export const DIRECTORY: PxarMetadata = metadataOf(0o40755);
/** See {@link DIRECTORY}. */
export const FILE: PxarMetadata = metadataOf(0o100644);
/** See {@link DIRECTORY}. */
export const SYMLINK: PxarMetadata = metadataOf(0o120777);

/** An archive in memory. */
export interface BuiltArchive {
  readonly metadata: Uint8Array<ArrayBuffer>;
  /** There when the archive is split. */
  readonly payload: Uint8Array<ArrayBuffer> | undefined;
}

/** Builds an archive of version 1, or of version 2 when `isSplit`. */
export function buildArchive(
  fill: (encoder: PxarEncoder) => void,
  isSplit = false,
  options: Partial<PxarEncoderOptions> = {},
): BuiltArchive {
  const metadata = new MemorySink();
  const payload = new MemorySink();
  const encoder = new PxarEncoder(metadata, {
    root: DIRECTORY,
    ...(isSplit ? { payload } : {}),
    ...options,
  });
  fill(encoder);
  encoder.finish();
  return { metadata: metadata.bytes(), payload: isSplit ? payload.bytes() : undefined };
}

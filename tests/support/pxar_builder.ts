/**
 * Small pxar archives for tests.
 *
 * @module
 */

import { PxarEncoder, type PxarEncoderOptions } from "#src/pxar/mod.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { MemorySink } from "./pxar_fixtures.ts";

/** Metadata with that mode and nothing remarkable else. */
export function metadataOf(mode: number, more: Partial<Metadata> = {}): Metadata {
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
export const DIRECTORY: Metadata = metadataOf(0o40755);
/** See {@link DIRECTORY}. */
export const FILE: Metadata = metadataOf(0o100644);
/** See {@link DIRECTORY}. */
export const SYMLINK: Metadata = metadataOf(0o120777);

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

/**
 * What makes a backup the one it is, wherever its catalog lies.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import type { Instance } from "./catalog.ts";
import type { Chain } from "./chain.ts";
import { contentListPath } from "./content_list.ts";
import { CONTENT_SIZE_MAX } from "./format/content.ts";

/** A backup and what its content depends on. */
export interface BackupIdentity {
  /** Of the cluster, decimal; undefined where the instance's configuration cannot be read. */
  readonly systemIdentifier: string | undefined;
  /** Id of the backup itself, in upper case. */
  readonly backupId: string;
  /** Ids from the FULL backup on, this one last. */
  readonly chain: readonly string[];
  /** SHA-256 of the backup's file list, hexadecimal. */
  readonly listDigest: string;
  /** When the backup became what it is by a merge, in Unix seconds. */
  readonly mergeTime: number | undefined;
}

/**
 * Identifies the first backup of `chain`.
 *
 * @throws {OsError} when its file list cannot be read
 */
export async function identifyBackup(instance: Instance, chain: Chain): Promise<BackupIdentity> {
  const target = chain[0]!;
  const list = hostFiles.read(contentListPath(target), CONTENT_SIZE_MAX);
  // Node's module for hashes takes 15 ms to load; this one is there.
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", list));
  return {
    systemIdentifier: instance.config?.systemIdentifier,
    backupId: target.id,
    chain: chain.map((member) => member.id).toReversed(),
    listDigest: digest.toHex(),
    mergeTime: target.control.mergeTime,
  };
}

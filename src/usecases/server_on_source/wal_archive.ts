/**
 * The archive of WAL that a backup of pg_probackup needs to become consistent, or to go on to a
 * later moment: the directory `wal/INSTANCE` of its catalog.
 *
 * @module
 */

import { IntegrityError } from "#src/errors.ts";
import { readInstance } from "#src/pgprobackup/catalog.ts";
import { findNamedBackup } from "#src/sources/pgpro/named_backup.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import type { WalSource } from "./wal_feed.ts";

/** An archive that a source has. */
export interface WalArchive extends WalSource {
  /** The backup has no WAL of its own: without the archive no server starts on it. */
  readonly isNeeded: boolean;
}

/** Segments have at most 1 GiB. */
const FILE_SIZE_MAX = 1 << 30;

/** The archive of a source; undefined for a kind that has none. @throws as opening it does */
export function findWalArchive({ kind, place, item }: RecognisedName): WalArchive | undefined {
  if (kind !== "pgpro") return undefined;
  const { store, instance, backupId } = findNamedBackup(place, item);
  const backup = readInstance(store, instance).backups.find(({ id }) => id === backupId);
  const path = `${store}/wal/${instance}`;
  return {
    isNeeded: backup?.control?.isStream === false,
    fetch: (name, targetPath) => fetchFile(path, name, targetPath),
  };
}

async function fetchFile(archive: string, name: string, targetPath: string): Promise<boolean> {
  const plain = await openIfThere(`${archive}/${name}`);
  if (plain !== undefined) return await write(plain.readable, targetPath, `${archive}/${name}`);
  const path = `${archive}/${name}.gz`;
  const packed = await openIfThere(path);
  if (packed === undefined) return false;
  return await write(
    packed.readable.pipeThrough(new DecompressionStream("gzip")),
    targetPath,
    path,
  );
}

async function openIfThere(path: string): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function write(
  content: ReadableStream<Uint8Array<ArrayBuffer>>,
  targetPath: string,
  path: string,
): Promise<true> {
  const target = await Deno.open(targetPath, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  let sizeBytes = 0;
  const bounded = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(part, controller) {
      sizeBytes += part.length;
      if (sizeBytes > FILE_SIZE_MAX) {
        throw new IntegrityError(`A file of WAL has at most ${FILE_SIZE_MAX} bytes`, { path });
      }
      controller.enqueue(part);
    },
  });
  await content.pipeThrough(bounded).pipeTo(target.writable);
  return true;
}

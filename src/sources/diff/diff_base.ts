/**
 * What a diff directory was made over: opened as its record says, and known again by its marks.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { type BoundSource, checkSource } from "#src/overlay/binding.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { DATA_DIRECTORY_NAME } from "#src/overlay/diff_place.ts";
import type { DiffReader } from "#src/overlay/diff_reader.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import { openPgproSource, type PgproRequest } from "../pgpro/pgpro_source.ts";
import { backupSource, readBackupKeys, RECORDED_KIND } from "../pgpro/record_keys.ts";
import type { Source } from "../source.ts";

/** Whether a diff was made over a backup of pg_probackup; those of older programs all were. */
export function isOverBackup({ binding: { source } }: DiffReader): boolean {
  return source === undefined || source.kind === RECORDED_KIND;
}

/**
 * The backup that a diff was made over, owned by whom its mounts show.
 *
 * @throws {StateError} when it is not there any more, or is another one
 */
export async function openBoundBackup(
  { path, binding }: DiffReader,
  { lockCatalog, mountPath }: Pick<PgproRequest, "lockCatalog" | "mountPath">,
): Promise<Source> {
  const former = readBackupKeys(binding, `${path}/${BINDING_FILE_NAME}`);
  const { pbk_store_path: store } = former;
  const source = await openPgproSource({
    store,
    isStoreRemembered: true,
    instance: undefined,
    backupId: undefined,
    force: false,
    bound: former,
    lockCatalog,
    owner: shownOwner(path),
    mountPath,
  });
  const { identity, instance } = source;
  const bound = { identity, instance, storePath: store, mountPath: mountPath ?? "/", former };
  return await checked(source, { binding }, () => Promise.resolve(backupSource(bound)));
}

/** Root's mounts show the owner of the root, others the user, who cannot give files away. */
function shownOwner(diffPath: string): Owner {
  const user = { uid: host.getEffectiveUid(), gid: host.getEffectiveGid() };
  if (user.uid !== 0) return user;
  const root = new host.HostStat();
  const path = `${diffPath}/${DATA_DIRECTORY_NAME}`;
  host.unwrap(host.lstat(path, root), "stat", path);
  return { uid: root.uid, gid: root.gid };
}

/**
 * A source, once it is known to be the one that a diff was made over.
 *
 * @throws {StateError} `bound-elsewhere` or `source-changed`; then it is closed
 */
export async function checked<Opened extends Source>(
  source: Opened,
  { binding }: Pick<DiffReader, "binding">,
  bound: () => Promise<BoundSource> = () => source.identify(),
): Promise<Opened> {
  try {
    checkSource(binding, await bound(), false);
    return source;
  } catch (error) {
    source[Symbol.dispose]();
    throw error;
  }
}

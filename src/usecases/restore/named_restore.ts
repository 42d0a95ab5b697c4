/**
 * Restores for programs that use the library.
 *
 * @module
 */

import { absolutePath } from "#src/io/absolute_path.ts";
import { openSource } from "#src/sources/registry.ts";
import type { Credentials } from "#src/sources/source.ts";
import { spawnThread } from "../threads.ts";
import {
  type RestoreProgress,
  type RestoreRequest,
  restoreSource,
  type RestoreSummary,
} from "./restore.ts";

/**
 * How a source is restored. Default: checked and durable, by a thread a processor, into a directory
 * that is empty or missing, with everything that the backup has, where it was.
 *
 * A backup whose WAL is not in it needs {@link RestoreRequest.archiveCommand}, or a command in
 * {@link RestoreRequest.recovery}.
 */
export interface RestoreOptions extends Partial<Omit<RestoreRequest, "targetPath">> {
  /** Where secrets come from that the source needs. Default: there are none. */
  readonly credentials?: Credentials | undefined;
  /** Hears of files, in the order of the source. */
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
}

/**
 * Restores a source by its name. Blocks this thread; others write, too. After a kill at any moment
 * the same call goes on. Needs FFI.
 *
 * @example
 * ```ts
 * import { restore } from "@pbkfs/pbkfs/restore";
 *
 * export async function restoreLast(catalog: string, directory: string): Promise<number> {
 *   const { writtenBytes } = await restore(`${catalog}#main/latest`, directory, {
 *     tablespaces: new Map([["/srv/space", "/mnt/fast/space"]]),
 *     recovery: { target: { type: "time", value: "2026-11-21 12:00:00+00" }, action: "promote" },
 *     archiveCommand: (store, instance) => `pbkfs wal get -B ${store} --instance ${instance} %f %p`,
 *   });
 *   return writtenBytes;
 * }
 * ```
 *
 * @param source such as `/backups#main/latest`, `a.pxar` or `pbs:/store#host/elsa/latest/root.pxar`
 * @param targetPath a directory: empty, missing, or with an unfinished restore of the same source
 * @throws what `openSource()` throws
 * @throws {UsageError} for options that do not fit the source
 * @throws {StateError} when the target is something else, or in use
 * @throws {OsError} when it cannot be written; the same call goes on then
 * @throws {FormatError | IntegrityError} when the source is damaged
 */
export async function restore(
  source: string,
  targetPath: string,
  { credentials, onProgress = () => {}, ...options }: RestoreOptions = {},
): Promise<RestoreSummary> {
  const request: RestoreRequest = {
    threadCount: navigator.hardwareConcurrency,
    isValidating: true,
    isDurable: true,
    isIncremental: false,
    force: false,
    tablespaces: new Map(),
    externalDirectories: new Map(),
    skipsExternalDirectories: false,
    archiveCommand: () => undefined,
    ...options,
    targetPath: absolutePath(targetPath),
  };
  const { threadCount, force } = request;
  using opened = await openSource(source, {
    credentials,
    threadCount,
    force,
    countsLinks: false,
    spawn: spawnThread,
  });
  return await restoreSource(opened, request, spawnThread, onProgress);
}

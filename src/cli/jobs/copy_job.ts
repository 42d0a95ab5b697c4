/**
 * Copies of sources, with progress and summary on the terminal.
 *
 * @module
 */

import { quoteName } from "#src/bytes/quoting.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import { formatRepository } from "#src/pbs/client/repository.ts";
import type { Source } from "#src/sources/source.ts";
import { copyIntoArchive, copyIntoStore } from "#src/usecases/copying/copy.ts";
import type { ArchiveTarget, SnapshotTarget } from "#src/usecases/copying/copy_target.ts";
import type { CommandContext } from "../command.ts";
import { withStore } from "../datastore/store.ts";
import { loadBackupKeys } from "../keys/crypt.ts";
import { defaultKeys, type KeyPlan, planBackupKeys } from "../keys/key_choice.ts";
import { snapshotCopy, type SourceCopyOptions } from "../options/copy_options.ts";
import type { Output } from "../output/output.ts";
import { Progress } from "../terminal/progress.ts";
import { reportBackup } from "./backup_job.ts";

/** Copies a source into a datastore. @throws what `copyIntoStore()` throws */
export async function runSnapshotCopy(
  source: Source,
  target: SnapshotTarget,
  options: SourceCopyOptions,
  context: CommandContext,
  output: Output,
): Promise<void> {
  const request = snapshotCopy(options, target);
  const keys = await loadBackupKeys(keyPlan(options, context), context, output);
  const { repository } = target;
  const place = { ...options, repository: formatRepository(repository) };
  await withStore(place, context, "write", async (store) => {
    const isVerbose = options.verbose === true;
    await reportBackup(
      isVerbose,
      context.terminal,
      output,
      (callbacks) => copyIntoStore(source, { store, repository, keys }, request, callbacks),
    );
  });
}

/** With mode `none` the key is for reading the source. @throws {UsageError} */
function keyPlan(options: SourceCopyOptions, context: CommandContext): KeyPlan {
  if (options.cryptMode === "none") return { mode: "none", key: undefined, masterKey: undefined };
  return planBackupKeys(options, defaultKeys(context));
}

/** Copies a source into an archive. @throws what `copyIntoArchive()` throws */
export function runArchiveCopy(
  source: Source,
  target: ArchiveTarget,
  options: SourceCopyOptions,
  { terminal }: CommandContext,
  output: Output,
): void {
  using progress = new Progress(terminal, "Copied");
  const { path } = target;
  const { build, hasLeftOutPrelude } = copyIntoArchive(source, {
    path,
    isReplacing: options.overwrite === true,
    exclude: options.exclude ?? [],
    onEntry: options.verbose !== true ? undefined : (entry) => {
      progress.clear();
      terminal.err(`${quoteName(entry)}\n`);
    },
    onProgress: (entryCount, bytes) => progress.set(entryCount, bytes),
  });
  progress.clear();
  if (hasLeftOutPrelude) {
    output.warning("The prelude is left out: archives of version 1 have no place for it");
  }
  const { sizes, entryCount, excludedCount, contentBytes } = build;
  output.value({
    type: "summary",
    source: source.summary.name,
    output: path,
    entries: entryCount,
    excluded: excludedCount,
    content_bytes: contentBytes,
    metadata_size: sizes?.metadataSize,
    payload_size: sizes?.payloadSize,
  }, () => `${path}: ${entryCount} entries, ${formatHumanBytes(contentBytes)}\n`);
}

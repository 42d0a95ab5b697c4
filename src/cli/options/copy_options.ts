/**
 * The options of commands that make an archive or a snapshot of a source.
 *
 * @module
 */

import type { Command } from "commander";
import type { ChangeDetectionMode } from "#src/backup/backup_options.ts";
import type { SnapshotCopy } from "#src/usecases/copying/copy.ts";
import type { SnapshotTarget } from "#src/usecases/copying/copy_target.ts";
import { addBackupKeyOptions, type BackupKeyOptions } from "../keys/key_choice.ts";
import { addFormatOptions, type FormatChoice } from "../output/output.ts";
import type { SourceOptions } from "../sources/source_options.ts";
import { collect } from "./archive_options.ts";
import {
  addChunkSizeOption,
  addTimeOptions,
  addWorkersOption,
  modeOption,
  type NewSnapshotFlags,
  snapshotRequest,
} from "./backup_options.ts";
import { addCacheOptions } from "./cache.ts";
import { addServerOptions } from "./server.ts";

/** Values of {@link addCopyOptions}. */
export interface SourceCopyOptions
  extends SourceOptions, BackupKeyOptions, NewSnapshotFlags, FormatChoice {
  readonly args: readonly string[];
  readonly changeDetectionMode?: ChangeDetectionMode;
  readonly serverStore?: string;
  readonly exclude?: readonly string[];
  readonly overwrite?: boolean;
  readonly verbose?: boolean;
}

/** How help calls the argument that is a target. */
export const TARGET_ARGUMENT =
  "NAME.pxar, NAME.mpxar, or a snapshot: [pbs:]STORE#[NAMESPACE/]TYPE/ID[/TIME][/ARCHIVE]";

/** Adds them. @param defaultTime what help calls the time of a snapshot where none is given */
export function addCopyOptions(command: Command, defaultTime: string): Command {
  command
    .option(
      "--exclude <pattern>",
      "leave out what matches; ! in front: do not; repeatable",
      collect,
    )
    .option("--overwrite", "replace an archive that is there already");
  addTimeOptions(command, defaultTime).addOption(modeOption());
  addWorkersOption(addChunkSizeOption(command)).option(
    "--server-store <name>",
    "name under which a server on this machine serves the same directory, to take its locks too",
  );
  addBackupKeyOptions(addCacheOptions(addServerOptions(command)))
    .option("-v, --verbose", "print each path");
  return addFormatOptions(command);
}

/** What the options ask for. @throws {UsageError} */
export function snapshotCopy(options: SourceCopyOptions, target: SnapshotTarget): SnapshotCopy {
  const { time, ...request } = snapshotRequest(options);
  return {
    ...request,
    target: { ...target, time: time ?? target.time },
    exclude: options.exclude ?? [],
    mode: options.changeDetectionMode,
  };
}

/**
 * What commands on an archive of a snapshot have in common.
 *
 * @module
 */

import type { Command } from "commander";
import type { CommandContext } from "../command.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";
import { KEY_PLACE_ENVIRONMENT } from "#src/usecases/keys/key_places.ts";
import { KEY_PASSWORD_ENVIRONMENT } from "#src/usecases/keys/secrets.ts";
import { addFormatOptions, type FormatChoice, OUTPUT_ENVIRONMENT } from "../output/output.ts";
import { STORE_ENVIRONMENT } from "./store.ts";
import { addSnapshotOptions, type SnapshotOptions, withSnapshot } from "./snapshot_access.ts";

/** Values of {@link addArchiveOptions}, and the arguments: snapshot, archive, more. */
export interface ArchiveOptions extends SnapshotOptions, FormatChoice {
  readonly args: readonly string[];
}

/** Environment variables of such commands, for their help. */
export const ARCHIVE_ENVIRONMENT: Readonly<Record<string, string>> = {
  ...STORE_ENVIRONMENT,
  ...KEY_PASSWORD_ENVIRONMENT,
  ...KEY_PLACE_ENVIRONMENT,
  ...OUTPUT_ENVIRONMENT,
};

/** Adds the arguments that name a snapshot and one of its archives. */
export function addArchiveArguments(command: Command, archives: string): Command {
  return command
    .argument("<snapshot>", "snapshot; of a group the last one")
    .argument("<archive-name>", archives);
}

/** Adds the options of such commands. */
export function addArchiveOptions(command: Command): Command {
  return addFormatOptions(addSnapshotOptions(command));
}

/** Opens the archive that the first two arguments name, and does something with it. */
export async function withArchive<Result>(
  options: ArchiveOptions,
  context: CommandContext,
  use: (archive: ArchiveInput) => Result | Promise<Result>,
): Promise<Result> {
  const [snapshotName, archive] = options.args;
  const { snapshotInput } = await import("#src/sources/pbs/snapshot_input.ts");
  return await withSnapshot(
    snapshotName!,
    options,
    context,
    (snapshot) => use(snapshotInput(snapshot, archive!)),
  );
}

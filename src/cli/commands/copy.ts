/**
 * `pbkfs copy`: any source into an archive or a datastore.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandContext, CommandModule } from "../command.ts";
import { addHelpNotes } from "../help.ts";
import {
  addCopyOptions,
  type SourceCopyOptions,
  TARGET_ARGUMENT,
} from "../options/copy_options.ts";
import { OUTPUT_ENVIRONMENT } from "../output/output.ts";
import { SOURCE_ARGUMENT, SOURCE_ENVIRONMENT } from "../sources/source_options.ts";
import { usesOfSources } from "../sources/source_uses.ts";

/** The command. */
export const copyCommand: CommandModule<SourceCopyOptions> = {
  uses: ["write", ...usesOfSources(0, 1)],

  describe() {
    const command = new Command("copy")
      .description("Copy any source into an archive or a datastore, without restoring it first")
      .argument("<source>", SOURCE_ARGUMENT)
      .argument("<target>", TARGET_ARGUMENT);
    return addHelpNotes(addCopyOptions(command, "that of the source, else now"), {
      examples: [
        {
          text: "The last backup of pg_probackup as a snapshot on a server",
          line: "pbkfs copy /backups#main/latest pbs://me@pbs@backup.example/main#host/db1",
        },
        {
          text: "The same into a datastore of this machine",
          line: "pbkfs copy /backups#main/latest /srv/store#host/db1/pgdata.pxar",
        },
        {
          text: "A snapshot as an archive in two files",
          line: "pbkfs copy /srv/store#host/db1/latest/root.pxar db1.mpxar",
        },
      ],
      environment: { ...SOURCE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
      exitStatus: { 1: "Failure: there is neither archive nor snapshot." },
    });
  },

  run: (options, context) => runCopy(options.args[0]!, options, context),
};

/**
 * Copies a source to the target that the second argument names.
 *
 * @throws what opening and copying throw
 */
export async function runCopy(
  name: string,
  options: SourceCopyOptions,
  context: CommandContext,
): Promise<number> {
  const { Output } = await import("../output/output.ts");
  const { parseCopyTarget } = await import("#src/usecases/copying/copy_target.ts");
  const { openCommandSource } = await import("../sources/open_source.ts");
  const { runArchiveCopy, runSnapshotCopy } = await import("../jobs/copy_job.ts");
  const output = new Output(options, context);
  const target = parseCopyTarget(options.args[1]!);
  using source = await openCommandSource(name, options, context);
  if (target.kind === "archive") runArchiveCopy(source, target, options, context, output);
  else await runSnapshotCopy(source, target, options, context, output);
  return 0;
}

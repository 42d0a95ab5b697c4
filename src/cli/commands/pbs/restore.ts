/**
 * `pbkfs pbs restore`: an archive, image or file of a snapshot.
 *
 * @module
 */

import { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import type { CommandContext, CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addArchiveArguments,
  addArchiveOptions,
  ARCHIVE_ENVIRONMENT,
  type ArchiveOptions,
} from "../../datastore/archive_command.ts";
import { Output } from "../../output/output.ts";
import { withSnapshot } from "../../datastore/snapshot_access.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import {
  addExtractOptions,
  type ExtractOptions,
  extractRequest,
} from "../../options/extract_options.ts";
import { ENCRYPTED_STORE_USES } from "../../datastore/store_uses.ts";

interface RestoreOptions extends ArchiveOptions, ExtractOptions {}

/** The command. */
export const restoreCommand: CommandModule<RestoreOptions> = {
  uses: [...ENCRYPTED_STORE_USES, "write"],

  describe() {
    const command = new Command("restore")
      .description("Restore an archive, image or file of a snapshot");
    addArchiveArguments(command, "root.pxar, disk.img, vm.conf, index.json, client.log, …")
      .argument(
        "<target>",
        "directory for an archive, a new file for the rest; - is standard output",
      );
    return addHelpNotes(addArchiveOptions(addExtractOptions(command)), {
      examples: [
        {
          text: "A whole archive of the last snapshot",
          line: "pbkfs pbs restore host/db1 root.pxar /srv/restored",
        },
        {
          text: "What matches",
          line: "pbkfs pbs restore host/db1 root.pxar /srv/restored --pattern '/etc/**/*.conf'",
        },
        { text: "A disk", line: "pbkfs pbs restore vm/100 drive-scsi0.img disk.raw" },
        {
          text: "A disk onto a disk of at least its size",
          line: "pbkfs pbs restore vm/100 drive-scsi0.img /dev/sdb --overwrite",
        },
        { text: "A file to standard output", line: "pbkfs pbs restore vm/100 vm.conf -" },
      ],
      environment: ARCHIVE_ENVIRONMENT,
      exitStatus: { 1: "Failure, or entries could not be restored completely; the others are." },
    });
  },

  async run(options, context) {
    const { isLockedKey } = await import("#src/usecases/datastore/file_restore.ts");
    const [snapshotName, name] = options.args;
    await withSnapshot(
      snapshotName!,
      { ...options, isKeyOptional: isLockedKey(name!) },
      context,
      (snapshot) => restore(snapshot, options, context),
    );
    return 0;
  },
};

async function restore(
  snapshot: SnapshotReader,
  options: RestoreOptions,
  context: CommandContext,
): Promise<void> {
  const output = new Output(options, context);
  const [, name, target] = options.args;
  const { isDirectoryArchive } = await import("#src/usecases/datastore/file_restore.ts");
  if (isDirectoryArchive(name!) && target !== STANDARD_STREAM) {
    const { extractToTarget } = await import("#src/usecases/archive/extraction.ts");
    const { reportExtraction } = await import("../../output/extract_output.ts");
    const { snapshotInput } = await import("#src/sources/pbs/snapshot_input.ts");
    const { treeOfArchive } = await import("#src/usecases/archive/trees.ts");
    const format = output.isJson ? "json" : "text";
    const request = extractRequest(treeOfArchive(snapshotInput(snapshot, name!)), options);
    reportExtraction(
      { format, isVerbose: options.verbose === true },
      context.terminal,
      (callbacks) => extractToTarget(request, target!, callbacks),
    );
    return;
  }
  if (options.pattern !== undefined || options.filesFrom !== undefined) {
    throw new UsageError("Cannot use patterns here: only archives have entries", {
      option: "--pattern",
    });
  }
  const { runFileRestore } = await import("../../jobs/restore_job.ts");
  runFileRestore(
    snapshot,
    {
      name: name!,
      target: target!,
      isReplacing: options.overwrite === true || options.overwriteFiles === true,
      isDryRun: options.dryRun === true,
    },
    context.terminal,
    output,
  );
}

/**
 * `pbkfs pbs backup`: directories, images and files into a snapshot.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addBackupOptions,
  type BackupCommandOptions,
  parseBackupRequest,
} from "../../options/backup_options.ts";
import { defaultKeys, planBackupKeys } from "../../keys/key_choice.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../output/output.ts";
import { repositoryOf } from "../../options/repository.ts";
import type { BackupCallbacks, FinishedBackup } from "#src/usecases/datastore/backup.ts";
import { BACKUP_NOTES, warnOfFuture } from "../../datastore/backup_command.ts";
import { namespaceOf, withStore } from "../../datastore/store.ts";
import { ENCRYPTED_STORE_USES } from "../../datastore/store_uses.ts";

interface BackupOptions extends BackupCommandOptions, FormatChoice {}

/** The command. */
export const backupCommand: CommandModule<BackupOptions> = {
  uses: ENCRYPTED_STORE_USES,

  describe() {
    const command = new Command("backup")
      .description("Back up directories, images and files as one snapshot")
      .argument(
        "<spec...>",
        "NAME.pxar:/directory, NAME.img:/file-or-device (- is standard input), NAME.conf:/file or NAME.log:/file",
      );
    return addHelpNotes(addFormatOptions(addBackupOptions(command)), {
      examples: [
        {
          text: "A directory",
          line: "pbkfs pbs backup home.pxar:/home --repository dir:/srv/store",
        },
        {
          text: "Only what has changed is read",
          line: "pbkfs pbs backup home.pxar:/home --change-detection-mode metadata",
        },
        {
          text: "A dump that never lies on a disk",
          line: "pg_dumpall | pbkfs pbs backup dump.img:- --backup-id db1",
        },
        {
          text: "A disk and its description, encrypted",
          line: "pbkfs pbs backup disk.img:/dev/sdb vm.conf:/etc/vm.conf --keyfile key.json " +
            "--backup-type vm --backup-id 100",
        },
      ],
      ...BACKUP_NOTES,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readHostName } = await import("../../options/host_name.ts");
    const request = parseBackupRequest(options, namespaceOf(options, context), readHostName);
    repositoryOf(options, context);
    const plan = planBackupKeys(options, defaultKeys(context));
    warnOfFuture(request, options, output);
    const { runBackup, runBackupPlan } = await import("#src/usecases/datastore/backup.ts");
    const { reportBackup } = await import("../../jobs/backup_job.ts");
    const report = (run: (callbacks: BackupCallbacks) => FinishedBackup) =>
      reportBackup(request.isVerbose, context.terminal, output, run);
    if (request.isDryRun) {
      await withStore(options, context, "read", async (store) => {
        await report((callbacks) => runBackupPlan(store, request, plan.mode, callbacks));
      });
      return 0;
    }
    const { loadBackupKeys } = await import("../../keys/crypt.ts");
    const keys = await loadBackupKeys(plan, context, output);
    await withStore(options, context, "write", async (store) => {
      await report((callbacks) => runBackup(store, request, keys, callbacks));
    });
    return 0;
  },
};

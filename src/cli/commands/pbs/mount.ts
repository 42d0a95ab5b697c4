/**
 * `pbkfs pbs mount`: an archive of a snapshot as a directory, in the background unless told
 * otherwise.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addArchiveArguments,
  addArchiveOptions,
  ARCHIVE_ENVIRONMENT,
  type ArchiveOptions,
} from "../../datastore/archive_command.ts";
import { Output } from "../../output/output.ts";
import { mountSnapshot } from "../../mounting/snapshot_mount_command.ts";
import {
  addDiffDirectoryOptions,
  addTreeMountOptions,
  TREE_MOUNT_ENVIRONMENT,
  type TreeMountOptions,
} from "../../options/tree_mount_options.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

interface SnapshotMountOptions extends ArchiveOptions, TreeMountOptions {}

/** The command. */
export const snapshotMountCommand: CommandModule<SnapshotMountOptions> = {
  uses: [...STORE_USES, "run"],

  describe() {
    const command = new Command("mount")
      .description(
        "Mount an archive of a snapshot, read-only unless there is a --diff-dir; returns when the " +
          "mount answers",
      );
    addArchiveArguments(command, "archive: root.pxar; or an image: disk.img")
      .argument("<target>", "an existing, empty directory");
    return addHelpNotes(addTreeMountOptions(addDiffDirectoryOptions(addArchiveOptions(command))), {
      examples: [
        { text: "Mount an archive", line: "pbkfs pbs mount host/db1 root.pxar /mnt" },
        {
          text: "Mount an archive writable; the snapshot stays as it is",
          line: "pbkfs pbs mount host/db1 root.pxar /mnt --diff-dir /var/tmp/diff",
        },
        { text: "Unmount", line: "pbkfs unmount -D /mnt" },
      ],
      environment: { ...ARCHIVE_ENVIRONMENT, ...TREE_MOUNT_ENVIRONMENT },
      exitStatus: { 0: "The mount answers; with --console: it has ended." },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [snapshot, archive, target] = options.args;
    const outcome = await mountSnapshot(
      { snapshot: snapshot!, archive: archive!, target: target! },
      options,
      context,
    );
    if (outcome.state === "ended") return outcome.code;
    output.summary({ state: "mounted", pid: outcome.pid, mnt_path: outcome.mountPath });
    return 0;
  },
};

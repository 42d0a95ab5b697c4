/**
 * `pbkfs pbs`: backups in Proxmox datastores.
 *
 * @module
 */

import { Command } from "commander";
import type { ProgramGroup } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { normalizeGroupArguments } from "../../options/datastore_arguments.ts";
import { assembleCommand } from "./assemble.ts";
import { backupCommand } from "./backup.ts";
import { benchmarkCommand } from "./benchmark.ts";
import { catalogGroup } from "./catalog.ts";
import { changeOwnerCommand } from "./change_owner.ts";
import { datastoreGroup } from "./datastore.ts";
import { snapshotVerbs } from "./entries.ts";
import { filesCommand } from "./snapshot/files.ts";
import { forgetCommand } from "./snapshot/forget.ts";
import { gcCommand } from "./gc.ts";
import { groupGroup } from "./group.ts";
import { keyGroup } from "./key/commands.ts";
import { listGroupsCommand } from "./list.ts";
import { loginCommand, logoutCommand } from "./login.ts";
import { mapCommand, unmapCommand } from "./map.ts";
import { snapshotMountCommand } from "./mount.ts";
import { namespaceGroup } from "./namespace.ts";
import { notesCommand } from "./snapshot/notes.ts";
import { protectCommand } from "./snapshot/protect.ts";
import { pullCommand } from "./pull.ts";
import { pruneCommand } from "./prune.ts";
import { restoreCommand } from "./restore.ts";
import { serveCommand } from "./serve/serve.ts";
import { snapshotGroup } from "./snapshot/commands.ts";
import { snapshotsCommand } from "./snapshot/list.ts";
import { statusCommand } from "./status.ts";
import { syncCommand } from "./sync.ts";
import { taskGroup } from "./task.ts";
import { serverVersionCommand } from "./version.ts";
import { verifyStoreCommand } from "./verify.ts";

const GROUP_NAME = "pbs";

/** The group; also what the executable is when it is called `pbs`. */
export const pbsGroup: ProgramGroup = {
  name: GROUP_NAME,

  commands: [
    backupCommand,
    pullCommand,
    restoreCommand,
    assembleCommand,
    listGroupsCommand,
    snapshotsCommand("snapshots", "pbs snapshots"),
    filesCommand("pbs files"),
    ...snapshotVerbs,
    snapshotMountCommand,
    mapCommand,
    unmapCommand,
    notesCommand,
    protectCommand,
    forgetCommand("pbs forget"),
    changeOwnerCommand,
    pruneCommand,
    gcCommand,
    verifyStoreCommand,
    syncCommand,
    statusCommand,
    loginCommand,
    logoutCommand,
    serverVersionCommand,
    benchmarkCommand,
    serveCommand,
  ],

  groups: [
    catalogGroup,
    snapshotGroup,
    groupGroup,
    namespaceGroup,
    datastoreGroup,
    keyGroup,
    taskGroup,
  ],

  describe() {
    const command = new Command(GROUP_NAME)
      .description("Back up to Proxmox datastores, restore from them, and look after them");
    return addHelpNotes(command, {
      examples: [
        { text: "Make a datastore", line: "pbkfs pbs datastore create /srv/store" },
        {
          text: "Back up a directory",
          line: "pbkfs pbs backup root.pxar:/home --repository dir:/srv/store",
        },
        { text: "What is there", line: "pbkfs pbs snapshots --repository dir:/srv/store" },
      ],
      environment: { PBS_REPOSITORY: "datastore where --repository is not given: dir:/path" },
    });
  },

  normalize: normalizeGroupArguments,
};

/**
 * `pbkfs pbs assemble`: a new snapshot of parts of others.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import { type BackupType, parseGroup, qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import { type CommandModule, required } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addArchiveOptions,
  ARCHIVE_ENVIRONMENT,
  type ArchiveOptions,
} from "../../datastore/archive_command.ts";
import { namespaceOf, parseTarget, snapshotOf, withStore } from "../../datastore/store.ts";
import { ENCRYPTED_STORE_USES } from "../../datastore/store_uses.ts";
import { Output } from "../../output/output.ts";

interface AssembleOptions extends ArchiveOptions {
  readonly backupType: BackupType;
  readonly backupId?: string;
}

/** SNAPSHOT/ARCHIVE[:PATH]. Times have colons too. */
const PART = /^((?:host|vm|ct)\/[^/]+(?:\/\d{4}-[^/]+)?)\/([^/:]+)(?::(\/.*))?$/u;

/** The command. */
export const assembleCommand: CommandModule<AssembleOptions> = {
  uses: ENCRYPTED_STORE_USES,

  describe() {
    const command = new Command("assemble")
      .description("Make a snapshot of parts of others; what they store is used again")
      .argument("<part...>", "SNAPSHOT/ARCHIVE[:PATH]; of a group the last snapshot")
      .addOption(
        new Option("--backup-type <type>", "type of the new snapshot")
          .choices(["host", "vm", "ct"]).default("host"),
      )
      .option("--backup-id <id>", "group of the new snapshot; needed");
    return addHelpNotes(addArchiveOptions(command), {
      examples: [
        {
          text: "Two directories of two machines",
          line: "pbkfs pbs assemble host/a/root.pxar:/etc host/b/home.pxar --backup-id both",
        },
        {
          text: "An old snapshot as the last one of another group",
          line: "pbkfs pbs assemble vm/100/2024-01-10T10:00:00Z/disk.img --backup-id 200 " +
            "--backup-type vm",
        },
      ],
      environment: ARCHIVE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const ns = namespaceOf(options, context);
    const id = required(options.backupId, "--backup-id", "Give the id of the new snapshot's group");
    const group = parseGroup(`${options.backupType}/${id}`, ns);
    const wanted = options.args.map((text) => {
      const [, target, archive, from] = PART.exec(text) ?? [];
      if (target !== undefined) return { target: parseTarget(target, ns), archive: archive!, from };
      throw new UsageError(`Cannot use "${text}" as a part: expected SNAPSHOT/ARCHIVE[:PATH]`, {
        option: "part",
      });
    });
    const { assembleParts } = await import("#src/usecases/datastore/assembly.ts");
    const { readCryptConfig } = await import("../../keys/crypt.ts");
    const made = await withStore(options, context, "write", async (store) => {
      const parts = wanted.map(({ target, archive, from }) => {
        const snapshot = snapshotOf(store, target);
        return { snapshot, archive, ...(from === undefined ? {} : { from }) };
      });
      const isKeyed = parts.some(({ snapshot }) =>
        store.snapshotInfo(snapshot).keyFingerprint !== undefined
      );
      const crypt = isKeyed ? await readCryptConfig(options, context) : undefined;
      return assembleParts(store, group, parts, crypt);
    });
    const snapshot = qualifiedName(made.id);
    const { reusedShare, archives: assembled } = made.report;
    const archives = assembled.map(({ name, size, reusedBytes }) => {
      return { name, size, reused_bytes: reusedBytes };
    });
    output.value(
      { type: "summary", snapshot, reused_share: reusedShare, archives },
      () => `Snapshot: ${snapshot}, ${(100 * reusedShare).toFixed(1)}% reused\n`,
    );
    return 0;
  },
};

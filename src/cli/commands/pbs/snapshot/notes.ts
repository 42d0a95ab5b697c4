/**
 * `pbkfs pbs notes`, also `pbkfs pbs snapshot notes show|update`: what is noted at snapshots and
 * groups.
 *
 * @module
 */

import type { SnapshotStore } from "#src/pbs/ports.ts";
import { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import type { CommandGroup, CommandModule } from "../../../command.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import { addHelpNotes } from "../../../help.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../../output/output.ts";
import {
  addStoreOptions,
  namespaceOf,
  parseTarget,
  STORE_ENVIRONMENT,
  type StoreOptions,
  type Target,
  withStore,
} from "../../../datastore/store.ts";
import { STORE_USES } from "../../../datastore/store_uses.ts";

interface NotesOptions extends StoreOptions, FormatChoice {
  readonly args: readonly string[];
}

const TARGET_TEXT = "snapshot or group";

/** Shows notes, or changes them where a text is given. */
export const notesCommand: CommandModule<NotesOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("notes")
      .description("Show or change the notes of a snapshot or group")
      .argument("<target>", TARGET_TEXT)
      .argument("[text]", "new notes; - reads them from standard input");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [
        { text: "Show notes", line: "pbkfs pbs notes host/db1/2024-01-10T10:00:00Z" },
        { text: "Change them", line: 'pbkfs pbs notes host/db1 "the old database"' },
        { text: "Longer ones", line: "pbkfs pbs notes host/db1 - < notes.txt" },
      ],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    if (options.args.length === 1) return await showCommand.run(options, context);
    return await updateCommand.run(options, context);
  },
};

const showCommand: CommandModule<NotesOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("show")
      .description("Show notes")
      .argument("<target>", TARGET_TEXT);
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [{
        text: "Show notes",
        line: "pbkfs pbs snapshot notes show host/db1/2024-01-10T10:00:00Z",
      }],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const target = parseTarget(options.args[0]!, namespaceOf(options, context));
    const notes = await withStore(options, context, "read", (store) => notesOf(store, target));
    const shown = context.terminal.isTerminal ? notes && harmless(notes) : notes;
    output.value(notes ?? "", () => shown === undefined ? "" : `${shown.replace(/\n$/u, "")}\n`);
    return 0;
  },
};

const updateCommand: CommandModule<NotesOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("update")
      .description("Change notes")
      .argument("<target>", TARGET_TEXT)
      .argument("<text>", "new notes; - reads them from standard input");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [{
        text: "Change notes",
        line: 'pbkfs pbs snapshot notes update host/db1/2024-01-10T10:00:00Z "before the upgrade"',
      }],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [name = "", text = ""] = options.args;
    const target = parseTarget(name, namespaceOf(options, context));
    const notes = text === "-" ? await notesOfInput() : text;
    await withStore(options, context, "write", (store) => {
      if (target.kind === "group") store.setGroupNotes(target.group, notes);
      else store.setNotes(target.snapshot, notes);
    });
    output.summary({ target: name });
    return 0;
  },
};

/** `notes` among the commands for snapshots. */
export const notesGroup: CommandGroup = {
  name: "notes",

  commands: [showCommand, updateCommand],

  describe() {
    return addHelpNotes(new Command("notes").description("Show and change notes"), {
      examples: [{
        text: "Show notes",
        line: "pbkfs pbs snapshot notes show host/db1/2024-01-10T10:00:00Z",
      }],
    });
  },
};

/** Notes of others must not control the terminal. */
function harmless(notes: string): string {
  return notes.replace(/[^\P{Cc}\n\t]/gu, showMessage);
}

/** Text from standard input. @throws {UsageError} when it is none */
async function notesOfInput(): Promise<string> {
  const bytes = await new Response(Deno.stdin.readable).bytes();
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError("Cannot use standard input as notes: it is not UTF-8", { cause });
  }
}

function notesOf(store: SnapshotStore, target: Target): string | undefined {
  const info = target.kind === "group"
    ? store.groupInfo(target.group)
    : store.snapshotInfo(target.snapshot);
  if (info.error !== undefined) throw info.error;
  return info.notes;
}

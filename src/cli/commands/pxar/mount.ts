/**
 * `pbkfs pxar mount`: an archive as a directory, in the background unless told otherwise.
 *
 * @module
 */

import { absolutePath } from "#src/io/absolute_path.ts";
import { Command } from "commander";
import {
  type CommandContext,
  type CommandModule,
  formatOption,
  type FormatOptions,
} from "../../command.ts";
import { formatWarning } from "../../exit_code.ts";
import { addHelpNotes } from "../../help.ts";
import { existingPayloadPath, isSplitName } from "#src/sources/pxar/archive_files.ts";
import { isArchiveIndex } from "#src/usecases/archive/named_archive.ts";
import type { RecognisedName } from "#src/sources/recognise.ts";
import { reportMount, runMountPlan } from "../../mounting/mount_run.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";
import {
  addDiffDirectoryOptions,
  addTreeMountOptions,
  parseTreeMount,
  TREE_MOUNT_ENVIRONMENT,
  type TreeMountOptions,
} from "../../options/tree_mount_options.ts";

interface ArchiveMountOptions extends FormatOptions, PayloadOptions, TreeMountOptions {
  readonly args: readonly string[];
}

/** The command. */
export const pxarMountCommand: CommandModule<ArchiveMountOptions> = {
  uses: ["read", "ffi", "run", "env"],

  describe() {
    const command = new Command("mount")
      .description(
        "Mount an archive, read-only unless there is a --diff-dir; returns when the mount answers",
      )
      .argument("<archive>", "archive")
      .argument("<mountpoint>", "an existing, empty directory");
    addTreeMountOptions(addDiffDirectoryOptions(addPayloadOption(command))).addOption(
      formatOption(),
    );
    return addHelpNotes(command, {
      examples: [
        { text: "Mount an archive", line: "pbkfs pxar mount home.pxar /mnt" },
        {
          text: "Mount a split archive whose parts lie apart",
          line: "pbkfs pxar mount home.mpxar /mnt --payload /other/home.ppxar",
        },
        {
          text: "Mount an archive writable; it stays as it is",
          line: "pbkfs pxar mount home.pxar /mnt --diff-dir /var/tmp/diff",
        },
        { text: "Unmount", line: "pbkfs unmount -D /mnt" },
      ],
      environment: TREE_MOUNT_ENVIRONMENT,
      exitStatus: { 0: "The mount answers; with --console: it has ended." },
    });
  },

  async run(options, context) {
    const [archive, mountPoint] = options.args;
    const path = absolutePath(archive!);
    const request = parseTreeMount(mountPoint!, options, context);
    const name = isArchiveIndex(archive!) ? await indexName(path) : fileName(path, options);
    if (name.kind === "pxar" && options.handshake !== true) {
      warnOfMissingPayload(path, name.item, options, context);
    }
    const { planNamedMount } = await import("../../mounting/named_mount.ts");
    const plan = await planNamedMount(name, request, options, context);
    return reportMount(await runMountPlan(plan, options, context), options, context);
  },
};

/** An archive in files. */
function fileName(path: string, options: PayloadOptions): RecognisedName {
  const payload = payloadOf(options);
  const item = payload === undefined ? undefined : absolutePath(payload);
  return { kind: "pxar", place: path, item };
}

/** An archive of a snapshot, named by the file of its index. */
async function indexName(path: string): Promise<RecognisedName> {
  const { recognise } = await import("#src/sources/recognise.ts");
  return recognise({ place: path, item: undefined });
}

/** Metadata can be looked at alone: that is no error. */
function warnOfMissingPayload(
  path: string,
  payload: string | undefined,
  { format }: ArchiveMountOptions,
  { terminal }: CommandContext,
): void {
  if (!isSplitName(path) || existingPayloadPath(path, payload) !== undefined) return;
  const message = `No payload stream found by name: contents of files will be unreadable ` +
    `without --payload`;
  terminal.err(formatWarning(message, format));
}

/**
 * `pbkfs pxar mount`: an archive as a read-only directory, in the background unless told otherwise.
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
import { addHelpNotes } from "../../help.ts";
import { existingPayloadPath, isSplitName } from "../../pxar/archive_files.ts";
import type { ArchiveMountRequest } from "../../pxar/mount_job.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../pxar/options.ts";
import {
  addTreeMountOptions,
  launchTreeMount,
  parseTreeMount,
  servesItself,
  TREE_MOUNT_ENVIRONMENT,
  type TreeMountOptions,
} from "../../tree_mount_options.ts";

interface ArchiveMountOptions extends FormatOptions, PayloadOptions, TreeMountOptions {
  readonly args: readonly string[];
}

/** The command. */
export const pxarMountCommand: CommandModule<ArchiveMountOptions> = {
  describe() {
    const command = new Command("mount")
      .description("Mount an archive read-only; returns when the mount answers")
      .argument("<archive>", "archive")
      .argument("<mountpoint>", "an existing, empty directory");
    addTreeMountOptions(addPayloadOption(command)).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Mount an archive", line: "pbkfs pxar mount home.pxar /mnt" },
        {
          text: "Mount a split archive whose parts lie apart",
          line: "pbkfs pxar mount home.mpxar /mnt --payload /other/home.ppxar",
        },
        { text: "Unmount", line: "pbkfs unmount -D /mnt" },
      ],
      environment: TREE_MOUNT_ENVIRONMENT,
      exitStatus: { 0: "The mount answers; with --console: it has ended." },
    });
  },

  async run(options, context) {
    const request = parseRequest(options, context);
    if (options.handshake !== true) warnOfMissingPayload(request, options, context);
    if (servesItself(options)) {
      const { runArchiveMount } = await import("../../pxar/mount_job.ts");
      return await runArchiveMount(request, options.handshake === true);
    }
    const pid = await launchTreeMount(request, context);
    if (options.format === "json") {
      const summary = { type: "summary", state: "mounted", pid, mnt_path: request.mountPath };
      context.terminal.out(JSON.stringify(summary) + "\n");
    }
    return 0;
  },
};

/** Metadata can be looked at alone: that is no error. */
function warnOfMissingPayload(
  { archivePath, payloadPath }: ArchiveMountRequest,
  { format }: ArchiveMountOptions,
  { terminal }: CommandContext,
): void {
  if (!isSplitName(archivePath) || existingPayloadPath(archivePath, payloadPath) !== undefined) {
    return;
  }
  const message = `No payload stream found by name: contents of files will be unreadable ` +
    `without --payload`;
  terminal.err(
    format === "json"
      ? JSON.stringify({ type: "warning", message }) + "\n"
      : `warning: ${message}\n`,
  );
}

function parseRequest(options: ArchiveMountOptions, context: CommandContext): ArchiveMountRequest {
  const [archive, mountPoint] = options.args;
  const payload = payloadOf(options);
  return {
    ...parseTreeMount(mountPoint!, options, context),
    archivePath: absolutePath(archive!),
    payloadPath: payload === undefined ? undefined : absolutePath(payload),
  };
}

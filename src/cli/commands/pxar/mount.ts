/**
 * `pbkfs pxar mount`: an archive as a directory, in the background unless told otherwise.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
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
import type { MountRequest } from "#src/usecases/mounting/mount_request.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";
import {
  addDiffDirectoryOptions,
  addTreeMountOptions,
  launchTreeMount,
  parseTreeMount,
  servesItself,
  TREE_MOUNT_ENVIRONMENT,
  type TreeMountOptions,
} from "../../options/tree_mount_options.ts";

interface ArchiveMountRequest extends MountRequest {
  readonly archivePath: string;
  /** Undefined: found by name. */
  readonly payloadPath: string | undefined;
}

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
    if (isArchiveIndex(options.args[0]!)) return await mountIndexed(options, context);
    const request = parseRequest(options, context);
    if (options.handshake !== true) warnOfMissingPayload(request, options, context);
    if (servesItself(options)) {
      const { archiveToMount } = await import("#src/usecases/mounting/archive_to_mount.ts");
      const { runMount } = await import("#src/usecases/mounting/process/mount_process.ts");
      const { serveMount } = await import("../../mounting/serving.ts");
      const { withOwner } = await import("../../options/owner.ts");
      return await serveMount(
        options.handshake === true,
        (report) =>
          runMount(
            withOwner(request, options.owner),
            archiveToMount(request.archivePath, request.payloadPath),
            report,
          ),
      );
    }
    return await launch(request, options, context);
  },
};

/** Starts the process that serves. @returns the exit code */
async function launch(
  request: MountRequest,
  { format }: ArchiveMountOptions,
  context: CommandContext,
): Promise<number> {
  const pid = await launchTreeMount(request, context);
  if (format === "json") {
    const summary = { type: "summary", state: "mounted", pid, mnt_path: request.mountPath };
    context.terminal.out(JSON.stringify(summary) + "\n");
  }
  return 0;
}

/** An archive of a snapshot, named by the file of its index. */
async function mountIndexed(
  options: ArchiveMountOptions,
  context: CommandContext,
): Promise<number> {
  const [path, mountPoint] = options.args;
  const { locateIndex } = await import("#src/sources/pbs/snapshot_place.ts");
  const { storePath, snapshot, file } = locateIndex(absolutePath(path!));
  if (snapshot === undefined) {
    throw new UsageError(`Cannot mount "${path}": it is in no snapshot of a datastore`);
  }
  const tree = parseTreeMount(mountPoint!, options, context);
  if (!servesItself(options)) return await launch(tree, options, context);
  const { snapshotToMount } = await import("#src/usecases/mounting/snapshot_to_mount.ts");
  const { runMount } = await import("#src/usecases/mounting/process/mount_process.ts");
  const { serveMount } = await import("../../mounting/serving.ts");
  const { withOwner } = await import("../../options/owner.ts");
  const store = { kind: "directory", path: storePath } as const;
  const source = { store, snapshot, archive: file, key: undefined };
  return await serveMount(
    options.handshake === true,
    (report) => runMount(withOwner(tree, options.owner), snapshotToMount(source), report),
  );
}

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
  terminal.err(formatWarning(message, format));
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

/**
 * `pbkfs pbs map` and `pbkfs pbs unmap`: images of snapshots as files and block devices.
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
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import { mountSnapshot } from "../../mounting/snapshot_mount_command.ts";
import {
  addTreeMountOptions,
  TREE_MOUNT_ENVIRONMENT,
  type TreeMountOptions,
} from "../../options/tree_mount_options.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

interface MapOptions extends ArchiveOptions, TreeMountOptions {
  /** False with `--no-loop`. */
  readonly loop: boolean;
}

/** `map`: an image as a file in a mount, and as a block device where that can be. */
export const mapCommand: CommandModule<MapOptions> = {
  uses: [...STORE_USES, "run", "write"],

  describe() {
    const command = new Command("map")
      .description("Show an image of a snapshot as a file, and as a block device where possible");
    addArchiveArguments(command, "image: disk.img")
      .argument("[target]", "an existing, empty directory for the file; default is a new one")
      .option("--no-loop", "make no block device");
    return addHelpNotes(addTreeMountOptions(addArchiveOptions(command)), {
      examples: [
        { text: "An image as block device", line: "pbkfs pbs map vm/100 drive-scsi0.img" },
        { text: "What is mapped", line: "pbkfs pbs unmap" },
        { text: "Take it away", line: "pbkfs pbs unmap /dev/loop0" },
      ],
      environment: {
        ...ARCHIVE_ENVIRONMENT,
        ...TREE_MOUNT_ENVIRONMENT,
        XDG_RUNTIME_DIR: "where users other than root have new directories made",
      },
      exitStatus: { 0: "The file is there; with --console: it is gone again." },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [snapshot, image, given] = options.args;
    const { createMapDirectory, removeMapDirectory, requireImageName, tryAttach } = await import(
      "#src/usecases/datastore/image_map.ts"
    );
    const name = requireImageName(image!);
    const target = given ?? createMapDirectory(context.environment("XDG_RUNTIME_DIR"));
    try {
      // The serving process must know the directory that was made.
      const full = given === undefined ? { ...context, args: [...context.args, target] } : context;
      const outcome = await mountSnapshot(
        { snapshot: snapshot!, archive: image!, target },
        options,
        full,
      );
      if (outcome.state === "ended") {
        if (given === undefined && options.handshake !== true) removeMapDirectory(target);
        return outcome.code;
      }
      const file = `${outcome.mountPath}/${name}`;
      const { device, reason } = options.loop
        ? tryAttach(file)
        : { device: undefined, reason: undefined };
      if (reason !== undefined) output.warning(`no block device: ${reason}`);
      output.value(
        { type: "summary", state: "mapped", pid: outcome.pid, file, device },
        () => `${device ?? file}\n`,
      );
      return 0;
    } catch (error) {
      if (given === undefined && options.handshake !== true) removeMapDirectory(target);
      throw error;
    }
  },
};

interface UnmapOptions extends FormatChoice {
  readonly args: readonly string[];
  readonly force?: boolean;
}

/** `unmap`: takes an image away, or lists them. */
export const unmapCommand: CommandModule<UnmapOptions> = {
  uses: ["read", "write", "ffi", "run", "env"],

  describe() {
    const command = new Command("unmap")
      .description("Take a mapped image away, or list what is mapped")
      .argument("[name]", "block device, directory, or name of the image; default: list")
      .option("--force", "kill the process that serves it: who still uses the image gets errors");
    return addHelpNotes(addFormatOptions(command), {
      examples: [
        { text: "What is mapped", line: "pbkfs pbs unmap" },
        { text: "Take it away", line: "pbkfs pbs unmap /dev/loop0" },
      ],
      environment: OUTPUT_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [name] = options.args;
    if (name === undefined) {
      await listMapped(output);
    } else {
      const { unmapImage } = await import("#src/usecases/datastore/image_map.ts");
      await unmapImage(name, options.force === true);
      output.summary({ state: "unmapped", name });
    }
    return 0;
  },
};

async function listMapped(output: Output): Promise<void> {
  const { mappedImages } = await import("#src/usecases/datastore/image_map.ts");
  const records = mappedImages().map(({ image, file, device }) => ({ image, file, device }));
  output.records(records, {
    columns: [{ title: "image" }, { title: "device" }, { title: "file" }],
    row: ({ image, file, device }) => [image, device ?? "", file],
  });
}

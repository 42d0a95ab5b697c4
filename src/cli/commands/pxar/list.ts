/**
 * `pbkfs pxar ls` and `pbkfs pxar list`: what is in an archive.
 *
 * @module
 */

import { Command } from "commander";
import {
  type CommandContext,
  type CommandModule,
  formatOption,
  type FormatOptions,
} from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";
import type { EntryForm } from "../../output/entry_output.ts";

interface ListOptions extends FormatOptions, PayloadOptions {
  readonly args: readonly string[];
  readonly long?: boolean;
  readonly recursive?: boolean;
}

/** `ls`: the names in the root directory or in the directories asked for. */
export const lsCommand: CommandModule<ListOptions> = {
  describe() {
    const command = describeListing("ls", "List names in an archive")
      .option("-R, --recursive", "everything below, as paths");
    return addHelpNotes(command, {
      examples: [
        { text: "The root directory", line: "pbkfs pxar ls home.pxar" },
        { text: "One directory in the long form", line: "pbkfs pxar ls -l home.pxar /alice/mail" },
        { text: "An archive from a pipe", line: "zstdcat home.pxar.zst | pbkfs pxar ls -R -" },
        {
          text: "An archive in chunks, by its index",
          line: "pbkfs pxar ls /srv/store/host/a/2024-01-10T10:00:00Z/root.pxar.didx",
        },
        {
          text: "Files above 1 GB",
          line:
            "pbkfs pxar ls -R --format json home.pxar | jq -r '.[] | select(.size > 1e9) | .path'",
        },
      ],
      exitStatus: { 1: "Failure: no such path, or a damaged archive." },
    });
  },

  run(options, context) {
    return list(options, context, options.long === true ? "long" : "names");
  },
};

/** `list`: every path in quotation marks. */
export const listCommand: CommandModule<ListOptions> = {
  describe() {
    return addHelpNotes(describeListing("list", "List all paths of an archive, quoted"), {
      examples: [
        { text: "Every path", line: "pbkfs pxar list home.pxar" },
        { text: "Every entry in the long form", line: "pbkfs pxar list -l home.pxar" },
      ],
      environment: { PXAR_LOG: "debug: the long form, as with -l" },
      exitStatus: { 1: "Failure: no such path, or a damaged archive." },
    });
  },

  run(options, context) {
    const isLong = options.long === true || context.environment("PXAR_LOG") === "debug";
    return list({ ...options, recursive: true }, context, isLong ? "long" : "quoted");
  },
};

function describeListing(name: string, description: string): Command {
  const command = new Command(name)
    .description(description)
    .argument("<archive>", "archive; - is standard input")
    .argument("[path...]", "what to list; default is the root directory");
  return addPayloadOption(command)
    .option("-l, --long", "mode, owner, time and size too")
    .addOption(formatOption());
}

async function list(
  options: ListOptions,
  { terminal }: CommandContext,
  textForm: EntryForm,
): Promise<number> {
  const [archive, ...paths] = options.args;
  const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
  const { listArchive } = await import("#src/usecases/archive/listing.ts");
  const { EntryOutput } = await import("../../output/entry_output.ts");
  using output = new EntryOutput(terminal, options.format === "json" ? "json" : textForm);
  listArchive({
    archive: await archiveInput(archive!, payloadOf(options)),
    paths,
    isRecursive: options.recursive === true,
  }, output);
  return 0;
}

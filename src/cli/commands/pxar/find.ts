/**
 * `pbkfs pxar find`: entries by name, type, size and time.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../pxar/options.ts";

interface FindOptions extends FormatOptions, PayloadOptions {
  readonly args: readonly string[];
  readonly name?: string;
  readonly type?: string;
  readonly size?: string;
  readonly mtime?: string;
  readonly newer?: string;
  readonly older?: string;
  readonly long?: boolean;
}

/** The command. */
export const findCommand: CommandModule<FindOptions> = {
  describe() {
    const command = new Command("find")
      .description("Find entries of an archive by name, type, size and time")
      .argument("<archive>", "archive")
      .argument("[path]", "where to look; default is the root directory");
    addPayloadOption(command)
      .option("-n, --name <glob>", "*.conf at every depth, /etc/** from the root on")
      .option("-t, --type <letters>", "f, d, l, b, c, p, s; several together")
      .option("-s, --size <size>", "+1M more than, -1k less than, 13 exactly")
      .option("--mtime <days>", "+7 changed more than 7 days ago, -7 less")
      .option("--newer <time>", "changed at this time or after it")
      .option("--older <time>", "changed before this time")
      .option("-l, --long", "mode, owner, time and size too")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Pictures above 10 MiB", line: "pbkfs pxar find home.pxar -n '*.jpg' -s +10M" },
        { text: "What changed in 2025", line: "pbkfs pxar find home.pxar -t f --newer 2025-01-01" },
      ],
    });
  },

  async run(options, { terminal }) {
    const [archive, path = "/"] = options.args;
    const filter = await makeFilter(options);
    const { openArchiveReader, printableEntry } = await import("../../pxar/readers.ts");
    const { EntryOutput } = await import("../../pxar/entry_output.ts");
    const { walkEntries } = await import("#src/transfer/walk.ts");
    using archiveReader = openArchiveReader(archive!, payloadOf(options));
    const form = options.format === "json" ? "json" : options.long === true ? "long" : "names";
    using output = new EntryOutput(terminal, form);
    const walk = walkEntries(archiveReader.reader, {
      from: path,
      ...(options.name === undefined ? {} : { glob: options.name }),
      filter,
    });
    for (const step of walk) output.print(step.path, step.path, printableEntry(step.entry));
    return 0;
  },
};

async function makeFilter(options: FindOptions) {
  const { parseAge, parseNewer, parseOlder, parseSize, parseTypes } = await import(
    "../../pxar/find_filters.ts"
  );
  const filters = [
    options.type === undefined ? undefined : parseTypes(options.type),
    options.size === undefined ? undefined : parseSize(options.size),
    options.mtime === undefined ? undefined : parseAge(options.mtime, Date.now()),
    options.newer === undefined ? undefined : parseNewer(options.newer),
    options.older === undefined ? undefined : parseOlder(options.older),
  ].filter((filter) => filter !== undefined);
  type Entry = Parameters<typeof filters[number]>[0];
  return (_path: string, entry: Entry) => filters.every((filter) => filter(entry));
}

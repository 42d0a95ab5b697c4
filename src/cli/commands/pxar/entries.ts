/**
 * The verbs that look into archives in files: `pbkfs pxar ls`, `cat`, `find`, …
 *
 * @module
 */

import { type Command, Option } from "commander";
import { formatOption, type FormatOptions } from "../../command.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";
import { Output } from "../../output/output.ts";
import { catCommand } from "../entries/cat.ts";
import { diffCommand } from "../entries/diff.ts";
import { extractCommand } from "../entries/extract.ts";
import { findCommand } from "../entries/find.ts";
import { listCommand, lsCommand } from "../entries/list.ts";
import type { EntryOptions, PairOperands, TreeOperands } from "../entries/operands.ts";
import { entryStatCommand } from "../entries/stat.ts";

interface FileOptions extends EntryOptions, FormatOptions, PayloadOptions {}

const group = {
  noun: "an archive",
  uses: ["read", "ffi"],
  addOptions: (command: Command) => addPayloadOption(command).addOption(formatOption()),
  output: ({ format }: FormatOptions, context) =>
    new Output({ outputFormat: format === "json" ? "json-pretty" : "text" }, context),
} satisfies Partial<TreeOperands<FileOptions>>;

const file: TreeOperands<FileOptions> = {
  ...group,
  placeholder: "<archive>",
  count: 1,
  isReadInOrder: true,
  line: (verb, rest = "") => `pbkfs pxar ${verb} home.pxar ${rest}`.trimEnd(),
  examples: {
    extract: [
      { text: "From a pipe", line: "zstdcat home.pxar.zst | pbkfs pxar extract - /restored" },
    ],
    ls: [
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
  },
  addArguments: (command, readsPipes = false) =>
    command.argument("<archive>", readsPipes ? "archive; - is standard input" : "archive"),

  async use(options, _context, use) {
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const { treeOfArchive } = await import("#src/usecases/archive/trees.ts");
    return await use(treeOfArchive(await archiveInput(options.args[0]!, payloadOf(options))));
  },
};

const pair: PairOperands<FileOptions & { readonly payloadB?: string }> = {
  ...group,
  description: "Show what differs between two archives, or an archive and a directory",
  examples: [
    { text: "What changed between two archives", line: "pbkfs pxar diff old.pxar new.pxar" },
    {
      text: "Whether a directory is as it was",
      line: "pbkfs pxar diff home.pxar /home --ignore mtime",
    },
  ],
  addArguments: (command) =>
    command.argument("<a>", "archive or directory").argument("<b>", "archive or directory"),
  addOptions: (command) =>
    group.addOptions(command)
      .addOption(new Option("--payload-b <file>", "payload stream of the second archive")),

  async use(options, _context, use) {
    const [left, right] = options.args;
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const { treeOfPath } = await import("#src/usecases/archive/trees.ts");
    const a = await archiveInput(left!, payloadOf(options));
    const b = await archiveInput(right!, options.payloadB);
    return use(treeOfPath(a), treeOfPath(b));
  },
};

/** An archive, or parts of it, into the file system. */
export const extractArchiveCommand = extractCommand(file);

/** In the order of the help. */
export const archiveVerbs = [
  lsCommand(file),
  listCommand(file),
  catCommand(file),
  findCommand(file),
  entryStatCommand(file),
  diffCommand(pair),
];

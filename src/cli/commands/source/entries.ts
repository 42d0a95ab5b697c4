/**
 * The verbs that look into any source: `pbkfs ls`, `find`, `cat`, `stat`, `diff`, `du`, `cp`,
 * `extract`, `check`.
 *
 * @module
 */

import type { Command } from "commander";
import { openCommandSource } from "../../sources/open_source.ts";
import {
  addSourceOptions,
  SOURCE_ARGUMENT,
  SOURCE_ENVIRONMENT,
  type SourceOptions,
} from "../../sources/source_options.ts";
import { addRecordFormat, type RecordFormat, recordOutput } from "../../sources/source_output.ts";
import { usesOfSources } from "../../sources/source_uses.ts";
import { catCommand } from "../entries/cat.ts";
import { checkCommand } from "../entries/check.ts";
import { copyOutCommand } from "../entries/copy_out.ts";
import { diffCommand } from "../entries/diff.ts";
import { extractCommand } from "../entries/extract.ts";
import { findCommand } from "../entries/find.ts";
import { lsCommand } from "../entries/list.ts";
import type { EntryOptions, PairOperands, TreeOperands } from "../entries/operands.ts";
import { entryStatCommand } from "../entries/stat.ts";
import { usageCommand } from "../entries/usage.ts";

/** Values of the options of all these verbs. */
export interface SourceVerbOptions extends EntryOptions, SourceOptions, RecordFormat {}

const group = {
  noun: "a source",
  environment: SOURCE_ENVIRONMENT,
  addOptions: (command: Command) => addRecordFormat(addSourceOptions(command)),
  output: recordOutput,
} satisfies Partial<TreeOperands<SourceVerbOptions>>;

/** How these verbs name what they look into. */
const source: TreeOperands<SourceVerbOptions> = {
  ...group,
  uses: usesOfSources(0),
  placeholder: "<source>",
  count: 1,
  isReadInOrder: false,
  line: (verb, rest = "") => `pbkfs ${verb} /store#host/db1/latest/root.pxar ${rest}`.trimEnd(),
  examples: {
    stat: [
      {
        text: "Latency of reads of a mount",
        line: "pbkfs stat -D /mnt/pg --format json | jq .operations.read",
      },
    ],
    ls: [
      {
        text: "All of an archive of a snapshot, as JSON",
        line: "pbkfs ls -R --format jsonl /store#host/db1/latest/root.pxar",
      },
      { text: "An archive from a pipe", line: "zstdcat home.pxar.zst | pbkfs ls -R -" },
    ],
  },
  addArguments: (command, readsPipes = false) =>
    command.argument(
      "<source>",
      readsPipes ? `${SOURCE_ARGUMENT}; - is an archive on standard input` : SOURCE_ARGUMENT,
    ),

  async use(options, context, use) {
    const { standardInput } = await import("#src/usecases/archive/named_archive.ts");
    const { treeOfArchive, treeOfSource } = await import("#src/usecases/archive/trees.ts");
    const [name] = options.args;
    const archive = standardInput(name!);
    if (archive !== undefined) return await use(treeOfArchive(archive));
    using opened = await openCommandSource(name!, options, context);
    return await use(treeOfSource(opened));
  },
};

const pair: PairOperands<SourceVerbOptions> = {
  ...group,
  uses: usesOfSources(0, 1),
  description: "Show what differs between two sources of any kinds",
  examples: [
    {
      text: "What changed between two backups",
      line: "pbkfs diff /backups#main/@2026-11-20 /backups#main/latest",
    },
    {
      text: "Whether a snapshot has what a backup has",
      line: "pbkfs diff /backups#main/latest /store#host/db1/latest/pgdata.pxar",
    },
  ],
  addArguments: (command) =>
    command.argument("<a>", SOURCE_ARGUMENT).argument("<b>", "the same; of another kind, too"),

  async use(options, context, use) {
    const [a, b] = options.args;
    const { treeOfSource } = await import("#src/usecases/archive/trees.ts");
    using left = await openCommandSource(a!, options, context);
    using right = await openCommandSource(b!, options, context);
    return use(treeOfSource(left), treeOfSource(right));
  },
};

/** In the order of the help; `stat` stands beside the statistics of mounts (`../stat.ts`). */
export const sourceVerbs = [
  lsCommand(source),
  findCommand(source),
  catCommand(source),
  diffCommand(pair),
  usageCommand(source),
  copyOutCommand(source),
  extractCommand(source),
  checkCommand(source),
];

/** All that a source says of its entries; without a source the command is another one's. */
export const sourceStat = entryStatCommand({
  ...source,
  addArguments: (command) => command.argument("[source]", SOURCE_ARGUMENT),
});

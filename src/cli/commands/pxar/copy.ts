/**
 * `pbkfs pxar cp` and `pbkfs pxar merge`: new archives from old ones.
 *
 * @module
 */

import { Command, Option } from "commander";
import type { ConflictPolicy } from "#src/transfer/conflict.ts";
import type { CopyPath } from "#src/transfer/copy.ts";
import { type CommandContext, type CommandModule, required } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import {
  addOutputOptions,
  addPayloadOption,
  type OutputOptions,
  outputRequest,
  payloadOf,
  type PayloadOptions,
} from "../../options/archive_options.ts";
import type { TransferJob } from "../../jobs/transfer_job.ts";

interface CopyOptions extends OutputOptions, PayloadOptions {
  readonly args: readonly string[];
  readonly output?: string;
  readonly conflict: ConflictPolicy;
  readonly verbose?: boolean;
}

/** `cp`: chosen paths of one archive. */
export const cpCommand: CommandModule<CopyOptions> = {
  uses: ["read", "write", "ffi"],

  describe() {
    const command = new Command("cp")
      .description("Copy paths of an archive into a new archive")
      .argument("<archive>", "archive; - is standard input")
      .argument("[path...]", "SOURCE keeps its path; SOURCE DESTINATION; SOURCE… DIRECTORY");
    return addHelpNotes(addCopyOptions(addPayloadOption(command)), {
      examples: [
        { text: "One directory", line: "pbkfs pxar cp home.pxar /alice -o alice.pxar" },
        {
          text: "One file under another name",
          line: "pbkfs pxar cp home.pxar /alice/notes.txt /notes/alice.txt -o notes.pxar",
        },
        { text: "A whole archive, split", line: "pbkfs pxar cp home.pxar / -o home.mpxar" },
      ],
    });
  },

  async run(options, context) {
    const [archive, ...operands] = options.args;
    const paths = copyPaths(operands);
    const { copyArchive, copyStandardInput } = await import("#src/usecases/archive/copies.ts");
    if (archive === STANDARD_STREAM) {
      const payload = payloadOf(options);
      const write: TransferJob["write"] = (...to) => copyStandardInput(payload, paths, ...to);
      return await transfer(options, context, write);
    }
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const input = await archiveInput(archive!, payloadOf(options));
    return await transfer(options, context, (...to) => copyArchive(input, paths, ...to));
  },
};

/** `merge`: several archives in one. */
export const mergeCommand: CommandModule<CopyOptions> = {
  uses: ["read", "write", "ffi"],

  describe() {
    const command = new Command("merge")
      .description("Unite archives into a new archive; directories of the same path become one")
      .argument("<archive...>", "archives");
    return addHelpNotes(addCopyOptions(command), {
      examples: [
        { text: "Two archives", line: "pbkfs pxar merge etc.pxar home.pxar -o both.pxar" },
        {
          text: "The newer file wins where both have one",
          line: "pbkfs pxar merge old.pxar new.pxar -o all.pxar --conflict last",
        },
      ],
    });
  },

  async run(options, context) {
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const { mergeArchives } = await import("#src/usecases/archive/copies.ts");
    const inputs = await Promise.all(options.args.map((path) => archiveInput(path, undefined)));
    return await transfer(options, context, (...to) => mergeArchives(inputs, ...to));
  },
};

function addCopyOptions(command: Command): Command {
  command.option("-o, --output <file>", "archive to write; - is standard output");
  return addOutputOptions(command)
    .addOption(
      new Option("--conflict <policy>", "when a path comes twice: fail, keep one, or rename")
        .choices(["error", "first", "last", "rename"]).default("error"),
    )
    .option("-v, --verbose", "print each path");
}

/** What the operands ask for: `A`; `A B`, from and to; `A B C/`, several into a directory. */
function copyPaths(operands: readonly string[]): CopyPath[] {
  if (operands.length === 0) return [{ from: "/", to: "/" }];
  if (operands.length === 1) return [{ from: operands[0]! }];
  const destination = operands.at(-1)!;
  if (operands.length === 2) return [{ from: operands[0]!, to: destination }];
  const directory = destination.endsWith("/") ? destination : `${destination}/`;
  return operands.slice(0, -1).map((from) => ({ from, to: directory }));
}

async function transfer(
  options: CopyOptions,
  { terminal }: CommandContext,
  write: TransferJob["write"],
): Promise<number> {
  const path = required(
    options.output,
    "-o/--output",
    "Give the name of the archive to make, or - for standard output",
  );
  const { runTransfer } = await import("../../jobs/transfer_job.ts");
  const job: TransferJob = {
    output: outputRequest(path, options),
    conflict: options.conflict,
    isVerbose: options.verbose === true,
    write,
  };
  const result = runTransfer(job, terminal);
  const { format: { report } } = options;
  if (result.prelude_left_out && report !== "json") {
    terminal.err("warning: The prelude is left out: archives of version 1 have no place for it\n");
  }
  if (report === "json") {
    const summary = JSON.stringify({ type: "summary", output: path, ...result }) + "\n";
    // Standard output may be the archive.
    if (path === STANDARD_STREAM) terminal.err(summary);
    else terminal.out(summary);
  }
  return 0;
}

/**
 * `pbkfs promote`: a diff directory that has everything becomes a directory of its own.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { PromotionSummary } from "#src/usecases/promote/promote_diff.ts";
import type { PromotedPlaces } from "#src/usecases/promote/promotion_plan.ts";
import {
  type CommandContext,
  type CommandModule,
  formatOption,
  type FormatOptions,
  required,
} from "../command.ts";
import { formatWarning } from "../exit_code.ts";
import { addHelpNotes } from "../help.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { collectValues, parseMapping, PATH_OR_OID } from "../options/place_mapping.ts";

interface PromoteOptions extends FormatOptions {
  readonly args: readonly string[];
  readonly mntPath?: string;
  readonly diffDir?: string;
  readonly tablespaceMapping?: readonly string[];
  readonly wait?: boolean;
  readonly finish?: boolean;
  readonly pgCtl?: string;
  readonly undo?: boolean;
}

/** The command. */
export const promoteCommand: CommandModule<PromoteOptions> = {
  uses: ["read", "ffi", "run"],

  describe() {
    const command = new Command("promote")
      .description(
        "Make a hydrated diff directory a plain data directory, without a copy of its files",
      )
      .argument("[target]", "directory: empty or missing, on the file system of the diff directory")
      .option("-D, --mnt-path <path>", "mount point: unmount it first")
      .option("-d, --diff-dir <path>", "diff directory; with -D: the one that it must be")
      .addOption(
        new Option(
          "-T, --tablespace-mapping <old=new>",
          "where a tablespace goes, on the same file system; OLD may be its OID; repeatable",
        ).argParser(collectValues),
      )
      .addOption(
        new Option("--wait", "with -D: wait until hydration is complete").conflicts("undo"),
      )
      .addOption(
        new Option("--finish", "with -D: hydrate the rest as fast as it goes, and wait for that")
          .conflicts("undo"),
      )
      .option("--pg-ctl <path>", "with -D: stop the server, by this pg_ctl")
      .option("--undo", "with -d: take back a promotion that was begun and has not ended")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        {
          text: "The server moves from the mount to a directory of its own",
          line:
            "pbkfs promote -D /mnt/pg /srv/pg --finish --pg-ctl /usr/lib/postgresql/15/bin/pg_ctl",
        },
        {
          text: "A diff directory that is not mounted",
          line: "pbkfs promote -d /srv/diff /srv/pg -T 16400=/srv/space",
        },
        { text: "What was interrupted goes on", line: "pbkfs promote -d /srv/diff /srv/pg" },
        { text: "Or is taken back", line: "pbkfs promote -d /srv/diff --undo" },
      ],
      exitStatus: { 1: "Failure; the diff directory has everything unless the message says else." },
    });
  },

  async run(options, context) {
    return options.undo === true ? await undo(options, context) : await promote(options, context);
  },
};

async function undo(
  { diffDir, args, mntPath, format }: PromoteOptions,
  { terminal }: CommandContext,
): Promise<number> {
  if (mntPath !== undefined || args.length > 0) {
    throw new UsageError("Cannot use --undo with anything but -d/--diff-dir", { option: "--undo" });
  }
  const diffPath = required(diffDir, "-d/--diff-dir", "Give the directory that was promoted");
  const { undoPromotion } = await import("#src/usecases/promote/promote_diff.ts");
  const target = undoPromotion(diffPath);
  if (format === "json") {
    terminal.out(
      JSON.stringify({ type: "summary", diff_dir: diffPath, target, undone: true }) + "\n",
    );
  } else {
    terminal.err(`Took back the promotion of "${diffPath}" to "${target}"\n`);
  }
  return 0;
}

async function promote(options: PromoteOptions, { terminal }: CommandContext): Promise<number> {
  const { args, tablespaceMapping, mntPath, format } = options;
  const { absolutePath } = await import("#src/io/absolute_path.ts");
  const start = performance.now();
  const places = {
    targetPath: absolutePath(required(args[0], "target", "Give the directory that it becomes")),
    tablespaces: parseMapping(tablespaceMapping, "--tablespace-mapping", PATH_OR_OID),
  };
  const summary = mntPath === undefined
    ? await promoteUnmounted(places, options)
    : await promoteMounted({ ...places, mountPath: mntPath }, options, terminal);
  for (const path of summary.leftOut) {
    terminal.err(formatWarning(`"${path}" of the diff directory has gone with it`, format));
  }
  const seconds = Math.round(performance.now() - start) / 1000;
  if (format === "json") terminal.out(JSON.stringify(recordOf(summary, seconds)) + "\n");
  else terminal.err(`${summaryText(summary, seconds)}\n`);
  return 0;
}

/** `withoutServerMs` is undefined where nothing was mounted. */
type Promoted = PromotionSummary & { readonly withoutServerMs?: number };

async function promoteUnmounted(
  places: PromotedPlaces,
  { diffDir, pgCtl, wait, finish }: PromoteOptions,
): Promise<Promoted> {
  const flags = { "--pg-ctl": pgCtl, "--wait": wait, "--finish": finish };
  const flag = Object.entries(flags).find(([, value]) => value !== undefined)?.[0];
  if (flag !== undefined) {
    throw new UsageError(`Cannot use ${flag} without -D/--mnt-path: it is about a mount`, {
      option: flag,
    });
  }
  const diffPath = required(diffDir, "-d/--diff-dir", "Give it, or the mount point with -D");
  const { promoteDiff } = await import("#src/usecases/promote/promote_diff.ts");
  return promoteDiff({ ...places, diffPath });
}

async function promoteMounted(
  request: PromotedPlaces & { readonly mountPath: string },
  { diffDir: diffPath, pgCtl: pgCtlPath, wait, finish }: PromoteOptions,
  terminal: Terminal,
): Promise<Promoted> {
  const { promoteMount } = await import("#src/usecases/promote/promote_mount.ts");
  const { formatHydration } = await import("../output/hydration_text.ts");
  const { StatusLine } = await import("../terminal/status_line.ts");
  const hydration = finish === true ? "finished" : wait === true ? "awaited" : "required";
  using line = new StatusLine(terminal, -Infinity);
  return await promoteMount({ ...request, diffPath, pgCtlPath, hydration }, {
    onHydration: (report) => line.show(() => formatHydration(report)),
    onStep: () => line.clear(),
  });
}

function recordOf(summary: Promoted, seconds: number): Record<string, unknown> {
  return {
    type: "summary",
    target: summary.targetPath,
    tablespaces: summary.tablespaces,
    entries: summary.entries,
    unwrapped: summary.unwrapped,
    bytes_copied: summary.copiedBytes,
    left_out: summary.leftOut,
    without_server_s: summary.withoutServerMs === undefined ? null : summary.withoutServerMs / 1000,
    duration_s: seconds,
  };
}

function summaryText(summary: Promoted, seconds: number): string {
  const { targetPath, tablespaces, entries, copiedBytes, withoutServerMs } = summary;
  const details = [
    ...(entries === 0 ? [] : [`${entries} entries`]),
    ...(tablespaces.length === 0 ? [] : [`${tablespaces.length} tablespaces`]),
    ...(copiedBytes === 0 ? [] : [`${formatHumanBytes(copiedBytes)} copied`]),
    `${seconds} s`,
    ...(withoutServerMs === undefined ? [] : [`${withoutServerMs / 1000} s without a server`]),
  ];
  return `Promoted to "${targetPath}": ${details.join(", ")}`;
}

/**
 * `pbkfs drill`: the restore drill in one command.
 *
 * @module
 */

import { Command, type Command as CommandType } from "commander";
import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { type CommandModule, formatOption, type FormatOptions, wholeNumber } from "../command.ts";
import { addHelpNotes } from "../help.ts";
import {
  addClusterOptions,
  CLUSTER_ENVIRONMENT,
  type ClusterOptions,
  parseClusterRequest,
} from "../options/cluster_options.ts";
import { SOURCE_ARGUMENT } from "../sources/source_options.ts";
import { EndSignals } from "../terminal/end_signals.ts";
import { StatusLine } from "../terminal/status_line.ts";
import type { ReportForm } from "#src/usecases/drill/report/forms.ts";

interface DrillOptions extends FormatOptions, ClusterOptions {
  readonly args: readonly string[];
  /** False with `--no-amcheck`. */
  readonly amcheck: boolean;
  readonly pages?: string;
  readonly sql?: readonly string[];
  readonly database?: string;
  readonly dump?: boolean;
  readonly jobs?: string;
  readonly report?: readonly string[];
}

const JOBS_MAX = 64;
const REPORT_FORMS: readonly ReportForm[] = ["text", "json", "junit", "prometheus", "html"];

/** The command. */
export const drillCommand: CommandModule<DrillOptions> = {
  uses: ["read", "write", "ffi", "run", "env", "net"],

  describe() {
    const command = new Command("drill")
      .description(
        "Prove that backups can be restored: start PostgreSQL on each in place, check everything",
      )
      .argument("<source...>", SOURCE_ARGUMENT);
    addCheckOptions(command);
    addClusterOptions(command).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        {
          text: "Everything that can be checked",
          line: "pbkfs drill '/backups#main/latest' --dump",
        },
        {
          text: "With assertions, and reports for a monitor and for people",
          line: "pbkfs drill '/backups#main/latest' --sql checks.sql " +
            "--report prometheus=/var/lib/node_exporter/drill.prom --report html=drill.html",
        },
        {
          text: "To a moment, from the archive of WAL",
          line:
            "pbkfs drill '/backups#main/latest' --recovery-target-time '2026-11-29 12:00:00+00'",
        },
      ],
      environment: CLUSTER_ENVIRONMENT,
      exitStatus: {
        0: "All drills are green: no check has failed.",
        1: "A check has failed; or the drill could not be made, the reason is on standard error.",
      },
    });
  },

  async run(options, context) {
    const { terminal } = context;
    const reports = parseReports(options.report ?? []);
    const request = await parseDrill(options);
    const sources = options.args.map((source) => parseClusterRequest(source, options, context));
    if (sources.length > 1 && options.keepDiff !== undefined) {
      throw new UsageError("Cannot use --keep-diff for several sources: each needs its own", {
        option: "--keep-diff",
      });
    }
    const { drill } = await import("#src/usecases/drill/drill.ts");
    const { writeReports } = await import("#src/usecases/drill/report/files.ts");
    const { formatText } = await import("#src/usecases/drill/report/text.ts");
    using signals = new EndSignals();
    const results = [];
    for (const source of sources) {
      using line = new StatusLine(terminal, -Infinity);
      const onProgress = (text: string) => line.show(() => text);
      results.push(await drill({ ...source, ...request, signal: signals.signal, onProgress }));
      line.clear();
      const result = results.at(-1)!;
      terminal.out(options.format === "json" ? JSON.stringify(result) + "\n" : formatText(result));
    }
    writeReports(results, reports);
    return results.some(({ outcome }) => outcome === "failed") ? 1 : 0;
  },
};

function addCheckOptions(command: CommandType): void {
  command
    .option("--no-amcheck", "do not check tables and indexes by amcheck")
    .option("--pages <percent>", "check so much of all pages; 0: none (default: 100)")
    .option("--sql <file>", "assertions: statements whose rows must be true; repeatable", collect)
    .option("--database <name>", "where assertions run (default: the only one, or postgres)")
    .option("--dump", "dump all databases to nowhere")
    .option("-j, --jobs <count>", "threads and connections that check (default: processors)")
    .option(
      "--report <form=file>",
      `write a report: ${REPORT_FORMS.join(", ")}; repeatable`,
      collect,
    );
}

async function parseDrill({ amcheck, pages, sql = [], database, dump, jobs }: DrillOptions) {
  const { readAssertions } = await import("#src/usecases/drill/assertions.ts");
  return {
    amcheck,
    pagePercent: pages === undefined ? 100 : wholeNumber(pages, "--pages", 0, 100),
    assertions: sql.map((path) => readAssertions(absolutePath(path), path)),
    database,
    dump: dump === true,
    jobs: jobs === undefined
      ? navigator.hardwareConcurrency
      : wholeNumber(jobs, "--jobs", 1, JOBS_MAX),
  };
}

function parseReports(words: readonly string[]): { form: ReportForm; path: string }[] {
  return words.map((word) => {
    const [, name, path] = /^([^=]+)=(.+)$/u.exec(word) ?? [];
    const form = REPORT_FORMS.find((each) => each === name);
    if (form !== undefined) return { form, path: absolutePath(path!) };
    throw new UsageError(
      `Cannot use "${word}" for --report: expected FORM=FILE with one of ${
        REPORT_FORMS.join(", ")
      }`,
      { option: "--report" },
    );
  });
}

function collect(value: string, former: readonly string[] = []): string[] {
  return [...former, value];
}

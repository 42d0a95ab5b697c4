/**
 * The program: parse the command line, run one command, turn whatever happens into text and an exit code.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import { buildKind } from "./build_kind.ts";
import type { CommandContext, CommandModule } from "./command.ts";
import { ExitCode, exitCode, formatError, type OutputFormat } from "./exit_code.ts";
import { addHelpNotes } from "./help.ts";
import { processTerminal, type Terminal } from "./terminal.ts";
import { PROGRAM_VERSION } from "./version.ts";
import { cleanupCommand } from "./commands/cleanup.ts";
import { completionCommand } from "./commands/completion.ts";
import { mountCommand } from "./commands/mount.ts";
import { showCommand } from "./commands/show.ts";
import { statCommand } from "./commands/stat.ts";
import { unmountCommand } from "./commands/unmount.ts";

const HELP_COLUMNS_DEFAULT = 100;

const COMMANDS: readonly CommandModule<never>[] = [
  mountCommand,
  unmountCommand,
  statCommand,
  cleanupCommand,
  showCommand,
  completionCommand,
];

/** Runs the program with its arguments. @returns the exit code */
export async function runProgram(args: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  let code: number = ExitCode.SUCCESS;
  const program = describeProgram(terminal, async (module, options) => {
    const context: CommandContext = { terminal, environment, program, args };
    code = await module.run(options, context);
  });
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return commanderExitCode(error, program, terminal, args);
    terminal.err(formatError(error, askedFormat(args)));
    return exitCode(error);
  }
}

/** Called with the command that the command line chooses and its options. */
type RunCommand = (module: CommandModule<never>, options: never) => Promise<void>;

/** Builds the description of the whole command line. */
function describeProgram(terminal: Terminal, run: RunCommand): Command {
  const program = prepare(new Command("pbkfs"), terminal)
    .description("Open pg_probackup backups in place, without restoring them.")
    .version(
      `pbkfs ${PROGRAM_VERSION} (${buildKind()})`,
      "-V, --version",
      "print version and kind of executable",
    );
  for (const module of COMMANDS) {
    const command = prepare(module.describe(), terminal);
    command.action(() => run(module, { ...command.opts<object>(), args: command.args } as never));
    program.addCommand(command);
  }
  addHelpNotes(program, {
    examples: [
      {
        text: "Mount a backup so that PostgreSQL can start on it",
        line: "pbkfs mount -B /backups -I main -i TOTXQL -D /mnt/pg -d /var/tmp/diff --wait",
      },
      { text: "List what can be mounted", line: "pbkfs show -B /backups" },
    ],
  });
  return program;
}

function prepare(command: Command, terminal: Terminal): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: () => {},
      // Answered here, because commander would look at environment variables that it may not read.
      getOutHelpWidth: () => terminal.columns ?? HELP_COLUMNS_DEFAULT,
      getErrHelpWidth: () => terminal.columns ?? HELP_COLUMNS_DEFAULT,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

/** Help and version leave through an error too; the rest is wrong usage. */
function commanderExitCode(
  error: CommanderError,
  program: Command,
  terminal: Terminal,
  args: readonly string[],
): number {
  if (error.exitCode === 0) return ExitCode.SUCCESS;
  const message = error.message.replace(/^error: /u, "").replaceAll("\n", " ");
  if (askedFormat(args) === "json") {
    terminal.err(JSON.stringify({ type: "error", code: "usage", message }) + "\n");
    return ExitCode.USAGE;
  }
  const command = program.commands.find((candidate) => candidate.name() === args[0]) ?? program;
  const name = command === program ? "pbkfs" : `pbkfs ${command.name()}`;
  terminal.err(
    `pbkfs error: ${message}\nUsage: ${name} ${command.usage()}\nTry: ${name} --help\n`,
  );
  return ExitCode.USAGE;
}

/** The format of errors, known even when the command line cannot be parsed. */
function askedFormat(args: readonly string[]): OutputFormat {
  const isJson = args.some((arg, index) =>
    arg === "--format=json" || (arg === "--format" && args[index + 1] === "json")
  );
  return isJson ? "json" : "text";
}

function environment(name: string): string | undefined {
  const permission = Deno.permissions.querySync({ name: "env", variable: name });
  return permission.state === "granted" ? Deno.env.get(name) : undefined;
}

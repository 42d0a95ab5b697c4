/**
 * The program: parse the command line, run one command, turn whatever happens into text and an exit
 * code.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import type { CommandContext, CommandGroup, CommandModule } from "./command.ts";
import { ExitCode, exitCode, formatError, type OutputFormat } from "./exit_code.ts";
import { addHelpNotes, formatHelpItem, formatHelpUsage } from "./help.ts";
import { withoutForeignValues } from "./optional_values.ts";
import { type CommandLine, keepOnly, type Uses, usesOfRun } from "./permissions.ts";
import { OutputClosed, processTerminal, type Terminal } from "./terminal/terminal.ts";
import { versionLine } from "./version.ts";
import { COMMANDS, GROUPS } from "./commands/all.ts";

const HELP_COLUMNS_DEFAULT = 100;

/**
 * Runs the program with its arguments.
 *
 * @param programName the name the program was started by; that of a group makes it that group's
 *   program
 * @returns the exit code
 */
export async function runProgram(args: readonly string[], programName = "pbkfs"): Promise<number> {
  const terminal = processTerminal(environment("COLUMNS"));
  const group = GROUPS.find((candidate) => candidate.name === programName);
  // What a background worker is started with: it is called by the executable's own name.
  const fullArgs = group === undefined ? args : [programName, ...args];
  let code: number = ExitCode.SUCCESS;
  const run: RunCommand = async (module, options) => {
    const context: CommandContext = { terminal, environment, program, args: fullArgs };
    await giveUpUnused(module.uses, options, context);
    code = await module.run(options, context);
  };
  const program = group === undefined
    ? describeProgram(terminal, run, args[0])
    : addVersion(describeGroup(group, terminal, run));
  const normalized = group === undefined
    ? normalizeForGroup(args, program)
    : group.normalize(args, program.commands);
  const words = withoutForeignValues(normalized, findCommand(program, normalized).command);
  try {
    const asked = words.length === 0 ? program : groupAlone(words, program);
    if (asked !== undefined) asked.outputHelp();
    else await program.parseAsync(words, { from: "user" });
    return code;
  } catch (error) {
    const { command } = findCommand(program, words);
    const failureCode = failureCodes.get(command);
    if (error instanceof CommanderError) {
      const code = commanderExitCode(error, program, terminal, words);
      return code === ExitCode.SUCCESS ? code : failureCode ?? code;
    }
    if (error instanceof OutputClosed) return code;
    terminal.err(formatError(error, askedFormat(words), command));
    return failureCode ?? exitCode(error);
  }
}

/** Leaves a command with what it uses. Threads for the network are started before that. */
async function giveUpUnused(uses: Uses, options: CommandLine, context: CommandContext) {
  const needed = await usesOfRun(uses, options, context);
  if (needed.includes("network thread")) {
    const { startNetworkThread } = await import("#src/usecases/threads.ts");
    for (const use of needed) if (use === "network thread") startNetworkThread();
  }
  keepOnly(needed);
}

/** The group that is all the command line names. */
function groupAlone(words: readonly string[], program: Command): Command | undefined {
  let command: Command | undefined = program;
  for (const word of words) {
    command = command.commands.find((candidate) => candidate.name() === word);
    if (command === undefined) return undefined;
  }
  // One with options is a command too, that others belong to.
  return command.commands.length > 0 && command.options.length === 0 ? command : undefined;
}

function normalizeForGroup(args: readonly string[], program: Command): string[] {
  const group = GROUPS.find((candidate) => candidate.name === args[0]);
  const command = program.commands.find((candidate) => candidate.name() === args[0]);
  if (group === undefined || command === undefined) return [...args];
  return [args[0]!, ...group.normalize(args.slice(1), command.commands)];
}

/** Called with the command that the command line chooses and its options. */
type RunCommand = (module: CommandModule<never>, options: never) => Promise<void>;

/** First words of command lines that deal with all there is. */
const WHOLE_PROGRAM: readonly (string | undefined)[] = ["completion", "help"];

/**
 * Builds the description of the command line; what groups consist of only where `firstWord` asks
 * for it.
 */
function describeProgram(
  terminal: Terminal,
  run: RunCommand,
  firstWord: string | undefined,
): Command {
  const program = addVersion(prepare(new Command("pbkfs"), terminal))
    .description("Open backups in place, without restoring them.");
  for (const module of COMMANDS) program.addCommand(describeCommand(module, terminal, run));
  for (const group of GROUPS) {
    const isAsked = firstWord === group.name || WHOLE_PROGRAM.includes(firstWord);
    program.addCommand(
      isAsked ? describeGroup(group, terminal, run) : prepare(group.describe(), terminal),
    );
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

/** Builds the description of a group and its commands. */
function describeGroup(group: CommandGroup, terminal: Terminal, run: RunCommand): Command {
  const command = prepare(group.describe(), terminal);
  for (const module of group.commands) command.addCommand(describeCommand(module, terminal, run));
  for (const inner of group.groups ?? []) command.addCommand(describeGroup(inner, terminal, run));
  return command;
}

/** Of commands that have one. */
const failureCodes = new WeakMap<Command, number>();

function describeCommand(
  module: CommandModule<never>,
  terminal: Terminal,
  run: RunCommand,
): Command {
  const command = prepare(module.describe(), terminal);
  if (module.failureCode !== undefined) failureCodes.set(command, module.failureCode);
  for (const inner of module.groups ?? []) command.addCommand(describeGroup(inner, terminal, run));
  return command.action(() =>
    // A command that has others below it takes what they share with it.
    run(module, { ...command.optsWithGlobals<object>(), args: command.args } as never)
  );
}

function addVersion(program: Command): Command {
  return program.version(
    versionLine(),
    "-V, --version",
    "print version and kind of executable",
  );
}

function prepare(command: Command, terminal: Terminal): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ commandUsage: formatHelpUsage, formatItem: formatHelpItem })
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
  // What it has for `help WORD` where there is no such command.
  const message = error.code === "commander.help"
    ? `unknown command '${args.at(-1)}'`
    : error.message.replace(/^error: /u, "").replaceAll("\n", " ");
  if (askedFormat(args) === "json") {
    terminal.err(JSON.stringify({ type: "error", code: "usage", message }) + "\n");
    return ExitCode.USAGE;
  }
  const { command, name } = findCommand(program, args);
  terminal.err(
    `pbkfs error: ${message}\nUsage: ${name} ${command.usage()}\nTry: ${name} --help\n`,
  );
  return ExitCode.USAGE;
}

/** The innermost command that the command line names. */
function findCommand(
  program: Command,
  args: readonly string[],
): { command: Command; name: string } {
  let command = program;
  let name = program.name();
  for (const word of args) {
    const next = command.commands.find((candidate) =>
      candidate.name() === word || candidate.aliases().includes(word)
    );
    if (next === undefined) break;
    command = next;
    name += ` ${next.name()}`;
  }
  return { command, name };
}

/** The format of errors, known even when the command line cannot be parsed. */
function askedFormat(args: readonly string[]): OutputFormat {
  const formats = args.flatMap((arg, index) => {
    const [, value] = /^--(?:output-)?format=(.*)$/u.exec(arg) ?? [];
    if (value !== undefined) return [value];
    return arg === "--format" || arg === "--output-format" ? [args[index + 1] ?? ""] : [];
  });
  // json, jsonl, json-pretty: an error is one line in all of them.
  return formats.some((format) => format.startsWith("json")) ? "json" : "text";
}

function environment(name: string): string | undefined {
  const permission = Deno.permissions.querySync({ name: "env", variable: name });
  return permission.state === "granted" ? Deno.env.get(name) : undefined;
}

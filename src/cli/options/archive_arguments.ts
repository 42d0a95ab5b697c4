/**
 * Arguments as users of other tools for pxar archives write them, made into ours:
 *
 * - long options with one dash (`-format v2`);
 * - values after options that need none (`--no-xattrs true`, `--strict=off`).
 *
 * @module
 */

import type { Command, Option } from "commander";

const TRUE_WORDS: ReadonlySet<string> = new Set(["true", "1", "on", "yes"]);
const FALSE_WORDS: ReadonlySet<string> = new Set(["false", "0", "off", "no"]);

/**
 * Rewrites the arguments that follow the name of the group, for the command among `commands` that
 * they name.
 */
export function normalizeArguments(
  args: readonly string[],
  commands: readonly Command[],
): string[] {
  const place = args.findIndex((arg) => !arg.startsWith("-"));
  const command = commands.find((candidate) =>
    candidate.name() === args[place] || candidate.aliases().includes(args[place] ?? "")
  );
  if (command === undefined) return [...args];
  const end = args.indexOf("--", place);
  const own = end < 0 ? args.slice(place + 1) : args.slice(place + 1, end);
  // Options before the command's name belong to the command too.
  const before = args.slice(0, place);
  const isForProgram = before.some((arg) => ["-h", "--help", "-V", "--version"].includes(arg));
  if (isForProgram) return [...args];
  const rest = end < 0 ? [] : args.slice(end);
  return [args[place]!, ...normalizeOptions([...before, ...own], command), ...rest];
}

function normalizeOptions(args: readonly string[], command: Command): string[] {
  const result: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = withTwoDashes(args[index]!, command);
    const [flag = "", word] = splitOption(arg);
    const option = command.options.find((candidate) => candidate.long === flag);
    if (option === undefined || !isFlag(option)) {
      result.push(arg);
      // The value of an option may look like an option itself.
      if (option?.required === true && word === undefined && index + 1 < args.length) {
        result.push(args[++index]!);
      }
      continue;
    }
    const value = word ?? args[index + 1];
    const isValue = value !== undefined && (TRUE_WORDS.has(value) || FALSE_WORDS.has(value));
    if (!isValue) {
      result.push(arg);
      continue;
    }
    if (word === undefined) index++;
    if (TRUE_WORDS.has(value)) result.push(flag);
  }
  return result;
}

/** `-format` → `--format`, where the command has such an option. */
function withTwoDashes(arg: string, command: Command): string {
  if (!/^-[^-]./u.test(arg)) return arg;
  const [flag] = splitOption(`-${arg}`);
  return command.options.some((option) => option.long === flag) ? `-${arg}` : arg;
}

function splitOption(arg: string): [flag: string, value: string | undefined] {
  const equals = arg.indexOf("=");
  return equals < 0 ? [arg, undefined] : [arg.slice(0, equals), arg.slice(equals + 1)];
}

function isFlag(option: Option): boolean {
  return !option.required && !option.optional;
}

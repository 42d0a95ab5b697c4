/**
 * Completion scripts, generated from the description of the command line.
 *
 * @module
 */

import type { Command, Option } from "commander";

/** Shells there is a script for. */
export type Shell = "bash" | "zsh" | "fish";

/** The completion script for a shell. */
export function formatCompletion(program: Command, shell: Shell): string {
  const generate = { bash: formatBash, zsh: formatZsh, fish: formatFish }[shell];
  return generate(program) + "\n";
}

function formatBash(program: Command): string {
  const cases = program.commands.map((command) => {
    const words = visibleOptions(command).flatMap(flagsOf).concat(argumentChoices(command));
    return `    ${command.name()}) words="${words.join(" ")}" ;;`;
  });
  return `_pbkfs() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words
  COMPREPLY=()
  case "$previous" in
${choiceCases(program).map((line) => `    ${line}`).join("\n")}
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="${commandNames(program).join(" ")} --help --version" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${commandNames(program).join(" ")} --help --version"
  case "$current" in
    -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    *)
      if [ "$COMP_CWORD" -eq 1 ] || [ "\${COMP_WORDS[1]}" = completion ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi ;;
  esac
}
complete -o filenames -F _pbkfs pbkfs`;
}

function choiceCases(program: Command): string[] {
  const seen = new Map<string, string>();
  for (const option of program.commands.flatMap(visibleOptions)) {
    if (option.argChoices === undefined) continue;
    seen.set(flagsOf(option).join("|"), option.argChoices.join(" "));
  }
  return [...seen].map(([flags, choices]) =>
    `${flags}) mapfile -t COMPREPLY < <(compgen -W "${choices}" -- "$current"); return ;;`
  );
}

function formatZsh(program: Command): string {
  const names = program.commands.map((command) =>
    `    ${zshQuote(`${command.name()}:${command.description()}`)}`
  );
  const cases = program.commands.map((command) => {
    const specs = visibleOptions(command).flatMap(zshSpecs);
    const choices = argumentChoices(command);
    if (choices.length > 0) specs.push(`'1:argument:(${choices.join(" ")})'`);
    return `    ${command.name()}) _arguments ${specs.join(" ")} ;;`;
  });
  return `#compdef pbkfs
_pbkfs() {
  local -a commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case "$words[1]" in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = "_pbkfs" ]; then _pbkfs "$@"; else compdef _pbkfs pbkfs; fi`;
}

function zshSpecs(option: Option): string[] {
  const description = option.description.replace(/[[\]:]/gu, "\\$&");
  let value = "";
  if (option.argChoices !== undefined) value = `:value:(${option.argChoices.join(" ")})`;
  else if (option.required) value = ":value:_files";
  return flagsOf(option).map((flag) => zshQuote(`${flag}[${description}]${value}`));
}

function zshQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function formatFish(program: Command): string {
  const lines = ["complete -c pbkfs -n __fish_use_subcommand -f"];
  for (const command of program.commands) {
    lines.push(
      `complete -c pbkfs -n __fish_use_subcommand -a ${command.name()} -d ${
        fishQuote(command.description())
      }`,
    );
    const condition = `-n '__fish_seen_subcommand_from ${command.name()}'`;
    for (const choice of argumentChoices(command)) {
      lines.push(`complete -c pbkfs ${condition} -f -a ${choice}`);
    }
    for (const option of visibleOptions(command)) {
      lines.push(`complete -c pbkfs ${condition} ${fishOption(option)}`);
    }
  }
  return lines.join("\n");
}

function fishOption(option: Option): string {
  const parts = [];
  if (option.short) parts.push(`-s ${option.short.slice(1)}`);
  if (option.long) parts.push(`-l ${option.long.slice(2)}`);
  if (option.argChoices !== undefined) parts.push(`-x -a '${option.argChoices.join(" ")}'`);
  else if (option.required) parts.push("-r");
  parts.push(`-d ${fishQuote(option.description)}`);
  return parts.join(" ");
}

function fishQuote(text: string): string {
  return `'${text.replace(/['\\]/gu, "\\$&")}'`;
}

function commandNames(program: Command): string[] {
  return program.commands.map((command) => command.name());
}

function visibleOptions(command: Command): Option[] {
  return command.options.filter((option) => !option.hidden);
}

function flagsOf(option: Option): string[] {
  return [option.short, option.long].filter((flag) => flag !== undefined);
}

function argumentChoices(command: Command): string[] {
  return command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
}

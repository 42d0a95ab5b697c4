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
  const parts = [...allGroupsOf(program), program].map((command) => bashFunction(command));
  const groups = groupsOf(program).map((group) =>
    `_pbkfs_called_${group.name()}() { ${functionName(group)}_at 1; }\n` +
    `complete -o filenames -F _pbkfs_called_${group.name()} ${group.name()}`
  );
  return [
    ...parts,
    "_pbkfs() { _pbkfs_at 1; }",
    "complete -o filenames -F _pbkfs pbkfs",
    ...groups,
  ].join("\n");
}

/** Completes from the word at `$1` on, which is one of the names of `parent`'s commands. */
function bashFunction(parent: Command): string {
  const names = [...commandNames(parent), "--help", "--version"].join(" ");
  const cases = parent.commands.map((command) => {
    if (command.commands.length > 0) {
      const call = `${functionName(command)}_at $(($1 + 1)); return`;
      return `    ${command.name()}) [ "$COMP_CWORD" -gt "$1" ] && { ${call}; } ;;`;
    }
    const words = visibleOptions(command).flatMap(flagsOf).concat(argumentChoices(command));
    return `    ${command.name()}) words="${words.join(" ")}" ;;`;
  });
  return `${functionName(parent)}_at() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words
  COMPREPLY=()
  case "\${COMP_WORDS[$1]} $previous" in
${choiceCases(parent).map((line) => `    ${line}`).join("\n")}
  esac
  case "\${COMP_WORDS[$1]}" in
${cases.join("\n")}
    *) words="${names}" ;;
  esac
  [ "$COMP_CWORD" -eq "$1" ] && words="${names}"
  case "$current" in
    -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    *)
      if [ "$COMP_CWORD" -eq "$1" ] || [ "\${COMP_WORDS[$1]}" = completion ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi ;;
  esac
}`;
}

/**
 * Commands that have commands of their own; those of the program are also programs of their names.
 */
function groupsOf(command: Command): Command[] {
  return command.commands.filter((candidate) => candidate.commands.length > 0);
}

/** Groups at any depth, inner ones first. */
function allGroupsOf(command: Command): Command[] {
  return groupsOf(command).flatMap((group) => [...allGroupsOf(group), group]);
}

function functionName(command: Command): string {
  return command.parent === null
    ? `_${command.name()}`
    : `${functionName(command.parent)}_${command.name()}`;
}

/** Values of flags; the same flag may take others in another command. */
function choiceCases(parent: Command): string[] {
  const patterns = new Map<string, string[]>();
  for (const command of parent.commands) {
    for (const option of visibleOptions(command)) {
      if (option.argChoices === undefined) continue;
      const choices = option.argChoices.join(" ");
      const ofCommand = flagsOf(option).map((flag) => `"${command.name()} ${flag}"`);
      patterns.set(choices, [...patterns.get(choices) ?? [], ...ofCommand]);
    }
  }
  return [...patterns].map(([choices, words]) =>
    `${words.join("|")}) mapfile -t COMPREPLY < <(compgen -W "${choices}" -- "$current"); return ;;`
  );
}

function formatZsh(program: Command): string {
  const functions = [...allGroupsOf(program), program].map(zshFunction);
  const programs = groupsOf(program).map((group) =>
    `compdef ${functionName(group)} ${group.name()}`
  );
  return `#compdef pbkfs
${functions.join("\n")}
if [ "$funcstack[1]" = "_pbkfs" ]; then _pbkfs "$@"; else compdef _pbkfs pbkfs; ${
    programs.join("; ")
  }; fi`;
}

function zshFunction(parent: Command): string {
  const names = parent.commands.map((command) =>
    `    ${zshQuote(`${command.name()}:${command.description()}`)}`
  );
  const cases = parent.commands.map((command) => {
    if (command.commands.length > 0) {
      return `    ${command.name()}) ${functionName(command)} ;;`;
    }
    const specs = visibleOptions(command).flatMap(zshSpecs);
    const choices = argumentChoices(command);
    specs.push(choices.length > 0 ? `'1:argument:(${choices.join(" ")})'` : "'*:file:_files'");
    return `    ${command.name()}) _arguments ${specs.join(" ")} ;;`;
  });
  return `${functionName(parent)}() {
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
}`;
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
  const groups = groupsOf(program);
  const names = groups.map((group) => group.name()).join(" ");
  const lines = [
    ...fishCommands(program, "pbkfs", "__fish_use_subcommand", `not ${fishSeen(names)}; and `),
    ...groups.flatMap((group) => [
      ...fishGroup(group, "pbkfs", ""),
      ...fishCommands(group, group.name(), "__fish_use_subcommand", ""),
      ...groupsOf(group).flatMap((inner) => fishGroup(inner, group.name(), "")),
    ]),
  ];
  return lines.join("\n");
}

/** A group and what is inside of it; `prefix`: what must hold besides that its name is there. */
function fishGroup(group: Command, called: string, prefix: string): string[] {
  const own = commandNames(group).join(" ");
  const inGroup = `${prefix}${fishSeen(group.name())}; and `;
  return [
    ...fishCommands(group, called, `${inGroup}not ${fishSeen(own)}`, inGroup),
    ...groupsOf(group).flatMap((inner) => fishGroup(inner, called, inGroup)),
  ];
}

/** `first`: when a command's name is missing; `prefix`: what must hold besides that it is there. */
function fishCommands(
  parent: Command,
  called: string,
  first: string,
  prefix: string,
): string[] {
  const lines = [`complete -c ${called} -n '${first}' -f`];
  for (const command of parent.commands) {
    lines.push(
      `complete -c ${called} -n '${first}' -a ${command.name()} -d ${
        fishQuote(command.description())
      }`,
    );
    if (command.commands.length > 0) continue;
    const condition = `-n '${prefix}${fishSeen(command.name())}'`;
    for (const choice of argumentChoices(command)) {
      lines.push(`complete -c ${called} ${condition} -f -a ${choice}`);
    }
    for (const option of visibleOptions(command)) {
      lines.push(`complete -c ${called} ${condition} ${fishOption(option)}`);
    }
  }
  return lines;
}

function fishSeen(names: string): string {
  return `__fish_seen_subcommand_from ${names}`;
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

/**
 * A shell inside of an archive: look around, choose, restore.
 *
 * @module
 */

import { Errno, OsError, StateError, UsageError } from "#src/errors.ts";
import { BufferedOutput } from "../terminal/buffered_output.ts";
import { describeEntries } from "#src/usecases/archive/description.ts";
import { formatDescription } from "../output/description_text.ts";
import { EntryOutput } from "../output/entry_output.ts";
import { listTree } from "#src/usecases/archive/listing.ts";
import { type NamedTree, notFound } from "#src/usecases/archive/trees.ts";
import { showName } from "#src/bytes/quoting.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { Completion } from "./line_editor.ts";
import { type Listing, pathBelow, resolvePath } from "#src/usecases/archive/directories.ts";
import { findMatches, Selection } from "#src/usecases/archive/selection.ts";
import { escapeWord, splitLineStart, splitWords } from "./words.ts";

/**
 * Restores entries of the archive: `paths` are relative to the directory `from`, which becomes
 * `target`.
 */
export type RestoreEntries = (from: string, paths: readonly string[], target: string) => void;

/** What a shell works on. */
export interface ShellParts extends NamedTree {
  readonly listing: Listing;
  readonly restore: RestoreEntries;
  readonly terminal: Terminal;
}

/** One command of the shell. */
interface ShellCommand {
  readonly usage: string;
  readonly help: string;
  /** Flags without a value, and those that take the next word. */
  readonly flags?: readonly string[];
  readonly valueFlags?: readonly string[];
  readonly argumentsMin: number;
  readonly argumentsMax: number;
  /** What Tab offers for arguments. */
  readonly completes?: "entries" | "directories" | "selected";
  run(args: readonly string[], flags: ReadonlyMap<string, string>): void;
}

const GLOB = /[*?[\]{}!]/u;

/** One session. */
export class CatalogShell {
  readonly #parts: ShellParts;
  readonly #commands: ReadonlyMap<string, ShellCommand>;
  readonly #selection = new Selection();
  #current = "/";
  #isOver = false;

  constructor(parts: ShellParts) {
    this.#parts = parts;
    this.#commands = new Map(Object.entries(this.#describeCommands()));
  }

  /** The session has been ended by a command. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What stands in front of a command line. */
  get prompt(): string {
    return `pxar:${showName(this.#current)} > `;
  }

  /** Runs a command line. @throws a `Failure` when the command fails; the session can go on */
  execute(line: string): void {
    const [name, ...words] = splitWords(line);
    if (name === undefined) return;
    const command = this.#commands.get(name);
    if (command === undefined) {
      throw new UsageError(`There is no command "${name}"`, { hint: "help lists the commands" });
    }
    const { args, flags } = parse(words, command);
    command.run(args, flags);
  }

  /** What the line could go on to. */
  complete(lineStart: string): Completion {
    const { words, open } = splitLineStart(lineStart);
    const [name] = words;
    if (name === undefined) {
      const names = [...this.#commands.keys()].filter((each) => each.startsWith(open.text));
      return { start: open.start, candidates: names.map((each) => `${each} `) };
    }
    return { start: open.start, candidates: this.#completeArgument(name, open.text) };
  }

  #completeArgument(name: string, text: string): string[] {
    const command = this.#commands.get(name);
    if (command === undefined) return [];
    if (text.startsWith("-")) {
      const flags = [...command.flags ?? [], ...command.valueFlags ?? []];
      return flags.filter((flag) => flag.startsWith(text)).map((flag) => `${flag} `);
    }
    switch (command.completes) {
      case undefined:
        return [];
      case "selected":
        return this.#selection.list().filter((path) => path.startsWith(text))
          .map((path) => `${escapeWord(path)} `);
      default:
        return this.#completePath(text, command.completes === "directories");
    }
  }

  #completePath(text: string, isDirectoryWanted: boolean): string[] {
    const slash = text.lastIndexOf("/");
    const parent = text.slice(0, slash + 1);
    const start = text.slice(slash + 1);
    const directory = resolvePath(this.#current, parent);
    if (this.#parts.listing.isDirectory(directory) !== true) return [];
    return this.#parts.listing.list(directory)
      .filter((entry) => entry.name.startsWith(start) && (entry.isDirectory || !isDirectoryWanted))
      .map(({ name, isDirectory }) => escapeWord(parent + name) + (isDirectory ? "/" : " "));
  }

  #describeCommands(): Record<string, ShellCommand> {
    return {
      cd: {
        usage: "cd [PATH]",
        help: "go to a directory; without a path to the root",
        argumentsMin: 0,
        argumentsMax: 1,
        completes: "directories",
        run: ([path = "/"]) => {
          this.#current = this.#requireDirectory(path);
        },
      },
      pwd: {
        usage: "pwd",
        help: "print the current directory",
        argumentsMin: 0,
        argumentsMax: 0,
        run: () => this.#print([this.#current]),
      },
      ls: {
        usage: "ls [-l] [PATH...]",
        help: "list directories; -l: with mode, owner, time and size",
        flags: ["-l"],
        argumentsMin: 0,
        argumentsMax: Infinity,
        completes: "entries",
        run: (args, flags) => this.#list(args.length === 0 ? ["."] : args, flags.has("-l")),
      },
      stat: {
        usage: "stat [PATH...]",
        help: "show all that the archive says of entries",
        argumentsMin: 0,
        argumentsMax: Infinity,
        completes: "entries",
        run: (args) => this.#describe(args.length === 0 ? ["."] : args),
      },
      find: {
        usage: "find PATTERN [--select]",
        help: "print what matches at and below the current directory; --select: choose it too",
        flags: ["--select"],
        argumentsMin: 1,
        argumentsMax: 1,
        run: ([pattern], flags) => this.#find(pattern!, flags.has("--select")),
      },
      select: {
        usage: "select PATH...",
        help: "choose entries to restore; *, ?, [ and { make patterns",
        argumentsMin: 1,
        argumentsMax: Infinity,
        completes: "entries",
        run: (args) => this.#select(args),
      },
      deselect: {
        usage: "deselect PATH...",
        help: "take entries back; *, ?, [ and { make patterns",
        argumentsMin: 1,
        argumentsMax: Infinity,
        completes: "selected",
        run: (args) => this.#deselect(args),
      },
      "clear-selected": {
        usage: "clear-selected",
        help: "take all entries back",
        argumentsMin: 0,
        argumentsMax: 0,
        run: () => this.#selection.clear(),
      },
      "list-selected": {
        usage: "list-selected",
        help: "print what is chosen",
        argumentsMin: 0,
        argumentsMax: 0,
        run: () => this.#print(this.#selection.list()),
      },
      restore: {
        usage: "restore TARGET [--pattern PATTERN]",
        help: "restore the current directory to a directory of the host, or what matches of it",
        valueFlags: ["--pattern"],
        argumentsMin: 1,
        argumentsMax: 1,
        run: ([target], flags) => this.#restoreCurrent(target!, flags.get("--pattern")),
      },
      "restore-selected": {
        usage: "restore-selected TARGET",
        help: "restore what is chosen to a directory of the host",
        argumentsMin: 1,
        argumentsMax: 1,
        run: ([target]) => this.#restoreSelected(target!),
      },
      help: {
        usage: "help [COMMAND]",
        help: "list the commands",
        argumentsMin: 0,
        argumentsMax: 1,
        run: ([name]) => this.#help(name),
      },
      exit: {
        usage: "exit",
        help: "leave",
        argumentsMin: 0,
        argumentsMax: 0,
        run: () => {
          this.#isOver = true;
        },
      },
    };
  }

  #list(texts: readonly string[], isLong: boolean): void {
    const paths = texts.map((text) => resolvePath(this.#current, text));
    if (isLong) {
      using output = new EntryOutput(this.#parts.terminal, "long");
      return listTree(this.#parts, { paths, isRecursive: false }, output);
    }
    const { listing } = this.#parts;
    const lists = paths.map((path) => {
      const isDirectory = listing.isDirectory(path);
      if (isDirectory === undefined) throw notFound(path, this.#parts.name);
      return isDirectory ? listing.list(path).map(({ name }) => name) : [path];
    });
    for (const list of lists) this.#print(list);
  }

  #describe(texts: readonly string[]): void {
    const paths = texts.map((text) => resolvePath(this.#current, text));
    const descriptions = describeEntries(this.#parts, paths);
    this.#parts.terminal.out(descriptions.map(formatDescription).join("\n"));
  }

  #find(pattern: string, isSelecting: boolean): void {
    using output = new BufferedOutput(this.#parts.terminal);
    for (const path of findMatches(this.#parts.listing, this.#current, pattern)) {
      output.write(`${this.#shown(path)}\n`);
      if (isSelecting) this.#selection.add(path);
    }
  }

  #select(texts: readonly string[]): void {
    // All or nothing: a path that is not there chooses nothing.
    const chosen = texts.flatMap((text) => {
      const path = resolvePath(this.#current, text);
      if (this.#parts.listing.isDirectory(path) !== undefined) return [path];
      const matches = this.#matchesOf(text);
      if (matches.length === 0) throw notFound(path, this.#parts.name);
      return matches;
    });
    for (const path of chosen) this.#selection.add(path);
  }

  #deselect(texts: readonly string[]): void {
    const taken = texts.flatMap((text) => {
      const path = resolvePath(this.#current, text);
      if (this.#selection.has(path)) return [path];
      const matches = this.#matchesOf(text).filter((match) => this.#selection.has(match));
      if (matches.length > 0) return matches;
      throw new StateError("not-found", `"${path}" is not selected`);
    });
    for (const path of taken) this.#selection.remove(path);
  }

  /**
   * Paths of entries that a pattern means, relative to the current directory; none for what is no
   * pattern.
   */
  #matchesOf(text: string): string[] {
    if (!GLOB.test(text)) return [];
    return text.startsWith("/")
      ? [...findMatches(this.#parts.listing, "/", text)]
      : [...findMatches(this.#parts.listing, this.#current, `/${text}`)];
  }

  #restoreCurrent(target: string, pattern: string | undefined): void {
    if (pattern === undefined) return this.#parts.restore(this.#current, ["/"], target);
    const paths = [...findMatches(this.#parts.listing, this.#current, pattern)]
      .map((path) => pathBelow(this.#current, path));
    if (paths.length === 0) {
      throw new StateError("not-found", `Nothing at and below "${this.#current}" matches`);
    }
    this.#parts.restore(this.#current, paths, target);
  }

  #restoreSelected(target: string): void {
    if (this.#selection.size === 0) {
      throw new StateError("not-found", "Nothing is selected", {
        hint: "Choose entries with select, or with find --select",
      });
    }
    this.#parts.restore("/", this.#selection.list(), target);
  }

  #help(name: string | undefined): void {
    const commands = name === undefined
      ? [...this.#commands.values()]
      : [this.#commands.get(name)].filter((command) => command !== undefined);
    if (commands.length === 0) throw new UsageError(`There is no command "${name}"`);
    const width = Math.max(...commands.map(({ usage }) => usage.length));
    const lines = commands.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}\n`);
    this.#parts.terminal.out(lines.join(""));
  }

  #requireDirectory(text: string): string {
    const path = resolvePath(this.#current, text);
    const isDirectory = this.#parts.listing.isDirectory(path);
    if (isDirectory === undefined) throw notFound(path, this.#parts.name);
    if (isDirectory) return path;
    throw new OsError(Errno.ENOTDIR, "enter", path);
  }

  #print(texts: readonly string[]): void {
    using output = new BufferedOutput(this.#parts.terminal);
    for (const text of texts) output.write(`${this.#shown(text)}\n`);
  }

  /** A terminal would do what a name tells it to do. */
  #shown(text: string): string {
    return this.#parts.terminal.isTerminal ? showName(text) : text;
  }
}

function parse(
  words: readonly string[],
  command: ShellCommand,
): { args: string[]; flags: Map<string, string> } {
  const args: string[] = [];
  const flags = new Map<string, string>();
  let isOnlyArguments = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (isOnlyArguments || !word.startsWith("-")) args.push(word);
    else if (word === "--") isOnlyArguments = true;
    else if (command.flags?.includes(word) === true) flags.set(word, "");
    else if (command.valueFlags?.includes(word) === true && index + 1 < words.length) {
      flags.set(word, words[++index]!);
    } else throw new UsageError(`Usage: ${command.usage}`, { option: word });
  }
  if (args.length < command.argumentsMin || args.length > command.argumentsMax) {
    throw new UsageError(`Usage: ${command.usage}`);
  }
  return { args, flags };
}

/**
 * Feeds a shell: with the lines of standard input, or with what is typed at a terminal.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { ExitCode, formatError } from "../exit_code.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { CatalogShell } from "./catalog_shell.ts";
import { LineEditor } from "./line_editor.ts";

const HISTORY_MAX = 1000;
const COLUMNS_DEFAULT = 80;
const LINE_FEED = 0x0a;
const READ_SIZE = 4096;

/**
 * Runs a shell until its end. @returns the exit code @throws a `Failure`, at the first command of a
 * script that fails
 */
export function runShell(shell: CatalogShell, terminal: Terminal): number {
  if (Deno.stdin.isTerminal()) runAtTerminal(shell, terminal);
  else runScript(shell);
  return ExitCode.SUCCESS;
}

/** A script that goes on after `cd` has failed would restore the wrong files. */
function runScript(shell: CatalogShell): void {
  for (const line of readLines()) {
    shell.execute(line);
    if (shell.isOver) return;
  }
}

function* readLines(): Generator<string> {
  const part = new Uint8Array(READ_SIZE);
  let bytes = new Uint8Array(0);
  for (let count = Deno.stdin.readSync(part); count !== null; count = Deno.stdin.readSync(part)) {
    const joined = new Uint8Array(bytes.length + count);
    joined.set(bytes);
    joined.set(part.subarray(0, count), bytes.length);
    bytes = joined;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      yield decodeFileName(bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
    }
  }
  if (bytes.length > 0) yield decodeFileName(bytes);
}

function runAtTerminal(shell: CatalogShell, terminal: Terminal): void {
  const history: string[] = [];
  while (!shell.isOver) {
    const line = readTyped(shell, history, terminal);
    if (line === undefined) return;
    if (line.trim() !== "" && line !== history.at(-1)) history.push(line);
    if (history.length > HISTORY_MAX) history.shift();
    try {
      shell.execute(line);
    } catch (error) {
      terminal.err(formatError(error, "text"));
    }
  }
}

/** A line; empty when it was given up by Ctrl-C, undefined at the end by Ctrl-D. */
function readTyped(
  shell: CatalogShell,
  history: readonly string[],
  terminal: Terminal,
): string | undefined {
  const editor = new LineEditor(history, (lineStart) => shell.complete(lineStart));
  const byte = new Uint8Array(1);
  // Commands run in the terminal's usual mode, so that Ctrl-C ends them.
  Deno.stdin.setRaw(true);
  try {
    while (true) {
      terminal.err(editor.render(shell.prompt, terminalColumns()));
      const state = Deno.stdin.readSync(byte) === null ? "ended" : editor.type(byte[0]!);
      showCandidates(editor, terminal);
      if (state === "open") continue;
      terminal.err("\r\n");
      if (state === "ended") return undefined;
      return state === "accepted" ? editor.text : "";
    }
  } finally {
    Deno.stdin.setRaw(false);
  }
}

function showCandidates(editor: LineEditor, terminal: Terminal): void {
  const candidates = editor.takeCandidates();
  if (candidates === undefined) return;
  const names = candidates.map((text) => text.trimEnd().replace(/^.*\/(?=.)/u, ""));
  const width = Math.max(...names.map((name) => name.length)) + 2;
  const perLine = Math.max(1, Math.floor(terminalColumns() / width));
  let text = "\r\n";
  names.forEach((name, index) => {
    const isLast = (index + 1) % perLine === 0 || index + 1 === names.length;
    text += isLast ? `${name}\r\n` : name.padEnd(width);
  });
  terminal.err(text);
}

function terminalColumns(): number {
  try {
    // Some terminals do not know their size.
    return Deno.consoleSize().columns || COLUMNS_DEFAULT;
  } catch {
    return COLUMNS_DEFAULT;
  }
}

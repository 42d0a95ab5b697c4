/**
 * Questions that are answered with yes or no.
 *
 * @module
 */

import { canAsk } from "./password.ts";
import type { Terminal } from "./terminal.ts";

const LINE_FEED = 0x0a;
const LINE_SIZE_MAX = 1_024;

/**
 * Asks whoever sits at the terminal until there is a clear answer; undefined when standard input is
 * not a terminal, or has ended.
 */
export function askYesNo(terminal: Terminal, question: string): boolean | undefined {
  if (!canAsk()) return undefined;
  while (true) {
    terminal.err(`${question} (y/n): `);
    const line = readLine()?.trim().toLowerCase();
    if (line === undefined) return undefined;
    if (line === "y" || line === "yes") return true;
    if (line === "n" || line === "no") return false;
  }
}

function readLine(): string | undefined {
  const bytes: number[] = [];
  const byte = new Uint8Array(1);
  while (Deno.stdin.readSync(byte) !== null) {
    if (byte[0] === LINE_FEED) return new TextDecoder().decode(Uint8Array.from(bytes));
    if (bytes.length < LINE_SIZE_MAX) bytes.push(byte[0]!);
  }
  return undefined;
}

/**
 * Passwords from whoever sits at the terminal; what is typed is not shown.
 *
 * @module
 */

import { AuthError, UsageError } from "#src/errors.ts";
import type { Terminal } from "./terminal.ts";

/** Shorter passwords lock nothing. */
const PASSWORD_SIZE_MIN = 5;
/** Nobody types more. */
const LINE_SIZE_MAX = 4096;

const Key = {
  CTRL_C: 0x03,
  CTRL_D: 0x04,
  BACKSPACE: 0x08,
  LINE_FEED: 0x0a,
  RETURN: 0x0d,
  CTRL_U: 0x15,
  DELETE: 0x7f,
} as const;

/** What became of a line after a key. */
export type LineState = "open" | "complete" | "cancelled";

/** A line that is typed in raw mode: the program has to do itself what the terminal does else. */
export class PasswordLine {
  readonly #bytes: number[] = [];

  /** Takes one byte from the terminal. */
  type(byte: number): LineState {
    switch (byte) {
      case Key.CTRL_C:
        return "cancelled";
      case Key.CTRL_D:
      case Key.LINE_FEED:
      case Key.RETURN:
        return "complete";
      case Key.CTRL_U:
        this.#bytes.length = 0;
        return "open";
      case Key.BACKSPACE:
      case Key.DELETE:
        this.#removeCharacter();
        return "open";
      default:
        if (this.#bytes.length < LINE_SIZE_MAX) this.#bytes.push(byte);
        return "open";
    }
  }

  /** What has been typed. */
  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.#bytes));
  }

  #removeCharacter(): void {
    // The bytes behind the first one of a character all begin with the bits 10.
    while ((this.#bytes.pop() ?? 0) >> 6 === 0b10);
  }
}

/** Whether there is somebody who can be asked. */
export function canAsk(): boolean {
  return Deno.stdin.isTerminal();
}

/**
 * Asks for a password; undefined when standard input is not a terminal.
 *
 * @throws {AuthError} `cancelled` when Ctrl-C is pressed
 */
export function askPassword(terminal: Terminal, question: string): string | undefined {
  if (!canAsk()) return undefined;
  // Before the question: what is typed at once must not be shown either.
  Deno.stdin.setRaw(true);
  try {
    terminal.err(question);
    return readLine();
  } finally {
    Deno.stdin.setRaw(false);
    terminal.err("\n");
  }
}

/**
 * Asks for a new password, twice; undefined when standard input is not a terminal.
 *
 * @throws {AuthError} `cancelled` when Ctrl-C is pressed
 * @throws {UsageError} when it is too short, or both times are not the same
 */
export function askNewPassword(terminal: Terminal, question: string): string | undefined {
  const password = askPassword(terminal, question);
  if (password === undefined) return undefined;
  checkNewPassword(password);
  if (askPassword(terminal, "Verify Password: ") === password) return password;
  throw new UsageError("Passwords do not match!");
}

/** Checks that a password is long enough to lock something. @throws {UsageError} */
export function checkNewPassword(password: string): void {
  if (new TextEncoder().encode(password).length >= PASSWORD_SIZE_MIN) return;
  throw new UsageError(`Password too short! It needs at least ${PASSWORD_SIZE_MIN} bytes`);
}

function readLine(): string {
  const line = new PasswordLine();
  const byte = new Uint8Array(1);
  while (true) {
    const state = Deno.stdin.readSync(byte) === null ? "complete" : line.type(byte[0]!);
    if (state === "complete") return line.text;
    if (state === "cancelled") throw new AuthError("Interrupted", { code: "cancelled" });
  }
}

/**
 * What a command may use of the world, with nothing of the real one in it.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandContext } from "#src/cli/command.ts";

/** A context that keeps what is printed. */
export interface RecordingContext extends CommandContext {
  readonly printed: { out: string; err: string };
}

/** A context with these environment variables. */
export function contextOf(
  environment: Readonly<Record<string, string>>,
  isWatched = false,
): RecordingContext {
  const printed = { out: "", err: "" };
  return {
    printed,
    program: new Command(),
    args: [],
    environment: (name) => environment[name],
    terminal: {
      out: (text) => void (printed.out += text),
      outBytes: (bytes) => void (printed.out += new TextDecoder().decode(bytes)),
      err: (text) => void (printed.err += text),
      isWatched,
      isTerminal: false,
      columns: undefined,
    },
  };
}

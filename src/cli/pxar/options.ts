/**
 * Options that several commands on archives have.
 *
 * @module
 */

import { type Command, Option } from "commander";

/** Values of {@link addPayloadOption}. */
export interface PayloadOptions {
  readonly payload?: string;
  readonly payloadInput?: string;
}

/** The option that names the payload stream of a split archive. */
export function addPayloadOption(command: Command): Command {
  return command
    .option("--payload <file>", "payload stream; default for NAME.mpxar is NAME.ppxar")
    .addOption(new Option("--payload-input <file>", "same as --payload").hideHelp());
}

/** The payload stream that was asked for. */
export function payloadOf(options: PayloadOptions): string | undefined {
  return options.payload ?? options.payloadInput;
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, former: readonly string[] = []): string[] {
  return [...former, value];
}

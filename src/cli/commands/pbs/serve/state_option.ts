/**
 * The folder of a server, for commands about its users.
 *
 * @module
 */

import type { Command } from "commander";
import { STATE_DIR_DEFAULT } from "#src/usecases/server/server_settings.ts";
import type { Uses } from "../../../permissions.ts";
import { addFormatOptions, type FormatChoice } from "../../../output/output.ts";

/** Values of {@link addStateOption}. */
export interface StateOption extends FormatChoice {
  readonly args: readonly string[];
  readonly stateDir: string;
}

/** What these commands use. */
export const STATE_USES: Uses = ["read", "write", "ffi", "env"];

/** The option, and those for the form of results. */
export function addStateOption(command: Command): Command {
  return addFormatOptions(
    command.option("--state-dir <directory>", "folder of the server", STATE_DIR_DEFAULT),
  );
}

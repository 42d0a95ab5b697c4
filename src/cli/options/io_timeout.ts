/**
 * The option that says how long a request may wait for what is mounted.
 *
 * @module
 */

import type { Command } from "commander";
import { wholeNumber } from "../command.ts";

/** Ten days: longer than that is for ever. */
const SECONDS_MAX = 864_000;

/** Its value, as commander gives it. */
export interface IoTimeoutOption {
  readonly ioTimeout?: string;
}

/** Adds the option. */
export function addIoTimeout(command: Command): Command {
  return command.option(
    "--io-timeout <seconds>",
    "fail with EIO what waits longer for the backup's storage; default: wait as for a disk",
  );
}

/** How long a request may wait, in milliseconds; undefined: for ever. @throws {UsageError} */
export function parseIoTimeout({ ioTimeout }: IoTimeoutOption): number | undefined {
  if (ioTimeout === undefined) return undefined;
  return 1000 * wholeNumber(ioTimeout, "--io-timeout", 1, SECONDS_MAX);
}

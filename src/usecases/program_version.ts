/**
 * The program's version, from the one place that has it.
 *
 * @module
 */

import configuration from "#version" with { type: "json" };

/** Version of the program. */
export const PROGRAM_VERSION: string = configuration.version;

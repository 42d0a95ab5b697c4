/**
 * What commands that open sources use of the runtime's permissions.
 *
 * @module
 */

import { serverOfSource } from "#src/sources/server_of_source.ts";
import { PASSWORD_PROGRAM, SERVER_PASSWORD_PROGRAM } from "../datastore/store_uses.ts";
import type { ConditionalUse, Uses } from "../permissions.ts";

const ORDINALS = ["", "second "];

/** The name of a source that arguments mean, where none of them is one. */
export type NameOfArguments = (args: readonly string[]) => string | undefined;

/**
 * Commands whose arguments at these places, counted from 0, are names of sources. For each that is
 * on a server a thread reaches the network, and nothing else does.
 */
export function usesOfSources(...places: readonly (number | NameOfArguments)[]): Uses {
  const servers = places.map((place, index): ConditionalUse => ({
    use: "network thread",
    when: `the ${ORDINALS[index]}name is that of a server`,
    holds: ({ args }) => isOnServer(typeof place === "number" ? args[place] : place(args)),
  }));
  return ["read", "ffi", "env", ...servers, SERVER_PASSWORD_PROGRAM, PASSWORD_PROGRAM];
}

/** Whether a source by that name is on a server; undefined names none. */
export async function isOnServer(name: string | undefined): Promise<boolean> {
  return name !== undefined && await serverOfSource(name) !== undefined;
}

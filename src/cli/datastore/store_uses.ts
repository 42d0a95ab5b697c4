/**
 * What commands on datastores use of the runtime's permissions.
 *
 * @module
 */

import { KEY_PASSWORD, SERVER_PASSWORD } from "#src/usecases/keys/secrets.ts";
import { parseRepository } from "#src/pbs/client/repository.ts";
import type { ConditionalUse, Uses } from "../permissions.ts";

/** Programs that are run for a password. */
export const PASSWORD_PROGRAM: ConditionalUse = {
  use: "run",
  when: `\`${KEY_PASSWORD}_CMD\` is set`,
  holds: (_, context) => context.environment(`${KEY_PASSWORD}_CMD`) !== undefined,
};

/** Programs that are run for the password of a server. */
export const SERVER_PASSWORD_PROGRAM: ConditionalUse = {
  use: "run",
  when: `\`${SERVER_PASSWORD}_CMD\` is set`,
  holds: (_, context) => context.environment(`${SERVER_PASSWORD}_CMD`) !== undefined,
};

/** A server that the option or the variable names. */
const SERVER: ConditionalUse = {
  use: "network thread",
  when: "the repository is on a server",
  holds: ({ repository }, context) =>
    isServer((repository as string | undefined) ?? context.environment("PBS_REPOSITORY")),
};

/**
 * Commands on a datastore. What they change of one on this machine they change through the C
 * library.
 */
export const STORE_USES: Uses = ["read", "ffi", "env", SERVER, SERVER_PASSWORD_PROGRAM];

/** Commands that need a server. */
export const LOGIN_USES: Uses = STORE_USES;

/** Commands that also use a key, which may be locked. */
export const ENCRYPTED_STORE_USES: Uses = [...STORE_USES, PASSWORD_PROGRAM];

/** Whether a name is that of a datastore on a server; what is wrong with a name is said later. */
export function isServer(name: string | undefined): boolean {
  try {
    return name !== undefined && parseRepository(name).kind === "server";
  } catch {
    return false;
  }
}

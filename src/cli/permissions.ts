/**
 * What commands use of the runtime's permissions. All the rest is given up before a command opens a
 * file, so that a mistake in it, or in what it reads, cannot do what it has no business to do.
 *
 * @module
 */

import type { Environment } from "#src/usecases/keys/secrets.ts";

/** Permissions of the runtime. */
const PERMISSIONS = ["read", "write", "ffi", "run", "env", "sys", "net", "import"] as const;

/** A permission of the runtime. */
export type Permission = typeof PERMISSIONS[number];

/**
 * A permission, or the network for one thread alone: that thread is started first, and then nothing
 * else in this process reaches the network. There is a thread for each of these uses.
 */
export type Use = Permission | "network thread";

/** What a command uses in some of its runs only. */
export interface ConditionalUse {
  readonly use: Use;
  /** When, for the documentation: `PBS_X is set`. */
  readonly when: string;
  /** Whether a run with these options needs it. */
  holds(options: CommandLine, context: Environment): boolean | Promise<boolean>;
}

/** What a command uses. */
export type Uses = readonly (Use | ConditionalUse)[];

/** Values of all options of a command line, and its arguments. */
export type CommandLine = Readonly<Record<string, unknown>> & { readonly args: readonly string[] };

/** What a run of a command needs of what the command may use, in that order. */
export async function usesOfRun(
  uses: Uses,
  options: CommandLine,
  context: Environment,
): Promise<Use[]> {
  const needed: Use[] = [];
  for (const use of uses) {
    if (typeof use === "string") needed.push(use);
    else if (await use.holds(options, context)) needed.push(use.use);
  }
  return needed;
}

/**
 * Gives up, for good, what this process does not use: here and in all threads but those started
 * with permissions of their own.
 */
export function keepOnly(uses: readonly Use[]): void {
  for (const name of PERMISSIONS) {
    if (!uses.includes(name)) Deno.permissions.revokeSync({ name } as Deno.PermissionDescriptor);
  }
}

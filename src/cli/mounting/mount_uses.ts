/**
 * What `pbkfs mount` uses of the runtime's permissions.
 *
 * @module
 */

import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import type { Uses } from "../permissions.ts";
import { isOnServer } from "../sources/source_uses.ts";

/** The background worker is the same program once more. */
export const MOUNT_USES: Uses = ["read", "ffi", "run", "env", {
  use: "network thread",
  when: "the name is that of a server",
  holds: async ({ args, branchOf, diffDir }) =>
    await isOnServer(args[0]) || await isOnServer(rememberedName(branchOf)) ||
    await isOnServer(rememberedName(diffDir)),
}];

/**
 * A diff directory that is mounted again says by itself what it lies over. What is wrong with it is
 * said later.
 */
function rememberedName(diffPath: unknown): string | undefined {
  try {
    const { source } = JSON.parse(Deno.readTextFileSync(`${diffPath}/${BINDING_FILE_NAME}`));
    return typeof source.name === "string" ? source.name : undefined;
  } catch {
    return undefined;
  }
}

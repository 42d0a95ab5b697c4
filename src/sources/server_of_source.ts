/**
 * Which names are those of sources on a server, for who must know it before anything is opened.
 *
 * @module
 */

import { OsError, UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import type { ServerRepository } from "#src/pbs/client/repository.ts";
import { parseSourceName } from "./name.ts";

/**
 * The server that a name names; undefined for what lies on this machine, and for what is no name.
 * What is wrong with a name is said where it is opened.
 */
export async function serverOfSource(text: string): Promise<ServerRepository | undefined> {
  try {
    const { kind, place } = parseSourceName(text);
    if (kind === "pbs") return (await import("./pbs/store_place.ts")).serverOf(place);
    // What lies on this machine may be a diff directory.
    const isDiff = kind === undefined || kind === "diff";
    if (!isDiff || !isDiffDirectory(absolutePath(place))) return undefined;
    const bottom = (await import("./diff/named_diff.ts")).nameOfBottom(place);
    return bottom === undefined ? undefined : await serverOfSource(bottom);
  } catch (error) {
    if (error instanceof UsageError || error instanceof OsError) return undefined;
    throw error;
  }
}

function isDiffDirectory(path: string): boolean {
  return hostFiles.status(`${path}/${BINDING_FILE_NAME}`) !== undefined;
}

/**
 * Where a datastore is, by the place in the name of a source: a directory or a server.
 *
 * @module
 */

import { absolutePath } from "#src/io/absolute_path.ts";
import { isDirectory } from "#src/io/files/files.ts";
import {
  parseRepository,
  type Repository,
  type ServerRepository,
} from "#src/pbs/client/repository.ts";

const DIRECTORY_PREFIX = "dir:";
/** Of `pbs://user@realm@host:port/store`. */
const SERVER_PREFIX = /^\/\/(?=[^/]*@)/u;

/** The datastore that a place names. */
export function repositoryAt(place: string): Repository {
  return serverOf(place) ?? { kind: "directory", path: storeDirectory(place) };
}

/**
 * The server that a place names, which nobody can take for a path: it says who logs in, or begins
 * as an address does. Undefined for a directory.
 */
export function serverOf(place: string): ServerRepository | undefined {
  const text = place.replace(SERVER_PREFIX, "").replace(/^([^/]*)\//u, "$1:");
  const isAddress = SERVER_PREFIX.test(place);
  if (!isAddress && (!/^[^/]*@[^/]*:[^/]*$/u.test(place) || isDirectory(place))) return undefined;
  const repository = parseRepository(isAddress ? text : place);
  return repository.kind === "server" ? repository : undefined;
}

/** A path, or a directory as PBS_REPOSITORY writes it. */
export function storeDirectory(place: string): string {
  const isPrefixed = place.startsWith(DIRECTORY_PREFIX) && !isDirectory(place);
  return absolutePath(isPrefixed ? place.slice(DIRECTORY_PREFIX.length) : place);
}

/**
 * What a server on this machine says of a datastore that is also opened here: its name, and so its
 * lock files, and whether it is being maintained.
 *
 * @module
 */

import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { Failure, StateError, UsageError } from "#src/errors.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import type { DatastoreOptions } from "./directory_options.ts";
import { parseDatastoreConfig, type ServedDatastore } from "../../format/datastore_config.ts";
import { SERVER_LOCKS_PATH } from "./server_lock_paths.ts";

const CONFIG_PATH = "/etc/proxmox-backup/datastore.cfg";
const CONFIG_SIZE_MAX = 4 << 20;
const STORE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** Where a datastore's chunks are that is whole. */
const OWN_BACKEND = "filesystem";

/**
 * What a server keeps the chunks in of which the directory is only a cache; undefined where it is a
 * whole datastore.
 */
export function foreignBackend({ entry }: LocalServer): string | undefined {
  return entry === undefined || entry.backend === OWN_BACKEND ? undefined : entry.backend;
}

/** What there is of a server. */
export interface LocalServer {
  /**
   * Folder with its lock files of the datastore; undefined where there is none, or its name for the
   * datastore is not known.
   */
  readonly locksPath: string | undefined;
  /** What whoever opens the datastore should know of locks that cannot be taken. */
  readonly warnings: readonly string[];
  /** Its entry for the datastore; undefined where there is none, or its list may not be read. */
  readonly entry: ServedDatastore | undefined;
}

/**
 * Looks for a server of the datastore at `storePath`.
 *
 * @param storePath without links in it
 * @throws {UsageError} when the server's name for the datastore is no name, or that of another
 *   directory
 * @throws {StateError} `maintenance` when the server allows no access, or no writing; `not-found`
 *   when the datastore is to be written to, but the server's locks cannot be taken
 */
export function findLocalServer(storePath: string, options: DatastoreOptions): LocalServer {
  const { serverStore } = options;
  if (serverStore !== undefined && !STORE_NAME.test(serverStore)) {
    throw new UsageError(`Cannot use "${serverStore}" as a server's name for a datastore`);
  }
  const entry = findEntry(storePath, options);
  const isWriting = options.access === "write";
  checkMaintenance(entry, isWriting);
  const base = options.serverLocksPath ?? SERVER_LOCKS_PATH;
  const name = serverStore ?? entry?.name;
  const hasLocks = mayUseFfi && isDirectory(base);
  if (name !== undefined && hasLocks) {
    return { locksPath: `${base}/${name}`, warnings: [], entry };
  }
  const warnings: string[] = [];
  if (hasLocks && isWriting) {
    warnings.push(
      `A server keeps locks in "${base}", but its name for the datastore is not known: ` +
        "a server of version 3.4 or later does not notice that snapshots are in use",
    );
  }
  if (serverStore !== undefined) {
    const problem = `There is no directory "${base}" with a server's locks`;
    if (isWriting) {
      throw new StateError("not-found", `Cannot write to datastore "${storePath}": ${problem}`, {
        hint: "Start the server, or do not name it where none runs",
      });
    }
    warnings.push(problem);
  }
  return { locksPath: undefined, warnings, entry };
}

function findEntry(storePath: string, options: DatastoreOptions): ServedDatastore | undefined {
  const { serverStore, serverConfigPath = CONFIG_PATH } = options;
  const entries = readConfig(serverConfigPath);
  if (entries === undefined) return undefined;
  if (serverStore === undefined) {
    return entries.find(({ path }) => isSameDirectory(path, storePath) === true);
  }
  const entry = entries.find(({ name }) => name === serverStore);
  if (entry !== undefined && isSameDirectory(entry.path, storePath) !== false) return entry;
  const problem = entry === undefined ? "none of that name" : `that name for "${entry.path}"`;
  throw new UsageError(
    `The server's name for datastore "${storePath}" is not "${serverStore}": ` +
      `"${serverConfigPath}" has ${problem}`,
  );
}

/** Undefined where there is no such list, or it may not be read. */
function readConfig(path: string): ServedDatastore[] | undefined {
  try {
    return parseDatastoreConfig(new TextDecoder().decode(hostFiles.read(path, CONFIG_SIZE_MAX)));
  } catch (error) {
    if (error instanceof Failure || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** Undefined where the path leads nowhere: a server in a container has other paths. */
function isSameDirectory(path: string, storePath: string): boolean | undefined {
  if (!path.startsWith("/")) return undefined;
  try {
    const [one, other] = [hostFiles.status(path), hostFiles.status(storePath)];
    if (one?.kind !== "directory") return undefined;
    return one.device === other?.device && one.ino === other.ino;
  } catch (error) {
    if (error instanceof Failure || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

function checkMaintenance(entry: ServedDatastore | undefined, isWriting: boolean): void {
  const mode = entry?.maintenance;
  if (mode === undefined || (mode === "read-only" && !isWriting)) return;
  throw new StateError(
    "maintenance",
    `Cannot ${isWriting ? "write to" : "open"} datastore "${entry!.path}": ` +
      `its server has it in maintenance mode "${mode}"`,
    { hint: "End the maintenance at the server" },
  );
}

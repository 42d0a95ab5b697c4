/**
 * The one thread that may reach the network. What it reads there is not to be trusted, so it may do
 * nothing else: read no file, write none, run nothing, call no library.
 *
 * @module
 */

import { type SpawnThread, threadsFrom } from "./thread.ts";

/** Its role. */
export const NETWORK_ROLE = "network";

const PERMISSIONS: Deno.PermissionOptionsObject = {
  net: "inherit",
  read: false,
  write: false,
  ffi: false,
  run: false,
  env: false,
  sys: false,
  import: false,
};

/**
 * Starts the thread. It has what the starting one may reach of the network, and keeps that whatever
 * the others give up later. Needs `--unstable-worker-options`.
 */
export function networkThreadFrom(url: string | (() => URL)): SpawnThread {
  return threadsFrom(url, PERMISSIONS);
}

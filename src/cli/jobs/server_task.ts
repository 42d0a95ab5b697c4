/**
 * Tasks that a server does for a command.
 *
 * @module
 */

import { showMessage } from "#src/bytes/quoting.ts";
import type { CallParameters } from "#src/pbs/client/network_thread/server_port.ts";
import type { RemoteStore } from "#src/pbs/client/remote_store.ts";
import type { Output } from "../output/output.ts";
import type { Terminal } from "../terminal/terminal.ts";

/**
 * Starts a task, shows what it says on standard error, and waits for its end.
 *
 * @param name of the call that starts it
 * @returns whether it has done what it should
 */
export function runServerTask(
  store: RemoteStore,
  name: "gc" | "verify",
  parameters: CallParameters,
  terminal: Terminal,
  output: Output,
): boolean {
  const onLine = (text: string) => {
    if (output.isJson) output.event({ type: "log", message: text });
    else terminal.err(`${showMessage(text)}\n`);
  };
  const result = store.runTask(name, parameters, onLine);
  if (result === "OK") return true;
  output.warning(`the task of ${store.name} has ended with: ${showMessage(result)}`);
  return false;
}

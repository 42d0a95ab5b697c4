/**
 * The thread of a mount that hydrates its diff directory.
 *
 * @module
 */

import { setThreadNiceness } from "#ffi/libc/calls.ts";
import { NO_WAIT_GATE } from "#src/io/wait_gate.ts";
import { hydrate } from "#src/overlay/hydration/hydrate.ts";
import { openLower } from "../served_source.ts";
import type { FromHydrationThread, HydrationThreadStart } from "./hydration_messages.ts";

/**
 * Those that answer requests come first. Not the lowest priority there is: a thread that waits for
 * a processor may hold a lock that they want.
 */
const NICENESS = 5;

/** Hydrates until there is nothing more to do, or it is to stop. Never throws. */
export function runHydrationThread(
  { description, workerCount, posixAcls, port }: HydrationThreadStart,
): void {
  const send = (message: FromHydrationThread) => port.postMessage(message);
  let failure: string | undefined;
  try {
    setThreadNiceness(NICENESS);
    // The reserve has the number before.
    const index = workerCount + 1;
    const thread = { index, gate: NO_WAIT_GATE, isLate: false, posixAcls };
    const lower = openLower(description, thread);
    try {
      hydrate({ ...description.overlay!, lower, worker: index }, {
        leftOut: (path, { message }) => send({ type: "left-out", path, message }),
        paused: ({ message }) => send({ type: "paused", message }),
        resumed: () => send({ type: "resumed" }),
        hydrated: () => send({ type: "hydrated" }),
      });
    } finally {
      lower.close();
    }
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  send({ type: "ended", failure });
}

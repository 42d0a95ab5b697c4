/**
 * The name of the thread that serves files.
 *
 * @module
 */

/** Role of the thread that serves files (`agent_thread.ts`). */
export const AGENT_ROLE = "agent";

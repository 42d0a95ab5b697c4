/**
 * What a mount and its thread that hydrates say to each other.
 *
 * @module
 */

import type { MountDescription } from "../served_source.ts";

/** Role of the thread. */
export const HYDRATION_ROLE = "hydration";

/** What the thread is started with. */
export interface HydrationThreadStart {
  /** Of a mount over a diff directory. */
  readonly description: MountDescription;
  /** Threads that serve, besides the reserve. */
  readonly workerCount: number;
  /** The kernel checks access by POSIX ACLs. */
  readonly posixAcls: boolean;
  /** Where it says {@link FromHydrationThread}; nothing is said to it but by shared memory. */
  readonly port: MessagePort;
}

/** Said by the thread. */
export type FromHydrationThread =
  /** A file stays in the source. */
  | { readonly type: "left-out"; readonly path: string; readonly message: string }
  | { readonly type: "paused"; readonly message: string }
  | { readonly type: "resumed" }
  /** The diff has everything. */
  | { readonly type: "hydrated" }
  /** Last: nothing of the mount is used any more. */
  | { readonly type: "ended"; readonly failure: string | undefined };

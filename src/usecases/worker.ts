/**
 * The module that every thread of the program starts from: it serves a mount, hydrates its diff
 * directory, handles chunks of a backup, verifies chunks, loads those that will be wanted next,
 * writes files of a restore, backs up another host, or serves files to who backs them up.
 *
 * @module
 */

import { endNativeCodecs } from "#src/codecs/codecs.ts";
import { FUSE_ROLE } from "#src/mount/worker_protocol.ts";
import { serveThread, threadRole } from "#src/threads/thread.ts";
import { PULL_ROLE, type PullThreadStart } from "./pull/messages.ts";
import { AGENT_ROLE } from "./agent/agent_role.ts";
import { PAGE_CHECK_ROLE } from "./drill/page_check_role.ts";
import {
  HYDRATION_ROLE,
  type HydrationThreadStart,
} from "./mounting/hydration/hydration_messages.ts";
import type { MountDescription } from "./mounting/served_source.ts";
import { MOUNT_ROLE, type MountThreadStart } from "./mounting/thread/thread_messages.ts";
import { RESTORE_ROLE, type RestoreThreadStart } from "./restore/thread_start.ts";

/** Loads what a role does. */
type LoadRole = () => Promise<(start: unknown) => void | Promise<void>>;

const ROLES: Readonly<Record<string, LoadRole>> = {
  /** Files of this host, for its backups. */
  [AGENT_ROLE]: async () => (await import("./agent/agent_thread.ts")).runAgentThread,
  /** What brings everything into the diff directory of a mount. */
  [HYDRATION_ROLE]: async () => {
    const { runHydrationThread } = await import("./mounting/hydration/hydration_thread.ts");
    return (start) => runHydrationThread(start as HydrationThreadStart);
  },
  /** A mount in a program that uses the library. */
  [MOUNT_ROLE]: async () => {
    const { runMountThread } = await import("./mounting/thread/mount_thread.ts");
    return (start) => runMountThread(start as MountThreadStart);
  },
  /** A client that is backed up. */
  [PULL_ROLE]: async () => {
    const { runPullThread } = await import("./pull/pull_thread.ts");
    return (start) => runPullThread(start as PullThreadStart);
  },
  /** Files of a restore. */
  [RESTORE_ROLE]: async () => {
    const { writeFiles } = await import("./restore/restore_thread.ts");
    return (start) => writeFiles(start as RestoreThreadStart);
  },
  /** Pages of a data directory in a drill. */
  [PAGE_CHECK_ROLE]: async () => (await import("./drill/page_check_thread.ts")).servePageChecks,
};

/** Puts the handler in place that the role of this thread wants. */
async function serve(): Promise<void> {
  const role = threadRole();
  const load = Object.hasOwn(ROLES, role) ? ROLES[role] : undefined;
  if (load !== undefined) {
    const loading = load();
    serveThread({ [role]: async (start) => (await loading)(start) }, endNativeCodecs);
  } else if (role === FUSE_ROLE) {
    const [{ serveWorker }, { openMounted }] = await Promise.all([
      import("#src/mount/fuse_worker.ts"),
      import("./mounting/served_source.ts"),
    ]);
    serveWorker((description, context) => openMounted(description as MountDescription, context));
  } else {
    const { serveDatastoreThread } = await import("#src/pbs/thread_roles.ts");
    if (!serveDatastoreThread()) throw new TypeError(`There is no role "${role}"`);
  }
}

// Each role loads its own code alone, and begins while its start is on its way.
const scope = globalThis as unknown as { onmessage: ((event: MessageEvent) => void) | null };
const serving = serve();
scope.onmessage ??= async (event) => {
  await serving;
  scope.onmessage!(event);
};

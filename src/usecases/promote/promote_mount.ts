/**
 * A mounted diff directory becomes a directory of its own: hydrated, the server stopped, unmounted,
 * promoted. Everything that can be refused is refused while the server runs.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { syncFileSystem } from "#src/io/files/whole_file.ts";
import { requireBinding } from "#src/overlay/diff_directory.ts";
import { realPathOfMissing } from "#src/overlay/diff_place.ts";
import { isHydrated } from "#src/overlay/hydration/hydrated_mark.ts";
import { findMountAt } from "../mounting/control/find_worker.ts";
import { notMounted } from "../mounting/control/mount_errors.ts";
import type { HydrationReport } from "../mounting/hydration/hydration_report.ts";
import { requestHydration, waitForHydration } from "../mounting/hydration/hydration_request.ts";
import { unmount } from "../mounting/unmount.ts";
import { promoteDiff, type PromotionStep, type PromotionSummary } from "./promote_diff.ts";
import { planPromotion, type PromotedPlaces } from "./promotion_plan.ts";
import { findRunningServer, serverRuns, stopServer } from "./running_server.ts";

/** What is promoted, and how. */
export interface MountPromotion extends PromotedPlaces {
  /** Where it is mounted. */
  readonly mountPath: string;
  /** Default: what the mount says. */
  readonly diffPath?: string | undefined;
  /**
   * What is done about what is still only in the source: it is refused (default), waited for, or
   * hydrated at once, as fast as that goes.
   */
  readonly hydration?: "required" | "awaited" | "finished";
  /** pg_ctl(1), which stops the server; without it a running one is refused. */
  readonly pgCtlPath?: string | undefined;
}

/** Hears how far it is. */
export interface PromotionListener {
  /** Is called now and then while hydration is waited for. */
  readonly onHydration?: (report: HydrationReport) => void;
  /** Is called when a step is done. */
  readonly onStep?: (step: PromotionStep | "server stopped" | "unmounted") => void;
}

/** What was done. */
export interface MountPromotionSummary extends PromotionSummary {
  /** From the server's stop, or the unmount, until a server can be started on the target. */
  readonly withoutServerMs: number;
}

/**
 * Promotes the diff directory of a mount.
 *
 * @throws {StateError} `not-mounted`; `not-hydrated`; `partial` or `stopped` when hydration does
 *   not come to its end; `busy` when a server, or somebody else, uses the mount; and what
 *   {@link promoteDiff} throws
 * @throws {ProtocolError} `server-failed` when the server does not stop, or what is thrown when the
 *   mount cannot be ended
 */
export async function promoteMount(
  request: MountPromotion,
  listener: PromotionListener = {},
): Promise<MountPromotionSummary> {
  const { onStep = () => {}, onHydration = () => {} } = listener;
  const { mountPath, diffPath } = await findMount(request);
  const binding = requireBinding(diffPath, "promote");
  if (!isHydrated(diffPath, Uint8Array.fromHex(binding.nonce))) {
    await hydrate(mountPath, request.hydration, onHydration);
  }
  planPromotion(diffPath, binding, request);
  const server = findRunningServer(`${diffPath}/data`);
  if (server !== undefined && request.pgCtlPath === undefined) throw serverRuns(server, mountPath);
  // What is on the disk by now need not be waited for while there is no server.
  syncFileSystem(diffPath);
  const start = performance.now();
  if (server !== undefined) {
    await stopServer(server, mountPath, request.pgCtlPath!);
    onStep("server stopped");
  }
  await unmount({ mountPath, diffPath, force: false });
  onStep("unmounted");
  let withoutServerMs = 0;
  const summary = promoteDiff({ ...request, diffPath }, (step) => {
    if (step === "placed") withoutServerMs = Math.round(performance.now() - start);
    onStep(step);
  });
  return { ...summary, withoutServerMs };
}

async function findMount(
  request: MountPromotion,
): Promise<{ mountPath: string; diffPath: string }> {
  using mount = await findMountAt(request.mountPath, request.diffPath);
  const { mountPath, entry, worker, diffPath } = mount;
  if (entry === undefined && worker === undefined) throw notMounted(mount);
  if (diffPath === undefined) {
    throw new StateError("not-found", `Cannot promote ${mountPath}: it has no diff directory`, {
      option: "diffPath",
    });
  }
  return { mountPath, diffPath: realPathOfMissing(diffPath) };
}

/** Sees to it that the diff gets everything. */
async function hydrate(
  mountPath: string,
  how: MountPromotion["hydration"] = "required",
  onHydration: (report: HydrationReport) => void,
): Promise<void> {
  if (how === "required") throw notHydrated(mountPath, await requestHydration(mountPath));
  if (how === "finished") {
    await requestHydration(mountPath, { kind: "start", rateLimit: undefined });
  }
  await waitForHydration(mountPath, onHydration);
}

function notHydrated(mountPath: string, report: HydrationReport): StateError {
  const { state, bytes_done: done, bytes_total: total } = report;
  const amount = total === 0 ? "" : `, ${done} of ${total} bytes are there`;
  return new StateError(
    "not-hydrated",
    `Cannot promote ${mountPath}: not everything is in its diff directory yet ` +
      `(hydration is ${state}${amount})`,
    { hint: "Have it finished, or wait for it", option: "hydration" },
  );
}

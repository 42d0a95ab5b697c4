/**
 * Drives a hydrator: keeps to the rate, obeys orders, says how fast it is.
 *
 * @module
 */

import type { OverlayParts } from "../overlay.ts";
import { type HydrationListener, type HydrationStep, Hydrator } from "./hydrator.ts";
import { HydrationState } from "./hydration_state.ts";

/** How often the rate is measured. */
const MEASURE_MS = 1000;

/** What may be saved up while nothing could be copied, as time. */
const SAVED_MS_MAX = 250;

/**
 * Hydrates until there is nothing more to do, or the order is to stop. Blocks its thread. The phase
 * in shared memory says how it has ended.
 *
 * @param parts `worker` is a number that no other thread of the mount has
 * @throws {Failure} when it cannot go on; the phase is `failed`
 */
export function hydrate(parts: OverlayParts, listener: HydrationListener): void {
  const state = new HydrationState(parts.shared.hydration);
  let hydrator: Hydrator | undefined;
  try {
    hydrator = new Hydrator(parts, listener);
    drive(hydrator.run(), state);
  } catch (error) {
    state.enter("failed", error instanceof Error && "errno" in error ? Number(error.errno) : 0);
    throw error;
  } finally {
    hydrator?.close();
    state.stop();
  }
}

function drive(steps: Generator<HydrationStep>, state: HydrationState): void {
  const pace = new Pace(state);
  for (const step of steps) {
    if ("waitMs" in step) state.sleep(step.waitMs);
    else pace.spend(step.bytes);
    if (state.isWanted) continue;
    // What has everything is not off.
    if (state.phase !== "waiting") state.enter("off");
    return;
  }
}

/** Bytes over time. */
class Pace {
  readonly #state: HydrationState;
  /** Until then all that was copied is paid for. */
  #paidUntilMs = performance.now();
  #measuredAtMs = this.#paidUntilMs;
  #bytes = 0;

  constructor(state: HydrationState) {
    this.#state = state;
  }

  /** Sleeps as long as the rate wants it after so many bytes. */
  spend(bytes: number): void {
    const now = performance.now();
    this.#measure(bytes, now);
    const { rateLimit } = this.#state;
    if (rateLimit === 0 || bytes === 0) return;
    const paidUntilMs = Math.max(this.#paidUntilMs, now - SAVED_MS_MAX);
    this.#paidUntilMs = paidUntilMs + bytes / rateLimit * 1000;
    if (this.#paidUntilMs > now) this.#state.sleep(this.#paidUntilMs - now);
  }

  #measure(bytes: number, now: number): void {
    this.#bytes += bytes;
    const passedMs = now - this.#measuredAtMs;
    if (passedMs < MEASURE_MS) return;
    this.#state.setRate(this.#bytes / passedMs * 1000);
    this.#measuredAtMs = now;
    this.#bytes = 0;
  }
}

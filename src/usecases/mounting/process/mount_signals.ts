/**
 * The signals of a mounting process.
 *
 * @module
 */

import type { OwnOrders } from "../control/worker_orders.ts";
import type { HydrationOrder } from "../hydration/mount_hydration.ts";
import type { MountOrders } from "../mount_frame.ts";
import { forwardSignal, SIGURG, SIGUSR1 } from "#ffi/libc/calls.ts";

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * Listens from the start, so that no signal ends the process in the middle of something; what
 * arrives before anybody cares is kept.
 */
export class MountSignals implements MountOrders {
  #onStop: ((isRepeated: boolean) => void) | undefined;
  #onStatistics: ((reset: boolean) => void) | undefined;
  #onHydration: ((order: HydrationOrder) => void) | undefined;
  readonly #orders: OwnOrders;
  #isStopPending = false;
  readonly #listeners: [Deno.Signal, () => void][] = [];

  /** @param orders are read when SIGUSR1 comes */
  constructor(orders: OwnOrders) {
    this.#orders = orders;
    for (const signal of STOP_SIGNALS) this.#listen(signal, () => this.#stop());
    // By itself the runtime would open its debugger to every local user on SIGUSR1.
    this.#listen("SIGUSR1", () => {});
    this.#listen("SIGURG", () => this.#obeyAndAnswer());
    forwardSignal(SIGUSR1, SIGURG);
    this.#listen("SIGUSR2", () => this.#onStatistics?.(true));
    // The terminal that the mount was made from is closed: no reason to end.
    this.#listen("SIGHUP", () => {});
  }

  /**
   * `handler` is told of SIGTERM and SIGINT; `isRepeated` when an earlier one has not been dealt
   * with.
   */
  onStop(handler: (isRepeated: boolean) => void): void {
    this.#onStop = handler;
    if (this.#isStopPending) handler(false);
  }

  /** The last SIGTERM or SIGINT has been dealt with. */
  stopHandled(): void {
    this.#isStopPending = false;
  }

  /** `handler` is told of SIGUSR1 and SIGUSR2; the latter asks for a reset. */
  onStatistics(handler: (reset: boolean) => void): void {
    this.#onStatistics = handler;
  }

  onHydration(handler: (order: HydrationOrder) => void): void {
    this.#onHydration = handler;
  }

  /** The answer is what there is to say when the order has been obeyed. */
  #obeyAndAnswer(): void {
    const order = this.#orders.take();
    if (order !== undefined) this.#onHydration?.(order);
    this.#onStatistics?.(false);
  }

  /** Stops listening. */
  close(): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  #listen(signal: Deno.Signal, listener: () => void): void {
    Deno.addSignalListener(signal, listener);
    this.#listeners.push([signal, listener]);
  }

  #stop(): void {
    const isRepeated = this.#isStopPending;
    this.#isStopPending = true;
    this.#onStop?.(isRepeated);
  }
}

/**
 * The hydration of one mount, seen from where the mount lives: started, stopped, followed.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import { describeErrno } from "#ffi/libc/calls.ts";
import { logger } from "#src/log/logger.ts";
import { isHydrated } from "#src/overlay/hydration/hydrated_mark.ts";
import { HydrationState } from "#src/overlay/hydration/hydration_state.ts";
import { startThread, threadName } from "#src/threads/thread.ts";
import { spawnThread } from "../../threads.ts";
import type { MountDescription } from "../served_source.ts";
import {
  type FromHydrationThread,
  HYDRATION_ROLE,
  type HydrationThreadStart,
} from "./hydration_messages.ts";
import { type HydrationReport, hydrationReport } from "./hydration_report.ts";

const log = logger("hydration");

/** How often the log says how far it is. */
const LOG_EVERY_MS = 30_000;

/** What somebody wants of the hydration of a mount. */
export type HydrationOrder =
  /** `rateLimit` is bytes a second; undefined: as many as it can. */
  | { readonly kind: "start"; readonly rateLimit: number | undefined }
  | { readonly kind: "stop" };

/** Hydrates the diff directory of a mount, in a thread that is there only as long. */
export class MountHydration {
  readonly #description: MountDescription;
  readonly #workerCount: number;
  readonly #posixAcls: boolean;
  readonly #state: HydrationState;
  /** The last order, where it was to start. */
  #wanted: { readonly rateLimit: number | undefined } | undefined;
  #running: Promise<void> | undefined;
  #reason: string | undefined;
  #isOver = false;

  /**
   * @param description of a mount over a diff directory
   * @param posixAcls the kernel checks access by ACLs
   */
  constructor(description: MountDescription, workerCount: number, posixAcls: boolean) {
    const { shared, diffPath, nonce } = description.overlay!;
    this.#description = description;
    this.#workerCount = workerCount;
    this.#posixAcls = posixAcls;
    this.#state = new HydrationState(shared.hydration);
    if (isHydrated(diffPath, nonce)) this.#state.enter("complete");
  }

  /** Does what is wanted, from now on. */
  obey(order: HydrationOrder): void {
    if (order.kind === "stop") {
      this.#wanted = undefined;
      this.#state.stop();
      return;
    }
    const { rateLimit } = order;
    this.#wanted = { rateLimit };
    if (this.#isOver) return;
    if (this.#description.overlay!.volatileDirectories.length > 0) {
      this.#reason = "What is written to pg_wal is kept only while it is mounted";
      return this.#state.enter("failed");
    }
    this.#state.order(rateLimit);
    if (this.#running === undefined) this.#start();
  }

  /** How far it is. */
  report(): HydrationReport {
    const progress = this.#state.read();
    const { errno, phase } = progress;
    // The thread begins, and ends, a moment after it was told to.
    const isGoing = phase === "running" || phase === "paused";
    const isWanted = this.#wanted !== undefined;
    const now = isGoing && !isWanted ? "off" : phase === "off" && isWanted ? "running" : phase;
    const reason = this.#reason ?? (errno === 0 ? undefined : describeErrno(errno));
    return hydrationReport({ ...progress, phase: now }, reason);
  }

  /** Ends with the mount: returns when the diff directory is not used any more. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#state.stop();
    await this.#running;
  }

  #start(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { port1, port2: port } = new MessageChannel();
    const progress = setInterval(() => this.#logProgress(), LOG_EVERY_MS);
    Deno.unrefTimer(progress);
    const over = (failure: string | undefined) => {
      clearInterval(progress);
      port1.close();
      this.#running = undefined;
      resolve();
      this.#logEnd(failure);
      // It was wanted again while it came to its end.
      if (this.#wanted !== undefined && this.#state.phase === "off") {
        this.obey({ kind: "start", ...this.#wanted });
      }
    };
    port1.onmessage = ({ data }) => {
      const message = data as FromHydrationThread;
      if (message.type === "ended") over(message.failure);
      else this.#note(message);
    };
    this.#running = promise;
    this.#reason = undefined;
    log.info("hydration started", { rate: rateText(this.#state.rateLimit) });
    const thread = spawnThread(threadName(HYDRATION_ROLE, 0));
    thread.onerror = (event) => {
      event.preventDefault();
      this.#state.enter("failed");
      over(event.message);
    };
    const start: HydrationThreadStart = {
      description: this.#description,
      workerCount: this.#workerCount,
      posixAcls: this.#posixAcls,
      port,
    };
    startThread(thread, start, [port]);
  }

  #note(message: Exclude<FromHydrationThread, { type: "ended" }>): void {
    switch (message.type) {
      case "left-out":
        this.#reason = message.message;
        return log.error("not hydrated, stays in the backup alone", {
          path: message.path,
          cause: message.message,
        });
      case "paused":
        this.#reason = message.message;
        return log.warn("hydration paused, goes on by itself", { cause: message.message });
      case "resumed":
        this.#reason = undefined;
        return log.info("hydration goes on");
      case "hydrated":
        return log.info("hydration complete: the diff has everything", this.#sizes());
    }
  }

  #logProgress(): void {
    const { state, bytes_done, bytes_total, rate, time_left_s } = this.report();
    if (state !== "running") return;
    log.info("hydrating", {
      done: formatHumanBytes(bytes_done),
      of: formatHumanBytes(bytes_total),
      rate: rateText(rate),
      ...(time_left_s === null ? {} : { seconds_left: time_left_s }),
    });
  }

  #logEnd(failure: string | undefined): void {
    if (failure !== undefined) {
      this.#reason = failure;
      return log.error("hydration failed", { cause: failure });
    }
    const { phase, filesLeftOut } = this.#state.read();
    if (phase === "complete") log.info("hydration ended: no file is to become plain any more");
    else if (phase === "incomplete") {
      log.error("hydration ended, files are missing", { ...this.#sizes(), missing: filesLeftOut });
    } else if (phase === "off") log.info("hydration stopped");
  }

  #sizes(): { files: number; bytes: string } {
    const { filesTotal, bytesTotal } = this.#state.read();
    return { files: filesTotal, bytes: formatHumanBytes(bytesTotal) };
  }
}

function rateText(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? "unlimited" : `${formatHumanBytes(bytesPerSecond)}/s`;
}

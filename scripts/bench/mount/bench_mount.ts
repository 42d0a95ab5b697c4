/**
 * A mount of the executable under measurement.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { elapsedSeconds } from "../host.ts";

const COMMAND_TIMEOUT_MS = 60_000;

/** Which backup to mount, and where. */
export interface BenchMountOptions {
  /** The executable. */
  readonly program: string;
  readonly store: string;
  readonly instance: string;
  readonly backupId: string;
  readonly mountPath: string;
  readonly diffPath: string;
  /** More options of `mount`. */
  readonly options?: readonly string[];
}

/** Mounts and unmounts by the command line, as users do. */
export class BenchMount {
  readonly #options: BenchMountOptions;

  constructor(options: BenchMountOptions) {
    this.#options = options;
    Deno.mkdirSync(options.mountPath, { recursive: true });
  }

  get path(): string {
    return this.#options.mountPath;
  }

  /** @returns seconds until the mount answers */
  mount(): Promise<number> {
    const { program, store, instance, backupId, mountPath, diffPath, options = [] } = this.#options;
    const args = ["-B", store, "-I", instance, "-i", backupId, "-D", mountPath, "-d", diffPath]
      .concat(options);
    return elapsedSeconds(() =>
      runCommand([program, "mount", ...args, "--wait", "--owner", "postgres"], {
        timeoutMs: COMMAND_TIMEOUT_MS,
      })
    );
  }

  /** @returns seconds until the worker has ended */
  unmount(): Promise<number> {
    const { program, mountPath } = this.#options;
    return elapsedSeconds(() =>
      runCommand([program, "unmount", "-D", mountPath], { timeoutMs: COMMAND_TIMEOUT_MS })
    );
  }

  /** Process id of the worker that serves the mount. */
  async workerPid(): Promise<number> {
    return JSON.parse(await Deno.readTextFile(`${this.path}/.pbkfs/worker.pid`)).pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { program, mountPath } = this.#options;
    await runCommand([program, "unmount", "-D", mountPath, "--force"], {
      timeoutMs: COMMAND_TIMEOUT_MS,
      check: false,
    });
  }
}

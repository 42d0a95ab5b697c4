/**
 * How all commands mount: in this process for a person who looks on, else in another one that this
 * one starts and waits for.
 *
 * @module
 */

import type { LaunchResult } from "#src/usecases/mounting/process/launch.ts";
import type { MountRequest } from "#src/usecases/mounting/mount_request.ts";
import type { SourceToMount } from "#src/usecases/mounting/source_to_mount.ts";
import type { CommandContext, FormatOptions } from "../command.ts";

/** What a command is to mount. */
export interface MountPlan<Request extends MountRequest> {
  readonly request: Request;
  /** What it shows; asked in the process that serves it. */
  sourceOf(request: Request): Promise<SourceToMount>;
  /** What the process that serves it gets, besides its arguments. */
  readonly launch?: MountLaunch;
}

/** How a mount is started. */
export interface MountLaunch {
  /** What the serving process can read from standard input. */
  readonly input?: Uint8Array | undefined;
  /** Whether what it mounts is on a server. */
  readonly usesNetwork?: boolean;
  /** Wait until the mount answers, and not only for the checks before it. Default: true. */
  readonly waitsForMount?: boolean;
  /** Longest wait for the mount. */
  readonly timeoutMs?: number | undefined;
}

/** Options that say where a mount is served. */
export interface ServingPlace {
  readonly console?: boolean;
  readonly verbose?: boolean;
  readonly owner?: string;
  /** Set in the background worker. */
  readonly handshake?: boolean;
}

/** A mount that another process serves, or one that has ended. */
export type MountOutcome =
  | (LaunchResult & { readonly mountPath: string })
  | { readonly state: "ended"; readonly code: number };

/** Whether this process serves the mount, and does not start another one that does. */
export function servesItself({ console, verbose, handshake }: ServingPlace): boolean {
  return console === true || verbose === true || handshake === true;
}

/** Says where it is mounted, for programs. @returns the exit code */
export function reportMount(
  outcome: MountOutcome,
  { format }: FormatOptions,
  { terminal }: CommandContext,
): number {
  if (outcome.state === "ended") return outcome.code;
  if (format === "json") {
    const { state, pid, mountPath } = outcome;
    const summary = { type: "summary", state, pid, mnt_path: mountPath };
    terminal.out(JSON.stringify(summary) + "\n");
  }
  return 0;
}

/**
 * Mounts, and returns when the mount answers; in this process when it has ended. @throws what the
 * serving process failed with
 */
export async function runMountPlan<Request extends MountRequest>(
  { request, sourceOf, launch = {} }: MountPlan<Request>,
  options: ServingPlace,
  { args }: CommandContext,
): Promise<MountOutcome> {
  if (servesItself(options)) {
    const { serveMount } = await import("./serving.ts");
    return { state: "ended", code: await serveMount(request, options, sourceOf) };
  }
  const { mountPath, writable, log } = request;
  const { launchWorker } = await import("#src/usecases/mounting/process/launch.ts");
  const { workerCommand } = await import("./worker_command.ts");
  const { defaultLogPath } = await import("#src/usecases/mounting/mount_request.ts");
  const result = await launchWorker({
    command: workerCommand(args, launch.usesNetwork),
    mountPath,
    waitForMount: launch.waitsForMount ?? true,
    timeoutMs: launch.timeoutMs,
    logPath: log.path ?? (writable && defaultLogPath(writable.diffPath)),
    input: launch.input,
  });
  return { ...result, mountPath };
}

/**
 * How a mounting process in the background tells its launcher how it gets on: over a pipe.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { Failure, UsageError } from "#src/errors.ts";
import type { MountReport } from "#src/usecases/mounting/mount_process.ts";
import { ERROR_FIELDS } from "../exit_code.ts";
import { formatHandshake, type HandshakeMessage } from "#src/usecases/mounting/handshake.ts";

const STDOUT = 1;
const STDERR = 2;

/** The background: standard output is the launcher's pipe until the mount answers or has failed. */
export const pipeReport: Required<MountReport> & { failed(error: unknown): void } = {
  started(logFd) {
    replaceDescriptor(STDERR, logFd);
    send({ type: "started", pid: host.getPid() });
  },
  mounted() {
    send({ type: "mounted", pid: host.getPid() });
    replaceDescriptor(STDOUT, undefined);
  },
  failed(error) {
    send({ type: "failed", error: describe(error) });
  },
};

function send(message: HandshakeMessage): void {
  const buffer = host.nativeBufferOf(new TextEncoder().encode(formatHandshake(message)));
  // The launcher may be gone; that is no reason to stop.
  host.write(STDOUT, buffer.address, BigInt(buffer.bytes.length));
}

function describe(error: unknown): Extract<HandshakeMessage, { type: "failed" }>["error"] {
  const message = error instanceof Error ? error.message : String(error);
  const isUsage = error instanceof UsageError;
  if (!(error instanceof Failure)) return { code: "internal", message, isUsage };
  const { code, hint } = error;
  const details = placeOf(error);
  return { code, message, isUsage, details, hint };
}

function placeOf(error: object): Record<string, string | number> {
  const values = ERROR_FIELDS.map(([field]) => [field, Reflect.get(error, field)] as const);
  return Object.fromEntries(
    values.filter(([, value]) => typeof value === "string" || typeof value === "number"),
  );
}

/**
 * Lets a standard descriptor lead to the log, or nowhere. The lowest free number is taken: the one
 * just closed.
 */
function replaceDescriptor(fd: number, logFd: number | undefined): void {
  host.close(fd);
  if (logFd === undefined) host.open("/dev/null", host.OpenFlag.WRONLY);
  else host.dup(logFd);
}

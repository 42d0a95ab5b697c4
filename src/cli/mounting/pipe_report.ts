/**
 * Status messages of a mounting process in the background to its launcher, over a pipe.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { MountReport } from "#src/usecases/mounting/mount_frame.ts";
import {
  formatHandshake,
  handshakeError,
  type HandshakeMessage,
} from "#src/usecases/mounting/handshake.ts";

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
    send({ type: "failed", error: handshakeError(error) });
  },
};

function send(message: HandshakeMessage): void {
  const buffer = host.nativeBufferOf(new TextEncoder().encode(formatHandshake(message)));
  // The launcher may be gone; that is no reason to stop.
  host.write(STDOUT, buffer.address, BigInt(buffer.bytes.length));
}

/**
 * Lets a standard descriptor lead to the log, or nowhere. In one step: a number that is free for a
 * moment is that of the next file which another thread opens.
 */
function replaceDescriptor(fd: number, logFd: number | undefined): void {
  if (logFd !== undefined) {
    host.replaceFd(logFd, fd, 0);
    return;
  }
  const nowhere = host.unwrap(host.open("/dev/null", host.OpenFlag.WRONLY), "open", "/dev/null");
  host.replaceFd(nowhere, fd, 0);
  host.close(nowhere);
}

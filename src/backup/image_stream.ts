/**
 * Images that come in order and once: standard input and FIFOs. Their sizes are known at their
 * ends.
 *
 * @module
 */

import { OsError, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { waitReadable } from "#ffi/libc/metadata.ts";
import type { IndexedStream } from "#src/pbs/ports.ts";
import { FileType } from "#src/tree/node.ts";

/** Standard input as a path. */
export const STANDARD_INPUT = "-";
const STANDARD_INPUT_PATHS: ReadonlySet<string> = new Set([
  STANDARD_INPUT,
  "/dev/stdin",
  "/dev/fd/0",
  "/proc/self/fd/0",
]);

const PIECE_SIZE = 1 << 20;
/** How often the caller hears of a stream that gives nothing. */
const WAIT_MS = 200;

/** Whether a path means standard input. */
export function isStandardInput(path: string): boolean {
  return STANDARD_INPUT_PATHS.has(path);
}

/**
 * Whether what is at a path can only be read in order. Nothing is opened: a FIFO is opened once.
 */
export function isImageStream(path: string): boolean {
  if (isStandardInput(path)) return true;
  const stat = new host.HostStat();
  return host.stat(path, stat) === 0 &&
    (stat.mode & FileType.MASK) === FileType.FIFO;
}

/** What takes the bytes of a stream: an index, or a spool. */
type StreamTarget = Pick<IndexedStream, "position" | "write">;

/** An open stream. */
export class ImageStream implements Disposable {
  readonly #fd: number;
  readonly #path: string;

  private constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  /**
   * Opens a FIFO without waiting for its writer, or standard input.
   *
   * @throws {UsageError} when standard input is a terminal
   * @throws {OsError}
   */
  static open(path: string): ImageStream {
    const { RDONLY, NONBLOCK, NOCTTY } = host.OpenFlag;
    if (!isStandardInput(path)) {
      const fd = host.unwrap(host.open(path, RDONLY | NONBLOCK | NOCTTY), "open", path);
      return new ImageStream(fd, path);
    }
    if (Deno.stdin.isTerminal()) {
      throw new UsageError("Cannot back up standard input: it is a terminal", {
        hint: "Pipe into it what is to be backed up",
      });
    }
    return new ImageStream(host.unwrap(host.dup(0), "open", "standard input"), "standard input");
  }

  /**
   * Writes everything up to the end.
   *
   * @param onContent is called with the position now and then, also while nothing comes; what it
   *   throws ends the copy
   * @throws {OsError} when the stream cannot be read
   * @throws {UsageError} when it is empty
   */
  writeTo(stream: StreamTarget, onContent: (position: number) => void): void {
    const { bytes, address } = host.allocateNativeBuffer(PIECE_SIZE);
    while (true) {
      onContent(stream.position);
      const ready = waitReadable(this.#fd, WAIT_MS);
      if (ready === 0 || ready === -host.Errno.EINTR) continue;
      const count = ready < 0 ? ready : host.read(this.#fd, address, BigInt(PIECE_SIZE));
      if (count === -host.Errno.EINTR || count === -host.Errno.EAGAIN) continue;
      if (count < 0) throw new OsError(-count, "read", this.#path);
      if (count === 0) break;
      stream.write(bytes.subarray(0, count));
    }
    if (stream.position > 0) return;
    throw new UsageError(`Cannot back up ${JSON.stringify(this.#path)}: it gave no bytes`, {
      hint: "An image of no bytes has no index; look at what was to be piped in",
    });
  }

  /** Closes the stream. */
  [Symbol.dispose](): void {
    host.close(this.#fd);
  }
}

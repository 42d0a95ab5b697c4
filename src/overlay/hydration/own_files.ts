/**
 * Files of the diff that hydration opens for itself: the descriptor that all openers of a file
 * share (`open_files.ts`) is closed with the last of them, and says how the kernel does I/O on it.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import type { OverlayContext } from "../context.ts";
import { Flag } from "../node_flags.ts";
import type { Nodes } from "../nodes.ts";

const { Errno, OpenFlag } = host;

/** Opens files for one thread. */
export class OwnFiles {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;

  constructor(context: OverlayContext, nodes: Nodes) {
    this.#context = context;
    this.#nodes = nodes;
  }

  /**
   * Opens a file of the diff for reading, and writing where that is allowed, and leaves no trace of
   * that. Takes the namespace lock.
   *
   * @returns a descriptor that the caller closes, or a negative errno: ENOENT when its last name is
   *   gone
   */
  open(slot: number): number {
    const { table } = this.#context;
    table.lockNamespace();
    try {
      if (table.has(slot, Flag.DELETED)) return -Errno.ENOENT;
      const place = this.#nodes.hostPlace(table.parent(slot), table.name(slot));
      const fd = openQuietlyAt(place.fd, place.name, OpenFlag.RDWR | OpenFlag.NOFOLLOW);
      if (fd !== -Errno.EACCES) return fd;
      // Its owner may not write it; to look at it is enough where it is complete.
      return openQuietlyAt(place.fd, place.name, OpenFlag.RDONLY | OpenFlag.NOFOLLOW);
    } finally {
      table.unlockNamespace();
    }
  }

  /** Makes a file in the diff's `tmp`. @returns a descriptor or a negative errno */
  make(temporary: string): number {
    const flags = OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
    return host.openAt(this.#context.tmpFd, temporary, flags, 0o600);
  }
}

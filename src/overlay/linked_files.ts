/**
 * Changed files of the lower tree that have several names there.
 *
 * Such a file must change under all its names at once, at each moment that a kill may come. So it
 * does not come into the diff under one of them, but into the directory `links/ID` beside the upper
 * tree, ID being its number in the lower tree, with one hard link for each name it has below. That
 * is one rename. Each name is given its link, by a rename too, when it is first looked up; from
 * then on it is a name of the diff as any other, and no part of the overlay need know of this.
 *
 * The links that wait for their names also keep the host's count of links what the mount shows.
 *
 * All methods want the namespace lock.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { OverlayContext } from "./context.ts";
import { readHostDirectory, removeHostTree } from "./host_directory.ts";
import type { HostPlace } from "./partial_probe.ts";

const { Errno, OpenFlag } = host;

/** Where links wait for their names, in the diff directory. */
export const LINKS_DIRECTORY_NAME = "links";

/** The links of one thread's overlay. */
export class LinkedFiles {
  readonly #context: OverlayContext;

  constructor(context: OverlayContext) {
    this.#context = context;
  }

  /**
   * Puts a file, made under a temporary name, where its names find it. Durable but for the name of
   * its directory, see {@link sync}.
   *
   * @param nameCount names that it has in the lower tree
   * @returns 0 or a negative errno; then the temporary name is gone
   */
  place(temporary: string, lowerId: number, nameCount: number): number {
    const { tmpFd, linksFd, options, table } = this.#context;
    const directory = this.#context.temporaryName();
    let result = host.mkdirAt(tmpFd, directory, 0o700);
    for (let link = 1; result === 0 && link < nameCount; link++) {
      result = host.linkAt(tmpFd, temporary, tmpFd, `${directory}/${link}`);
    }
    if (result === 0) result = host.renameAt(tmpFd, temporary, tmpFd, `${directory}/0`);
    if (result === 0 && !options.skipFsync) result = syncAt(tmpFd, directory);
    if (result === 0) result = host.renameAt(tmpFd, directory, linksFd, String(lowerId));
    if (result === 0) table.noteLinkedFiles();
    else removeHostTree(tmpFd, directory);
    return result;
  }

  /** Whether links of that file of the lower tree wait for their names. */
  has(lowerId: number): boolean {
    const { table, linksFd, stat } = this.#context;
    return table.hasLinkedFiles && host.statAt(linksFd, String(lowerId), stat) === 0;
  }

  /** Gives a name of the lower tree its link. @returns 0 or a negative errno */
  name(lowerId: number, place: HostPlace): number {
    const { linksFd } = this.#context;
    const directory = String(lowerId);
    const fd = host.openAt(linksFd, directory, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    if (fd < 0) return fd;
    try {
      const links = readHostDirectory(fd);
      if (links.length === 0) return -Errno.EIO;
      const result = host.renameAt(fd, links[0]!.name, place.fd, place.name);
      if (result === 0 && links.length === 1) host.rmdirAt(linksFd, directory);
      return result;
    } finally {
      host.close(fd);
    }
  }

  /** Makes durable that there are links. @returns 0 or a negative errno */
  sync(): number {
    return host.fsync(this.#context.linksFd);
  }
}

function syncAt(directoryFd: number, name: string): number {
  const fd = host.openAt(directoryFd, name, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  if (fd < 0) return fd;
  const result = host.fsync(fd);
  host.close(fd);
  return result;
}

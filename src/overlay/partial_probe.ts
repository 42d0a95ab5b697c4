/**
 * Recognises partial files of the diff and reads what their headers say.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import { isMarkedCopy } from "./copy_mark.ts";
import { COPY_SIZE, type OverlayContext } from "./context.ts";
import { partialLower, visibleBytes } from "./lower_reference.ts";
import { Flag } from "./node_flags.ts";
import {
  decodePartialHeader,
  HEADER_SIZE_MAX,
  isPartialFile,
  SIGNATURE_SIZE,
} from "./partial_file.ts";

const { OpenFlag } = host;

/** A name on the host, relative to an open directory. */
export interface HostPlace {
  /** An open directory. */
  readonly fd: number;
  /** In that directory. */
  readonly name: string;
}

/** What the node table keeps of a partial file. */
export interface PartialFacts {
  readonly lowerId: number;
  readonly dataOffset: number;
  readonly mapBlocks: number;
  /** Bytes of the lower file that are still visible. */
  readonly limit: number;
  /** {@link Flag} bits. */
  readonly flags: number;
}

/** Reads headers for one thread. */
export class PartialProbe {
  readonly #context: OverlayContext;

  constructor(context: OverlayContext) {
    this.#context = context;
  }

  /**
   * Whether the file read last is a whole copy that was not synced; it must not be a partial file.
   */
  isUnsyncedCopy = false;

  /**
   * What the header of a file of the diff says.
   *
   * @returns undefined when it is not a partial file
   * @throws {FormatError} when it is damaged or not of this backup
   * @throws {OsError}
   */
  read(place: HostPlace, name: string, fileSize: number): PartialFacts | undefined {
    const { nonce, mapBuffer, bootId, table } = this.#context;
    this.isUnsyncedCopy = false;
    if (fileSize < SIGNATURE_SIZE && !table.hasCopies) return undefined;
    const fd = host.unwrap(
      // Nobody has read the file: its last access is what it was.
      openQuietlyAt(place.fd, place.name, OpenFlag.RDONLY | OpenFlag.NOFOLLOW),
      "open",
      name,
    );
    try {
      const length = host.preadFully(fd, mapBuffer.address, HEADER_SIZE_MAX, 0);
      if (!isPartialFile(mapBuffer.bytes, length, nonce)) {
        this.isUnsyncedCopy = table.hasCopies && isMarkedCopy(fd);
        return undefined;
      }
      const header = decodePartialHeader(mapBuffer.bytes, length, fileSize, name);
      const lower = partialLower(this.#context.lower, header);
      const { layout } = header;
      const isOldBoot = header.bootId.some((byte, index) => byte !== bootId[index]);
      const size = fileSize - layout.dataOffset;
      const limit = visibleBytes({ visibleSize: header.visibleSize, size }, lower);
      let flags: number = Flag.PARTIAL;
      if (limit < header.visibleSize) flags |= Flag.LIMIT_UNSAVED;
      if (isOldBoot) flags |= Flag.MAP_OLD_BOOT;
      else if (this.#mapsDiffer(fd, layout)) flags |= Flag.MAP_DIRTY;
      return {
        lowerId: lower.id,
        dataOffset: layout.dataOffset,
        mapBlocks: header.mapBlocks,
        limit,
        flags,
      };
    } finally {
      host.close(fd);
    }
  }

  #mapsDiffer(
    fd: number,
    layout: { mapSize: number; workingMapOffset: number; durableMapOffset: number },
  ): boolean {
    const { copyBuffer } = this.#context;
    const half = COPY_SIZE / 2;
    for (let done = 0; done < layout.mapSize; done += half) {
      const size = Math.min(half, layout.mapSize - done);
      host.preadFully(fd, copyBuffer.address, size, layout.workingMapOffset + done);
      host.preadFully(
        fd,
        copyBuffer.address + BigInt(half),
        size,
        layout.durableMapOffset + done,
      );
      for (let i = 0; i < size; i++) {
        if (copyBuffer.bytes[i] !== copyBuffer.bytes[half + i]) return true;
      }
    }
    return false;
  }
}

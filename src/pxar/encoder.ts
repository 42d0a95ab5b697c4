/**
 * Writes archives, byte for byte as the reference does: version 1, or version 2 with a payload stream.
 *
 * @module
 */

import type { Sink } from "#src/io/streams.ts";
import type { PxarMetadata } from "./entry.ts";

/** Offset of an entry's FILENAME header in the metadata stream: what a hard link refers to. */
export type EntryOffset = number;

/** Where a file's bytes come from: up to `target.length` bytes a call, 0 only at the end. */
export interface PxarContent {
  /** Reads the next bytes. @returns the count, 0 at the end */
  read(target: Uint8Array): number;
}

/** What an archive is made with. */
export interface PxarEncoderOptions {
  /** Metadata of the root directory. */
  readonly root: PxarMetadata;
  /** Where the payload stream goes; given, the archive is of version 2. */
  readonly payload?: Sink;
  /** Content of the PRELUDE, version 2 only. */
  readonly prelude?: Uint8Array;
}

/** Lengths of a finished archive in bytes. */
export interface PxarSizes {
  /** Length of the archive, or of its metadata stream. */
  readonly metadataSize: number;
  /** Length of the payload stream; undefined for version 1. */
  readonly payloadSize: number | undefined;
}

/** Encodes one archive. */
export class PxarEncoder {
  /** Starts the archive with its root directory. */
  constructor(_metadata: Sink, _options: PxarEncoderOptions) {}

  /** Position in the payload stream where the next PAYLOAD header would be; 0 for version 1. */
  get payloadPosition(): number {
    return 0;
  }

  /** Opens a directory in the current one. */
  startDirectory(_name: string, _metadata: PxarMetadata): void {}

  /** Ends the directory opened last. */
  finishDirectory(): void {}

  /** Adds a regular file of exactly `size` bytes. */
  addFile(
    _name: string,
    _metadata: PxarMetadata,
    _size: number,
    _content: PxarContent | Uint8Array,
  ): EntryOffset {
    return 0;
  }

  /** Adds a regular file whose `size` bytes are at `offset` of an open host file. */
  addFileFromFd(
    _name: string,
    _metadata: PxarMetadata,
    _size: number,
    _fd: number,
    _offset: number,
  ): EntryOffset {
    return 0;
  }

  /** Adds a regular file whose PAYLOAD header is already at `payloadOffset` of the payload stream. */
  addPayloadReference(
    _name: string,
    _metadata: PxarMetadata,
    _size: number,
    _payloadOffset: number,
  ): EntryOffset {
    return 0;
  }

  /** Counts bytes that the caller put into the payload stream himself. */
  advancePayload(_size: number): void {}

  /** Adds a symbolic link. */
  addSymlink(_name: string, _metadata: PxarMetadata, _target: string): EntryOffset {
    return 0;
  }

  /** Adds a character or block device, as the mode says. */
  addDevice(_name: string, _metadata: PxarMetadata, _major: bigint, _minor: bigint): EntryOffset {
    return 0;
  }

  /** Adds a FIFO. */
  addFifo(_name: string, _metadata: PxarMetadata): EntryOffset {
    return 0;
  }

  /** Adds a socket. */
  addSocket(_name: string, _metadata: PxarMetadata): EntryOffset {
    return 0;
  }

  /** Adds a further name of the regular file at `target`, whose path from the root is `targetPath`. */
  addHardlink(_name: string, _targetPath: string, _target: EntryOffset): EntryOffset {
    return 0;
  }

  /** Ends the archive. */
  finish(): PxarSizes {
    return { metadataSize: 0, payloadSize: undefined };
  }
}

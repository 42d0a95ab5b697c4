/**
 * Reads archives in order, over a pipe.
 *
 * @module
 */

import type { SequentialSource } from "#src/io/streams.ts";
import type { PxarEntry, PxarHardlink } from "./entry.ts";

/** How an archive is read. */
export interface PxarDecoderOptions {
  /** Payload stream of a split archive. Without it contents cannot be read. */
  readonly payload?: SequentialSource;
  /** Name of the archive for messages. */
  readonly name?: string;
}

/** The archive says its version; not there in archives of version 1. */
export interface PxarVersionEvent {
  readonly type: "version";
  readonly version: 1 | 2;
}

/** The archive has a prelude. */
export interface PxarPreludeEvent {
  readonly type: "prelude";
  readonly bytes: Uint8Array;
}

/** An entry begins. The children of a directory follow until its {@link PxarLeaveEvent}. */
export interface PxarEntryEvent {
  readonly type: "entry";
  /** `/` for the root, else `/a/b`. */
  readonly path: string;
  /** Last part of the path; empty for the root. */
  readonly name: string;
  /** 0 for the root. */
  readonly depth: number;
  readonly entry: PxarEntry | PxarHardlink;
  /** Offset of the FILENAME header (of the ENTRY header for the root) in the metadata stream. */
  readonly offset: number;
}

/** A directory ends. */
export interface PxarLeaveEvent {
  readonly type: "leave";
  readonly path: string;
}

/** What {@link PxarDecoder.next} returns. */
export type PxarEvent = PxarVersionEvent | PxarPreludeEvent | PxarEntryEvent | PxarLeaveEvent;

/** Decodes one archive in order. */
export class PxarDecoder {
  /** Nothing is read before the first {@link next}. */
  constructor(_source: SequentialSource, _options: PxarDecoderOptions = {}) {}

  /** The next event, or undefined after the root directory has ended. Passes over a content not read. */
  next(): PxarEvent | undefined {
    return undefined;
  }

  /** Reads from the content of the regular file returned last. @returns the count, 0 at the end */
  readContent(_target: Uint8Array): number {
    return 0;
  }

  /** Passes over what is left of the content. */
  skipContent(): void {}
}

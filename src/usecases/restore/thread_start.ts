/**
 * What a thread that writes files of a restore is given.
 *
 * @module
 */

import type { SourceDescription } from "#src/sources/source.ts";
import type { FileWriterOptions } from "./file_writer.ts";
import type { NodeMetadataOptions } from "./node_metadata.ts";

/** Role of the threads. */
export const RESTORE_ROLE = "restore";

/** How files are written, as plain values. */
export interface WritingOptions extends FileWriterOptions, NodeMetadataOptions {}

/** Sent to a thread once. */
export interface RestoreThreadStart {
  readonly queue: SharedArrayBuffer;
  readonly source: SourceDescription;
  readonly options: WritingOptions;
}

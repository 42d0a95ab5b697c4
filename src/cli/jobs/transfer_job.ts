/**
 * Copies of archives, with progress.
 *
 * @module
 */

import type { Terminal } from "../terminal/terminal.ts";
import type { ConflictPolicy } from "#src/transfer/conflict.ts";
import type { ArchiveWriter } from "#src/transfer/writer.ts";
import { Progress } from "../terminal/progress.ts";
import type { CopyRequest } from "#src/usecases/archive/copies.ts";
import { writeArchive } from "#src/usecases/archive/creation.ts";
import type { OutputRequest } from "#src/usecases/archive/output_files.ts";
import { quoteName } from "#src/bytes/quoting.ts";

/** What was written. */
export interface TransferResult {
  readonly entries: number;
  /** Length of the archive, or of its metadata stream, in bytes. */
  readonly metadata_size: number;
  readonly payload_size?: number | undefined;
  /** True when a prelude was left out, because version 1 has no place for it. */
  readonly prelude_left_out?: true | undefined;
}

/** How an archive is written. */
export interface TransferJob {
  readonly output: OutputRequest;
  /** Prints each path. */
  readonly isVerbose: boolean;
  /** What becomes of a path that comes twice. */
  readonly conflict: ConflictPolicy;
  /** Fills the archive. */
  readonly write: (writer: ArchiveWriter, request: CopyRequest) => void;
}

/** Writes an archive. When that fails no file is left behind. */
export function runTransfer(job: TransferJob, terminal: Terminal): TransferResult {
  using progress = new Progress(terminal, "Copied");
  let entries = 0;
  const entry = (path: string) => {
    entries++;
    if (job.isVerbose) {
      progress.clear();
      terminal.err(`${quoteName(path)}\n`);
    }
    progress.addEntry();
  };
  const bytes = (count: number) => progress.addBytes(count);
  const writer = writeArchive(
    job.output,
    (writer) => job.write(writer, { conflict: job.conflict, progress: { entry, bytes } }),
  );
  const { metadataSize, payloadSize } = writer.sizes!;
  return {
    entries,
    metadata_size: metadataSize,
    payload_size: payloadSize,
    prelude_left_out: writer.hasLeftOutPrelude || undefined,
  };
}

/**
 * Archives that are made: of directories, or by whoever writes their entries. Files are complete,
 * or not there.
 *
 * @module
 */

import { directoryBehind } from "#src/io/files/files.ts";
import { buildArchive, planArchive } from "#src/pxar/builder/build_archive.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import type { BuildReport } from "#src/pxar/builder/report.ts";
import { ArchiveWriter } from "#src/transfer/writer.ts";
import { createOutputArchive, type OutputRequest } from "./output_files.ts";

/**
 * Archives a directory.
 *
 * @throws {OsError} when there is no archive
 * @throws what {@link buildArchive} throws
 */
export function createArchive(
  directory: string,
  request: OutputRequest,
  build: BuildOptions,
): BuildReport {
  using output = createOutputArchive(request);
  const source = directoryBehind(directory);
  if (request.isDryRun) return planArchive(source, build);
  const report = buildArchive(source, output, build);
  output.finish();
  return report;
}

/**
 * Makes an archive of what `write` writes.
 *
 * @returns the writer, which knows what was written
 * @throws {OsError} when there is no archive
 */
export function writeArchive(
  request: OutputRequest,
  write: (writer: ArchiveWriter) => void,
): ArchiveWriter {
  using output = createOutputArchive(request);
  const writer = new ArchiveWriter(output);
  write(writer);
  output.finish();
  return writer;
}

/**
 * Archives that are made: of directories, or by whoever writes their entries. Files are complete,
 * or not there.
 *
 * @module
 */

import { directoryBehind } from "#src/io/files/files.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { buildArchive, planArchive } from "#src/pxar/builder/build_archive.ts";
import { makeNativeSource } from "#src/pxar/builder/native_source.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import { makePlainSource } from "#src/pxar/builder/plain_source.ts";
import type { BuildReport } from "#src/pxar/builder/report.ts";
import { ArchiveWriter } from "#src/transfer/writer.ts";
import { openOutputArchive, type OutputRequest } from "./output_files.ts";

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
  using output = openOutputArchive(request);
  const source = directoryBehind(directory);
  const options = { ...build, makeSource: mayUseFfi ? makeNativeSource : makePlainSource };
  if (request.isDryRun) return planArchive(source, options);
  const report = buildArchive(source, output, options);
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
  using output = openOutputArchive(request);
  const writer = new ArchiveWriter(output);
  write(writer);
  output.finish();
  return writer;
}

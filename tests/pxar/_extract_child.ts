/**
 * Extracts an archive in a process of its own: as another user, or under narrow permissions.
 *
 * Arguments: archive, target, and `plain` for a run without FFI. Prints the report as JSON.
 *
 * @module
 */

import { openPlainStream } from "#src/io/files/plain_stream.ts";
import { DescriptorTarget } from "#src/pxar/extractor/descriptor_target.ts";
import { extractArchive } from "#src/pxar/extractor/extract_archive.ts";
import { RESTORE_ALL } from "#src/pxar/extractor/options.ts";
import { PlainTarget } from "#src/pxar/extractor/plain_target.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";

const [archive, directory, how] = Deno.args as [string, string, string | undefined];
const features = how === "plain" ? { ...RESTORE_ALL, owner: false, xattrs: false } : RESTORE_ALL;
const target = how === "plain"
  ? PlainTarget.open(directory, { features })
  : DescriptorTarget.open(directory, { features });
const report = extractArchive(new PxarDecoder(openPlainStream(archive)), target);
console.log(JSON.stringify({
  isPartial: report.isPartial,
  counts: report.counts,
  problems: report.problems.map(({ path, step, severity, error }) => ({
    path,
    step,
    severity,
    code: "code" in error ? error.code : error.name,
  })),
}));

/**
 * Archives a directory in a process of its own, as whoever runs it, and prints the report.
 *
 *     _build_child.ts SOURCE ARCHIVE [plain]
 */

import { FileSink } from "#src/io/file_sink.ts";
import { FsFileSink } from "#src/io/fs_file_sink.ts";
import { buildArchive, makeFsSource } from "#src/pxar/builder/mod.ts";

const [source, archive, mode] = Deno.args;
const isPlain = mode === "plain";
const sink = isPlain ? FsFileSink.create(archive!) : FileSink.create(archive!);
const options = isPlain ? { makeSource: makeFsSource } : {};
const report = buildArchive(source!, { metadata: sink }, options);
sink.finish();
console.log(JSON.stringify({ ...report, isPartial: report.isPartial }));

/**
 * Archives a directory in a process of its own, as whoever runs it, and prints the report.
 *
 *     _build_child.ts SOURCE ARCHIVE [plain]
 */

import { NativeFileSink } from "#src/io/files/native_sink.ts";
import { PlainFileSink } from "#src/io/files/plain_sink.ts";
import { buildArchive, makePlainSource } from "#src/pxar/builder/mod.ts";

const [source, archive, mode] = Deno.args;
const isPlain = mode === "plain";
const sink = isPlain ? PlainFileSink.create(archive!) : NativeFileSink.create(archive!);
const options = isPlain ? { makeSource: makePlainSource } : {};
const report = buildArchive(source!, { metadata: sink }, options);
sink.finish();
console.log(JSON.stringify({ ...report, isPartial: report.isPartial }));

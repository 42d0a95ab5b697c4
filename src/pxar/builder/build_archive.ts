/**
 * Makes an archive of a directory.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { OsError } from "#src/errors.ts";
import { HostStat } from "#ffi/libc/calls.ts";
import type { Sink } from "#src/io/streams.ts";
import { PxarEncoder } from "../encoder.ts";
import { PathPattern } from "../exclude/pattern.ts";
import { formatPatterns, parseExcludeOptions } from "../exclude/pattern_list.ts";
import { DirectoryWalk } from "./directory_walk.ts";
import type { EntryOffset, EntryWriter, StartArchive } from "../new_entry.ts";
import { hostSource } from "./host_source.ts";
import type { BuildOptions } from "./options.ts";
import { type BuildReport, BuildReportBuilder } from "./report.ts";
import type { BuildSourceOptions } from "./source.ts";
import { reportUnmatchable } from "./unmatchable.ts";

/** Where an archive goes. */
export interface ArchiveSinks {
  /** The archive, or its metadata stream. */
  readonly metadata: Sink;
  /** The payload stream: given, the archive is split (version 2). */
  readonly payload?: Sink | undefined;
}

/**
 * Archives the directory `path`. The sinks are neither completed nor closed.
 *
 * @example
 * ```ts
 * import { NativeFileSink } from "@pbkfs/pbkfs/io";
 * import { buildArchive } from "@pbkfs/pbkfs/pxar";
 *
 * const directory = Deno.makeTempDirSync();
 * const sink = NativeFileSink.create(`${directory}.pxar`);
 * const report = buildArchive(directory, { metadata: sink }, { exclude: ["*.tmp"] });
 * sink.finish();
 * console.log(report.entryCount, report.isPartial); // 1 false
 * ```
 *
 * @throws {UsageError} when a pattern is bad, or the directory belongs to a pseudo file system
 * @throws {LimitError} when there are more names than allowed
 * @throws {OsError} when the directory cannot be opened, or anything fails that is not just an
 *   entry's problem
 * @throws {StateError} `partial` at the first entry that cannot be had, with `isStrict`
 */
export function buildArchive(
  path: string,
  sinks: ArchiveSinks,
  options: BuildOptions = {},
): BuildReport {
  const { metadata, payload } = sinks;
  const start: StartArchive = (root, prelude) =>
    new PxarEncoder(metadata, { root, payload, prelude });
  return buildInto(path, start, payload !== undefined, options);
}

/**
 * Goes through the directory like {@link buildArchive}, but reads no contents and writes nothing.
 */
export function planArchive(path: string, options: BuildOptions = {}): BuildReport {
  const planned = { ...options, readsSinceSeconds: "never" as const };
  return buildInto(path, () => new CountingWriter(), false, planned);
}

/** Takes entries and forgets them; contents are not read. */
export class CountingWriter implements EntryWriter {
  #count = 0;

  add(): EntryOffset {
    return ++this.#count;
  }

  finishDirectory(): void {}

  finish(): undefined {}
}

/**
 * {@link buildArchive} with a writer of the caller's. @param isSplit whether there is a prelude
 * to take the patterns
 */
export function buildInto(
  path: string,
  start: StartArchive,
  isSplit: boolean,
  options: BuildOptions,
): BuildReport {
  const patterns = parseExcludeOptions(options.exclude ?? []);
  if (options.skipLostAndFound === true) patterns.push(PathPattern.parse("lost+found"));
  const report = new BuildReportBuilder(options.onProblem, options.isStrict);
  const source = (options.makeSource ?? hostSource.make)(sourceOptions(options), report);
  const stat = new HostStat();
  const directory = source.openRoot(path, stat);
  if (typeof directory === "number") throw new OsError(-directory, "open", path);
  reportUnmatchable(options.exclude ?? [], path, directory, report);
  const walk = new DirectoryWalk(path, source, report, patterns, options);
  const text = patterns.length === 0 ? undefined : formatPatterns(patterns);
  const root = walk.enterRoot(directory, stat);
  try {
    const prelude = isSplit && text !== undefined ? preludeOf(text) : undefined;
    const writer = start(root, prelude);
    walk.run(writer, isSplit ? undefined : text);
    report.sizes = writer.finish();
  } finally {
    walk.close();
  }
  return report;
}

function sourceOptions(options: BuildOptions): BuildSourceOptions {
  return {
    readsSinceSeconds: options.readsSinceSeconds,
    xattrs: options.xattrs ?? true,
    fcaps: options.fcaps ?? true,
    acls: options.acls ?? true,
    skipsLargeXattrs: options.skipsLargeXattrs ?? false,
  };
}

function preludeOf(patterns: string): Uint8Array {
  return encodeFileName(JSON.stringify({ "exclude-patterns": patterns.toWellFormed() }));
}

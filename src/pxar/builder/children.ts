/**
 * The names of a directory that go into the archive: listed, filtered by the patterns, in byte
 * order.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { encodeFileName, encodeFileNameInto } from "#src/bytes/file_name.ts";
import { LimitError, OsError } from "#src/errors.ts";
import { describeErrno, Errno, HostStat } from "#ffi/libc/calls.ts";
import type { PathPattern } from "../exclude/pattern.ts";
import { PatternList } from "../exclude/pattern_list.ts";
import {
  EXCLUDE_FILE_NAME,
  EXCLUDE_FILE_SIZE_MAX,
  parseExcludeFile,
} from "../exclude/pxarexclude_file.ts";
import { NAME_SIZE_MAX, PATH_SIZE_MAX } from "../format/limits.ts";
import { isOwnFailure, reportMissing } from "./failures.ts";
import type { BuildReportBuilder } from "./report.ts";
import type { SourceDirectory, SourceEntryName } from "./source.ts";

/** Name under which an archive of version 1 keeps the patterns of the command line. */
export const EXCLUDE_OPTIONS_NAME = ".pxarexclude-cli";

const SLASH = 0x2f;

/** Lists directories from the top down. Holds the patterns of those that are open. */
export class ChildLister {
  readonly #report: BuildReportBuilder;
  readonly #patterns: PatternList;
  readonly #entriesMax: number;
  readonly #stat = new HostStat();
  readonly #path = new Uint8Array(PATH_SIZE_MAX + NAME_SIZE_MAX + 2);
  /** Names of all open directories. */
  #held = 0;

  constructor(
    report: BuildReportBuilder,
    patterns: readonly PathPattern[],
    entriesMax: number,
  ) {
    this.#report = report;
    this.#patterns = new PatternList(patterns);
    this.#entriesMax = entriesMax;
  }

  /** Number of patterns in force, for {@link leave}. */
  get patternCount(): number {
    return this.#patterns.length;
  }

  /**
   * The names to archive of a directory that is entered; none of one that has been removed since.
   * Reads its `.pxarexclude`.
   *
   * @param path of the directory from the source: empty for the source itself, else `/a/b`
   * @throws {LimitError} when more names would be held than allowed
   * @throws {OsError} when nothing of the source itself can be listed
   */
  enter(directory: SourceDirectory, path: string): readonly SourceEntryName[] {
    this.#readExcludeFile(directory, path);
    const prefixSize = encodeFileNameInto(path, this.#path);
    if (prefixSize < 0) throw new LimitError(`Cannot archive "${path}": the path is too long`);
    this.#path[prefixSize] = SLASH;
    const isRoot = path === "";
    const names: SourceEntryName[] = [];
    const result = directory.list((name, listedType) => {
      if (isRoot && name === EXCLUDE_OPTIONS_NAME) return;
      const type = listedType === EntryType.UNKNOWN
        ? this.#identify(directory, path, name)
        : listedType;
      if (type === undefined) return;
      if (this.#isExcluded(prefixSize + 1, name, type)) {
        this.#report.excludedCount++;
        return;
      }
      if (this.#held + names.length >= this.#entriesMax) throw this.#tooMany();
      names.push({ name, type });
    });
    if (result < 0) this.#reportCut(result, path, names.length);
    const sorted = sortNames(names);
    this.#held += sorted.length;
    return sorted;
  }

  /** A directory is left: its names and patterns go. */
  leave(nameCount: number, patternCount: number): void {
    this.#held -= nameCount;
    this.#patterns.truncate(patternCount);
  }

  /**
   * Whether the patterns leave out a name of the directory whose path takes `prefixSize` bytes of
   * {@link #path}.
   */
  #isExcluded(prefixSize: number, name: string, type: number): boolean {
    if (this.#patterns.length === 0) return false;
    const length = prefixSize + encodeFileNameInto(name, this.#path.subarray(prefixSize));
    return this.#patterns.decide(this.#path, length, type === EntryType.DIRECTORY) === "exclude";
  }

  /**
   * A directory is in the archive already, and stays there with the `count` names that it gave
   * before it failed.
   */
  #reportCut(result: number, path: string, count: number): void {
    if (isOwnFailure(result) || (path === "" && count === 0)) {
      throw new OsError(-result, "list", path === "" ? "/" : path);
    }
    if (result === -Errno.ENOENT) reportMissing(this.#report, result, "list", path);
    else {
      const found = count === 0 ? "nothing" : `no more than ${count} names`;
      this.#report.add(
        "incomplete",
        path === "" ? "/" : path,
        `Cannot list: ${describeErrno(-result)}, ${found} of it is archived`,
      );
    }
  }

  #tooMany(): LimitError {
    return new LimitError(`Exceeded allowed number of file entries (> ${this.#entriesMax})`, {
      hint: "Allow more",
      option: "entriesMax",
    });
  }

  #identify(directory: SourceDirectory, path: string, name: string): number | undefined {
    const result = directory.stat(name, this.#stat);
    if (result >= 0) return entryType(this.#stat.mode);
    reportMissing(this.#report, result, "stat", `${path}/${name}`);
    return undefined;
  }

  #readExcludeFile(directory: SourceDirectory, path: string): void {
    const report = (message: string) => {
      this.#report.add("exclude-file", `${path}/${EXCLUDE_FILE_NAME}`, message);
    };
    const file = directory.openFile(EXCLUDE_FILE_NAME, this.#stat);
    if (file === -Errno.ENOENT) return;
    if (typeof file === "number") {
      report("Cannot use exclude patterns: not a readable regular file");
      return;
    }
    try {
      if (this.#stat.size > EXCLUDE_FILE_SIZE_MAX) {
        report(`Cannot use exclude patterns: more than ${EXCLUDE_FILE_SIZE_MAX} bytes`);
        return;
      }
      const content = new Uint8Array(this.#stat.size);
      let size = 0;
      while (size < content.length) {
        const count = file.read(content.subarray(size), size);
        if (count < 0) {
          report(`Cannot use exclude patterns: ${describeErrno(-count)}`);
          return;
        }
        if (count === 0) break;
        size += count;
      }
      const parsed = parseExcludeFile(content.subarray(0, size), encodeFileName(path));
      for (const pattern of parsed.patterns) this.#patterns.push(pattern);
      for (const problem of parsed.problems) report(problem);
    } finally {
      file.close();
    }
  }
}

/** What is sorted. */
interface Named {
  readonly name: string;
}

const SURROGATE = /[\ud800-\udfff]/;

/** Each name once: a directory that is changed while it is listed may give one twice. */
function withoutTwins<Item extends Named>(sorted: Item[]): Item[] {
  const hasTwins = sorted.some(({ name }, index) => name === sorted[index - 1]?.name);
  return hasTwins ? sorted.filter(({ name }, index) => name !== sorted[index - 1]?.name) : sorted;
}

/**
 * Sorts by the bytes of the names, each of which is there once then. Their strings have the same
 * order unless there are characters of
 * two code units, or escaped bytes.
 */
export function sortNames<Item extends Named>(names: Item[]): Item[] {
  if (!names.some(({ name }) => SURROGATE.test(name))) {
    return withoutTwins(names.sort((a, b) => (a.name < b.name ? -1 : 1)));
  }
  const keyed = names.map((item) => ({ item, bytes: encodeFileName(item.name) }));
  keyed.sort((a, b) => compareBytes(a.bytes, b.bytes));
  return withoutTwins(keyed.map(({ item }) => item));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}

/**
 * Which entries are restored: what `--pattern` and `--files-from` say.
 *
 * @module
 */

import { encodeFileNameInto } from "#src/bytes/file_name.ts";
import { PathPattern } from "../exclude/pattern.ts";
import { PatternList } from "../exclude/pattern_list.ts";
import { withoutByteOrderMark } from "../exclude/pxarexclude_file.ts";
import { PATH_SIZE_MAX } from "../format/limits.ts";

const LINE_FEED = 0x0a;
const NUMBER_SIGN = 0x23;

/**
 * Decides by patterns. A directory that is selected brings its content, except for what a later
 * pattern takes out.
 */
export class EntrySelection {
  readonly #patterns: PatternList;
  readonly #path = new Uint8Array(PATH_SIZE_MAX + 1);

  /** Without any pattern, everything is selected. */
  constructor(patterns: readonly PathPattern[]) {
    this.#patterns = new PatternList(patterns);
  }

  /** Whether an entry is selected of its own, or as part of its directory. */
  selects(path: string, isDirectory: boolean, isParentSelected: boolean): boolean {
    if (this.#patterns.length === 0) return true;
    const length = encodeFileNameInto(path, this.#path);
    const action = this.#patterns.decide(this.#path, Math.max(0, length), isDirectory);
    return action === undefined ? isParentSelected : action === "include";
  }

  /** {@link selects} for a regular file whose directories are not at hand. */
  selectsFile(path: string): boolean {
    if (this.#patterns.length === 0) return true;
    let isSelected = this.selects("/", true, false);
    for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
      isSelected = this.selects(path.slice(0, end), true, isSelected);
    }
    return this.selects(path, false, isSelected);
  }
}

/** Patterns of `--pattern`. @throws {UsageError} with code `bad-pattern` */
export function parseIncludePatterns(patterns: readonly string[]): PathPattern[] {
  return patterns.map((pattern) => PathPattern.parse(pattern, { action: "include" }));
}

/**
 * Patterns of a `--files-from` file: one a line; empty lines and those that begin with `#` are
 * passed over.
 *
 * @throws {UsageError} with code `bad-pattern`
 */
export function parseFilesFrom(content: Uint8Array): PathPattern[] {
  const bytes = withoutByteOrderMark(content);
  const patterns: PathPattern[] = [];
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(LINE_FEED, start);
    const end = found < 0 ? bytes.length : found;
    if (end > start && bytes[start] !== NUMBER_SIGN) {
      patterns.push(PathPattern.parse(bytes.subarray(start, end), { action: "include" }));
    }
    start = end + 1;
  }
  return patterns;
}

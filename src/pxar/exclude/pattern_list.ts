/**
 * Patterns in order, of which the last one that matches decides.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { PathPattern, type PatternAction } from "./pattern.ts";

const EXCLAMATION_MARK = "!";

/**
 * A list of patterns; its end can be taken off again when the directory of a `.pxarexclude` file is
 * left.
 */
export class PatternList {
  readonly #patterns: PathPattern[];

  /** Later patterns overrule earlier ones. */
  constructor(patterns: Iterable<PathPattern> = []) {
    this.#patterns = [...patterns];
  }

  /** Number of patterns. */
  get length(): number {
    return this.#patterns.length;
  }

  /** Appends a pattern. */
  push(pattern: PathPattern): void {
    this.#patterns.push(pattern);
  }

  /** Keeps the first `length` patterns. */
  truncate(length: number): void {
    this.#patterns.length = Math.min(length, this.#patterns.length);
  }

  /**
   * The action of the last pattern that matches a path (see {@link PathPattern.matches}); undefined
   * when none does.
   */
  decide(path: Uint8Array, length: number, isDirectory: boolean): PatternAction | undefined {
    for (let index = this.#patterns.length - 1; index >= 0; index--) {
      const pattern = this.#patterns[index]!;
      if (pattern.matches(path, length, isDirectory)) return pattern.action;
    }
    return undefined;
  }
}

/**
 * Exclude patterns of a command line: a `!` in front makes one include.
 *
 * @throws {UsageError} with code `bad-pattern`
 */
export function parseExcludeOptions(options: readonly string[]): PathPattern[] {
  return options.map((option) =>
    option.startsWith(EXCLAMATION_MARK)
      ? PathPattern.parse(option.slice(1), { action: "include" })
      : PathPattern.parse(option)
  );
}

/**
 * The text that an archive keeps of the patterns it was made with: one a line, `!` in front of
 * includes, `/` behind those for directories. File names as in `bytes/file_name.ts`.
 */
export function formatPatterns(patterns: readonly PathPattern[]): string {
  return patterns.map((pattern) => {
    const text = decodeFileName(pattern.text);
    const mark = pattern.action === "include" ? EXCLAMATION_MARK : "";
    const slash = pattern.matchesDirectoriesOnly && text !== "/" ? "/" : "";
    return `${mark}${text}${slash}\n`;
  }).join("");
}

/**
 * Path patterns: what `--exclude`, `--pattern` and `.pxarexclude` files consist of.
 *
 * A path is `/` and the names below the archive's root, as bytes. A pattern matches the whole path,
 * or any part of it from behind a `/` to its end unless it is anchored.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { type CompiledPattern, compilePattern, Step } from "./compile.ts";

/** What a pattern does with the paths it matches. */
export type PatternAction = "include" | "exclude";

/** Further properties of a pattern. */
export interface PatternOptions {
  /** What to do with matching paths. Default: exclude. */
  readonly action?: PatternAction;
  /**
   * Matches whole paths only, and only below this directory: the bytes of its path, empty for the
   * root.
   */
  readonly below?: Uint8Array;
}

const SLASH = 0x2f;
const NO_PREFIX = new Uint8Array(0);

/**
 * One pattern. Matching takes time in proportion to the length of the path times that of the
 * pattern, whatever they are.
 *
 * @example
 * ```ts
 * import { PathPattern } from "@pbkfs/pbkfs/pxar";
 *
 * const pattern = PathPattern.parse("*.tmp");
 * const path = new TextEncoder().encode("/var/cache/x.tmp");
 * console.log(pattern.matches(path, path.length, false)); // true
 * ```
 */
export class PathPattern {
  /** See {@link PatternAction}. */
  readonly action: PatternAction;
  /** Whether it matches directories only: it was written with a slash at its end. */
  readonly matchesDirectoriesOnly: boolean;
  /** The pattern without the slashes at its end, as it is recorded. */
  readonly text: Uint8Array;
  readonly #isAnchored: boolean;
  readonly #compiled: CompiledPattern;
  /** Where the literal end of the pattern begins: the cheap first look. */
  readonly #tailStart: number;
  /** States reached, for {@link matches}: bit 0 of now, and of the byte after. */
  readonly #now: Uint8Array;
  readonly #next: Uint8Array;

  private constructor(text: Uint8Array, options: PatternOptions) {
    let end = text.length;
    while (end > 0 && text[end - 1] === SLASH) end--;
    this.matchesDirectoriesOnly = end < text.length || text.length === 0;
    this.text = end === 0 ? Uint8Array.of(SLASH) : text.slice(0, end);
    this.action = options.action ?? "exclude";
    this.#isAnchored = options.below !== undefined;
    this.#compiled = compilePattern(this.text, options.below ?? NO_PREFIX);
    const { steps } = this.#compiled;
    let tailStart = steps.length;
    while (tailStart > 0 && steps[tailStart - 1]! < 256) tailStart--;
    this.#tailStart = tailStart;
    this.#now = new Uint8Array(steps.length + 1);
    this.#next = new Uint8Array(steps.length + 1);
  }

  /**
   * Parses a pattern. An empty one is the same as `/`: it matches nothing below the root.
   *
   * @throws {UsageError} with code `bad-pattern`
   */
  static parse(text: string | Uint8Array, options: PatternOptions = {}): PathPattern {
    return new PathPattern(typeof text === "string" ? encodeFileName(text) : text, options);
  }

  /**
   * Whether the first `length` bytes of `path` match. A symbolic link to a directory is no
   * directory.
   */
  matches(path: Uint8Array, length: number, isDirectory: boolean): boolean {
    if (this.matchesDirectoriesOnly && !isDirectory) return false;
    const { steps } = this.#compiled;
    const tailLength = steps.length - this.#tailStart;
    if (tailLength > length) return false;
    for (let index = 1; index <= tailLength; index++) {
      if (steps[steps.length - index] !== path[length - index]) return false;
    }
    if (this.#tailStart > 0) return this.#walk(path, length);
    return tailLength === length || (!this.#isAnchored && path[length - tailLength - 1] === SLASH);
  }

  /** Follows all ways through the pattern at once. State i: the steps before i are done. */
  #walk(path: Uint8Array, length: number): boolean {
    const { steps, classes } = this.#compiled;
    const last = steps.length;
    let now = this.#now;
    let next = this.#next;
    now.fill(0);
    this.#enter(now, 0);
    for (let position = 0; position < length; position++) {
      const byte = path[position]!;
      next.fill(0);
      for (let state = 0; state < last; state++) {
        if (now[state] === 0) continue;
        const step = steps[state]!;
        if (step < 256) {
          if (step === byte) this.#enter(next, state + 1);
        } else if (step >= Step.CLASS) {
          if (classes[step - Step.CLASS]![byte] === 1) this.#enter(next, state + 1);
        } else if (step === Step.ANY) {
          if (byte !== SLASH) this.#enter(next, state + 1);
        } else if (step === Step.STAR) {
          if (byte !== SLASH) this.#enter(next, state);
        } else if (step === Step.TREE) {
          this.#enter(next, state);
        } else {
          next[state] = 1;
          if (byte === SLASH) this.#enter(next, state + 1);
        }
      }
      if (byte === SLASH && !this.#isAnchored) this.#enter(next, 0);
      const swap = now;
      now = next;
      next = swap;
    }
    return now[last] === 1;
  }

  /** Reaches a state, and those behind it that need no further byte. */
  #enter(states: Uint8Array, state: number): void {
    const { steps } = this.#compiled;
    states[state] = 1;
    while (state < steps.length) {
      const step = steps[state]!;
      if (step < Step.STAR || step >= Step.CLASS) return;
      states[++state] = 1;
    }
  }
}

/**
 * Which form of the program is running; `pbkfs --version` tells.
 *
 * @module
 */

/**
 * `source`: run from a checkout by `deno run`; the others are the two forms `scripts/build` makes.
 */
export type BuildKind = "deno compile" | "entry stub" | "source";

let kind: BuildKind = "source";

/** Called by the entry module that `scripts/build` generates, before anything else. */
export function setBuildKind(built: BuildKind): void {
  kind = built;
}

/** The form of the running program. */
export function buildKind(): BuildKind {
  return kind;
}

/**
 * The version of the loaded libfuse3.
 *
 * @module
 */

/** A version such as 3.14.0. */
export interface LibfuseVersion {
  readonly major: number;
  readonly minor: number;
  readonly hotfix: number;
}

/**
 * Reads what `fuse_pkgversion()` returns: `3.14.0`, `3.17.1-rc0`, `3.18`.
 *
 * @throws {SyntaxError} when there are not at least two numbers
 */
export function parsePackageVersion(text: string): LibfuseVersion {
  const match = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)/.exec(text);
  if (match === null) throw new SyntaxError(`Cannot parse libfuse version "${text}"`);
  return {
    major: Number(match[1]),
    minor: Number(match[2]),
    hotfix: match[3] === undefined ? 0 : Number(match[3]),
  };
}

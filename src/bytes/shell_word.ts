/**
 * Words for a POSIX shell.
 *
 * @module
 */

/** A path or other argument as one word, so that it can be pasted. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

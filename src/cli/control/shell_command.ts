/**
 * Commands that a hint names, as they can be pasted into a shell.
 *
 * @module
 */

/** A path or other argument as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that ends a mount. @param options such as `--force` */
export function unmountCommand(mountPath: string, ...options: readonly string[]): string {
  return ["pbkfs unmount -D", shellWord(mountPath), ...options].join(" ");
}

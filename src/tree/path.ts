/**
 * Paths inside of trees.
 *
 * @module
 */

/**
 * The names a path consists of. Slashes at the beginning and the end, double ones, and `.` mean
 * nothing.
 */
export function pathNames(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

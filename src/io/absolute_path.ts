/**
 * Paths from the root on.
 *
 * @module
 */

/**
 * The path from the root on, without `.`, `..`, empty components and a slash at the end. What
 * symbolic links point to is not looked at. As `resolve()` of `node:path`, which takes 10 ms to
 * load.
 */
export function absolutePath(path: string): string {
  const names: string[] = [];
  const whole = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  for (const name of whole.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

/** Whether an absolute path is another one, or lies below it; neither ends with a slash. */
export function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer === "/" ? "/" : `${outer}/`);
}

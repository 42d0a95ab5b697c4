/**
 * The access log of a server in a file, which may be moved away at any time.
 *
 * @module
 */

import { SECRET_FILE_MODE } from "#src/pbs/server/access/access_file.ts";

/**
 * Appends lines to a file; it is opened for each, so that a rotated one is left at once. A full
 * disk does not end the server.
 *
 * @throws {Error} when the file cannot be written to at the start
 */
export function openAccessLog(path: string): (line: string) => void {
  const append = (text: string) =>
    Deno.writeTextFileSync(path, text, { append: true, mode: SECRET_FILE_MODE });
  append("");
  return (line) => {
    try {
      append(line);
    } catch {
      // What is lost here is only the line.
    }
  };
}

/**
 * Numbers of the accounts that this machine keeps itself, in `/etc/passwd` and `/etc/group`.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import { readWholeFile } from "./files/whole_file.ts";

const FILE_SIZE_MAX = 16 << 20;

/** Accounts by name. The files are read when somebody first asks. */
export class LocalAccounts {
  #users: ReadonlyMap<string, number> | undefined;
  #groups: ReadonlyMap<string, number> | undefined;

  /** Number of a user; undefined where there is none. @throws {LimitError} */
  uid(name: string): number | undefined {
    return (this.#users ??= readNumbers("/etc/passwd")).get(name);
  }

  /** Number of a group; undefined where there is none. @throws {LimitError} */
  gid(name: string): number | undefined {
    return (this.#groups ??= readNumbers("/etc/group")).get(name);
  }
}

/** Both files have lines `name:password:number:…`. */
function readNumbers(path: string): Map<string, number> {
  const numbers = new Map<string, number>();
  let text: string;
  try {
    text = new TextDecoder().decode(readWholeFile(path, FILE_SIZE_MAX));
  } catch (error) {
    if (error instanceof OsError) return numbers;
    throw error;
  }
  for (const line of text.split("\n")) {
    const [name = "", , id = ""] = line.split(":");
    // Of several lines of one name the first one counts.
    if (/^\d{1,10}$/u.test(id) && !numbers.has(name)) numbers.set(name, Number(id));
  }
  return numbers;
}

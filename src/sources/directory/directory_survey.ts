/**
 * What tells a directory from what it was: all names in it, and the size and time of each file.
 *
 * @module
 */

import { sha256Stream } from "#src/codecs/hashing.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import type { SourceMark } from "#src/overlay/binding.ts";
import { FileType } from "#src/tree/node.ts";
import type { DirectoryPlace, SeenFile } from "./directory_place.ts";
import type { Row } from "./inode_table.ts";

/**
 * Looks at everything in a directory. From then on a file that gets another content is found out,
 * and files know how many names they have in it.
 *
 * @param name how the directory is called
 * @throws {StateError} `source-changed` when a file has changed since somebody looked at it
 * @throws {OsError}
 */
export function identifyDirectory(place: DirectoryPlace, name: string): SourceMark {
  const names = new Map<Row, number>();
  const digest = sha256Stream();
  let entryCount = 0;
  let sizeBytes = 0;
  let latestSeconds = 0;
  const note = (path: string, { row, stat }: SeenFile) => {
    const type = stat.mode & FileType.MASK;
    entryCount++;
    const parts: (string | number)[] = [path, type];
    if (type !== FileType.DIRECTORY) {
      const count = (names.get(row) ?? 0) + 1;
      names.set(row, count);
      if (count === 1) sizeBytes += stat.size;
      latestSeconds = Math.max(latestSeconds, stat.mtimeSeconds);
      parts.push(stat.size, stat.mtimeSeconds, stat.mtimeNanoseconds, stat.rdev);
      // What was written to a file with several names is found again by its number.
      if (stat.nlink > 1) parts.push(place.table.id(row));
    }
    digest.update(encodeFileName(`${parts.join("\0")}\0\n`));
    return type === FileType.DIRECTORY;
  };
  const stack: { readonly path: string; readonly row: Row }[] = [];
  const root = place.root();
  stack.push({ path: "", row: root.row });
  while (stack.length > 0) {
    const { path, row } = stack.pop()!;
    for (const each of place.list(row)) {
      const found = place.lookup(row, each);
      const childPath = `${path}/${each}`;
      if (found !== undefined && note(childPath, found)) {
        stack.push({ path: childPath, row: found.row });
      }
    }
  }
  for (const [row, count] of names) place.table.setNameCount(row, count);
  const latest = new Date(latestSeconds * 1000).toISOString();
  return {
    kind: "dir",
    name,
    fingerprint: digest.digest().toHex(),
    ids: [`${entryCount} entries`, `${sizeBytes} bytes`, `last change ${latest}`],
  };
}

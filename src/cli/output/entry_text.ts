/**
 * Entries of archives as people read them: one line each, in the long form of `ls`.
 *
 * @module
 */

import type { ShownEntry } from "#src/usecases/archive/shown_entry.ts";
import type { EntryFacts } from "#src/tree/entry_facts.ts";
import type { Timestamp } from "#src/tree/metadata.ts";
import { FileType } from "#src/tree/node.ts";
import { formatDateTime } from "#src/usecases/local_time.ts";
import { hasAcl } from "#src/usecases/archive/entry_record.ts";
import { quoteName } from "#src/bytes/quoting.ts";

const OWNER_WIDTH = 13;
const TIME_WIDTH = 19;
const SIZE_WIDTH = 8;

const TYPE_LETTERS: Readonly<Record<number, string>> = {
  [FileType.FILE]: "-",
  [FileType.DIRECTORY]: "d",
  [FileType.SYMLINK]: "l",
  [FileType.BLOCK_DEVICE]: "b",
  [FileType.CHARACTER_DEVICE]: "c",
  [FileType.FIFO]: "p",
  [FileType.SOCKET]: "s",
};

/**
 * The long form: mode, `+` for an ACL, `+` for extended attributes, owner, time, size or device
 * number, and the path in quotation marks.
 */
export function formatLongEntry(path: string, entry: ShownEntry): string {
  if (entry.kind === "hardlink") {
    // An archive has no metadata of its own for it: the reference prints zeros, and the target as
    // it is stored.
    const columns = [
      "L---------  ",
      "0/0".padEnd(OWNER_WIDTH),
      formatTime({ seconds: 0, nanoseconds: 0 }).padEnd(TIME_WIDTH),
      "0".padStart(SIZE_WIDTH),
    ];
    return `${columns.join(" ")} ${quoteName(path)} -> ${quoteName(entry.targetPath)}`;
  }
  const { metadata } = entry;
  const flags = (hasAcl(metadata) ? "+" : " ") + (metadata.xattrs.length > 0 ? "+" : " ");
  const columns = [
    formatMode(metadata.mode) + flags,
    `${metadata.uid}/${metadata.gid}`.padEnd(OWNER_WIDTH),
    formatTime(metadata.mtime).padEnd(TIME_WIDTH),
    sizeColumn(entry).padStart(SIZE_WIDTH),
  ];
  const target = entry.kind === "symlink" ? ` -> ${quoteName(entry.target)}` : "";
  return `${columns.join(" ")} ${quoteName(path)}${target}`;
}

/** `drwxr-sr-x`. */
export function formatMode(mode: number): string {
  return (TYPE_LETTERS[mode & FileType.MASK] ?? "?") +
    triplet(mode >> 6, (mode & 0o4000) !== 0, "s") +
    triplet(mode >> 3, (mode & 0o2000) !== 0, "s") +
    triplet(mode, (mode & 0o1000) !== 0, "t");
}

function triplet(bits: number, isSpecial: boolean, letter: string): string {
  const mayExecute = (bits & 1) !== 0;
  const last = isSpecial ? (mayExecute ? letter : letter.toUpperCase()) : (mayExecute ? "x" : "-");
  return `${(bits & 4) === 0 ? "-" : "r"}${(bits & 2) === 0 ? "-" : "w"}${last}`;
}

/** `2020-09-13 12:26:40` in the local zone; seconds since 1970 for what no calendar has. */
export function formatTime({ seconds }: Timestamp): string {
  return Number.isNaN(new Date(seconds * 1000).getTime()) ? `@${seconds}` : formatDateTime(seconds);
}

/** Size of a file, device number of a device, nothing worth telling of the rest. */
function sizeColumn(entry: EntryFacts): string {
  switch (entry.kind) {
    case "file":
      return String(entry.size);
    case "device":
      return `${entry.major},${entry.minor}`;
    default:
      return "0";
  }
}

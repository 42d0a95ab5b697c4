/**
 * The content of a directory tree as a list of lines, in the form of the fixtures'
 * `manifest-ID.jsonl`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import * as posix from "#tests/support/posix_calls.ts";
import { withFile } from "#tests/support/posix_files.ts";

/** One name of a tree. */
export interface ManifestEntry {
  /** Relative to the root of the tree. */
  readonly path: string;
  /** Permission bits in octal without leading zeros. */
  readonly mode: string;
  readonly type: "file" | "dir" | "link" | "special";
  /** Bytes of a file. */
  readonly size?: number;
  /** Digest of a file's content, hexadecimal. */
  readonly sha256?: string;
  /** Where a link points to. */
  readonly target?: string;
}

const READ_SIZE_BYTES = 1 << 20;

/** SHA-256 of a file's content, hexadecimal. */
export function fileDigest(path: string): string {
  const buffer = new Uint8Array(READ_SIZE_BYTES);
  const hash = createHash("sha256");
  withFile(path, posix.O.RDONLY, (fd) => {
    for (let got = posix.read(fd, buffer); got > 0; got = posix.read(fd, buffer)) {
      hash.update(buffer.subarray(0, got));
    }
  });
  return hash.digest("hex");
}

function entryOf(path: string, relativePath: string): ManifestEntry {
  const status = posix.lstat(path);
  const common = { path: relativePath, mode: (status.mode & 0o7777).toString(8) };
  switch (status.mode & posix.FileType.MASK) {
    case posix.FileType.REGULAR:
      return { ...common, type: "file", size: status.size, sha256: fileDigest(path) };
    case posix.FileType.DIRECTORY:
      return { ...common, type: "dir" };
    case posix.FileType.SYMLINK:
      return { ...common, type: "link", target: posix.readlink(path) };
    default:
      return { ...common, type: "special" };
  }
}

/**
 * Walks a tree without following links, parents first, names sorted bytewise as UTF-16. Its calls
 * block: a mount must be walked by another process than the one that serves it (`walkInChild`).
 */
export function* walkManifest(root: string, below = ""): Generator<ManifestEntry> {
  for (const name of posix.names(below === "" ? root : `${root}/${below}`)) {
    const path = below === "" ? name : `${below}/${name}`;
    const entry = entryOf(`${root}/${path}`, path);
    yield entry;
    if (entry.type === "dir") yield* walkManifest(root, path);
  }
}

/** Reads lines as {@link walkManifest} and the fixtures give them. */
export function parseManifest(text: string): ManifestEntry[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

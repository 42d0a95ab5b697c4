/**
 * What a tree says of the server whose data directory it is.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { Failure } from "#src/errors.ts";
import { findEntry } from "#src/tree/paths.ts";
import type { Tree } from "#src/tree/node.ts";
import {
  CONTROL_HEAD_SIZE,
  type ControlFile,
  isDamagedControlFile,
  parseControlFile,
} from "./format/control_file.ts";
import type { PostgresFacts } from "./source.ts";

/** `15`, or `9.6`. */
const VERSION = /^(\d{1,3}(?:\.\d{1,2})?)\n?$/u;
const VERSION_SIZE_MAX = 16;
/** The server's file about the cluster, in its data directory. */
export const CONTROL_FILE_PATH = "global/pg_control";

/**
 * The facts about a data directory; null for any other tree, and where they cannot be read: whoever
 * reads the files is told why.
 */
export function readPostgresFacts(tree: Tree): PostgresFacts | null {
  const version = readVersion(tree);
  if (version === undefined) return null;
  const control = readControlFile(tree);
  if (control === undefined) return null;
  return {
    version,
    systemIdentifier: String(control.systemIdentifier),
    checksums: control.hasChecksums,
    timeline: control.timeline,
  };
}

/** `global/pg_control` of a data directory; undefined where there is none that can be read. */
export function readControlFile(tree: Tree): ControlFile | undefined {
  return parseControlFile(readBytes(tree, CONTROL_FILE_PATH, CONTROL_HEAD_SIZE));
}

/**
 * Whether the control file of a data directory is without the checksum that it has inside. Other
 * trees have none, and of what cannot be read nothing is known.
 */
export function hasDamagedControlFile(tree: Tree): boolean {
  const version = readVersion(tree);
  const bytes = readBytes(tree, CONTROL_FILE_PATH, CONTROL_HEAD_SIZE);
  return version !== undefined && bytes.length > 0 && isDamagedControlFile(bytes, version);
}

function readVersion(tree: Tree): string | undefined {
  return VERSION.exec(readHead(tree, "PG_VERSION", VERSION_SIZE_MAX))?.[1];
}

function readHead(tree: Tree, path: string, size: number): string {
  return new TextDecoder().decode(readBytes(tree, path, size));
}

/** The first bytes of a file; none where there is no such file, or none that can be read. */
function readBytes(tree: Tree, path: string, size: number): Uint8Array<ArrayBuffer> {
  try {
    const node = findEntry(tree, path);
    if (node?.kind !== "file") return new Uint8Array(0);
    const content = node.open();
    try {
      const target = allocateNativeBuffer(size);
      const count = content.readInto(target, 0, Math.min(size, node.attributes.size), 0);
      return target.bytes.slice(0, count);
    } finally {
      content.close();
    }
  } catch (error) {
    if (error instanceof Failure) return new Uint8Array(0);
    throw error;
  }
}

/** The facts of a tree that is opened for them alone. */
export function factsOf(openTree: () => Tree): PostgresFacts | null {
  const tree = openTree();
  try {
    return readPostgresFacts(tree);
  } finally {
    tree.close();
  }
}

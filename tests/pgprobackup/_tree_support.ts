import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { builtInCodecs, type Codecs, nativeCodecs } from "#src/codecs/codecs.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { openPlainSource } from "#src/io/files/plain_source.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import {
  openPgProbackupTree,
  type PgProbackupTarget,
  type PgProbackupTree,
} from "#src/pgprobackup/mod.ts";
import type { FileNode, Node, Tree } from "#src/tree/node.ts";
import { createHash } from "node:crypto";

/** The two ways in which the product reads. */
export interface Access {
  readonly name: string;
  readonly openSource: OpenSource;
  readonly codecs: Codecs;
}

export const NATIVE: Access = {
  name: "FFI",
  openSource: openNativeSource,
  codecs: nativeCodecs(),
};

export const BUILT_IN: Access = {
  name: "built-in calls",
  openSource: openPlainSource,
  codecs: builtInCodecs(),
};

export function openTree(
  store: string,
  backupId: string,
  more: Partial<PgProbackupTarget> & { access?: Access; indexBudgetBytes?: number } = {},
): PgProbackupTree {
  const { access = NATIVE, ...target } = more;
  return openPgProbackupTree({
    store,
    instance: "main",
    backupId,
    openSource: access.openSource,
    codecs: access.codecs,
    ...target,
  });
}

/** The node at a path, following the links of tablespaces. */
export function nodeAt(tree: Tree, path: string): Node | undefined {
  const walked: string[] = [];
  let node: Node | undefined = tree.root;
  for (const name of path.split("/")) {
    if (node?.kind !== "directory") return undefined;
    node = node.lookup(name);
    walked.push(name);
    if (node?.kind === "symlink" && walked.join("/") !== path) {
      const target = new URL(node.target, `file:///${walked.join("/")}`).pathname.slice(1);
      node = nodeAt(tree, target);
    }
  }
  return node;
}

export function fileAt(tree: Tree, path: string): FileNode {
  const node = nodeAt(tree, path);
  if (node?.kind !== "file") throw new Error(`"${path}" is not a file in the tree`);
  return node;
}

/** All paths below a node, links of tablespaces followed when `follow`. */
export function* pathsBelow(node: Node, prefix = ""): Iterable<[string, Node]> {
  if (node.kind !== "directory") return;
  for (const entry of node.entries()) {
    const path = prefix + entry.name;
    yield [path, entry.node];
    yield* pathsBelow(entry.node, `${path}/`);
  }
}

/** Reads a whole file in pieces of `pieceSize`. */
export function readAll(file: FileNode, access: Access = NATIVE, pieceSize = 1 << 17): Uint8Array {
  const content = file.open();
  const buffer = access.codecs.allocate(pieceSize);
  const result = new Uint8Array(file.attributes.size);
  let offset = 0;
  for (;;) {
    const count = content.readInto(buffer, 0, pieceSize, offset);
    if (count === 0) break;
    result.set(buffer.bytes.subarray(0, count), offset);
    offset += count;
  }
  content.close();
  if (offset !== result.length) throw new Error(`${offset} of ${result.length} bytes were read`);
  return result;
}

/** Hash and length of a file without keeping it. */
export function digestOf(file: FileNode, buffer: NativeBuffer): { size: number; sha256: string } {
  const content = file.open();
  const hash = createHash("sha256");
  let size = 0;
  for (;;) {
    const count = content.readInto(buffer, 0, buffer.bytes.length, size);
    if (count === 0) break;
    hash.update(buffer.bytes.subarray(0, count));
    size += count;
  }
  content.close();
  return { size, sha256: hash.digest("hex") };
}

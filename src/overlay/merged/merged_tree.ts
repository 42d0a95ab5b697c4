/**
 * A diff directory over what it was made over, as an immutable tree: what a mount of it shows.
 *
 * Names, attributes and changed blocks are those of the diff (`diff_index.ts`). What is not changed
 * **is** the node of the lower tree, with its origin and id; only directories are shown anew, since
 * something below them may be another. Nodes of the diff have ids from the highest one down, those
 * of a diff over another diff below the ids of that: so they are the same whatever is over it.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { SourcePool } from "#src/io/source_pool.ts";
import type { MetadataField } from "#src/tree/metadata.ts";
import type { DirectoryNode, MountableTree, Node } from "#src/tree/node.ts";
import { CONTROL_DIRECTORY_NAME } from "../diff_place.ts";
import { DiffIndex, LINKS_NODE, NodeField, ROOT_NODE, Shape } from "./diff_index.ts";
import { HeaderReader } from "./header_reader.ts";
import { makeChangedNode, type MergedContext, ShownDirectory } from "./merged_nodes.ts";

/** The highest id of a node: the highest that there may be stays free, as one of no node. */
export const ID_MAX = 2 ** 47 - 1;

/** A diff that was scanned; can be posted to other threads. */
export interface ScannedDiff {
  /** Absolute. */
  readonly diffPath: string;
  /** The diff's, 16 bytes. */
  readonly nonce: Uint8Array;
  /** See `scanDiff()`. */
  readonly index: SharedArrayBuffer;
  /** The root's id. */
  readonly firstId: number;
  /** A mount of it shows extended attributes of all files. */
  readonly hasExtendedAttributes: boolean;
}

/** The highest id that is free for a diff that is over another one. */
export function freeIdBelow({ firstId, index }: Pick<ScannedDiff, "firstId" | "index">): number {
  return firstId - new DiffIndex(index).nodeCount;
}

const XATTR_FIELDS: readonly MetadataField[] = ["xattrs", "acl", "fcaps"];

/** See the module. Closing it closes the lower tree. */
export class MergedTree implements MountableTree {
  readonly root: DirectoryNode;
  readonly knownFields: ReadonlySet<MetadataField>;
  readonly #lower: MountableTree;
  readonly #pool: SourcePool;
  readonly #context: MergedContext;
  readonly #index: DiffIndex;
  readonly #firstId: number;
  readonly #nodes = new Map<number, Node>();
  #isControlShown: boolean | undefined;

  /** @param openSource opens files of the diff, again and again: few of them stay open */
  constructor(diff: ScannedDiff, lower: MountableTree, openSource: OpenSource) {
    this.#lower = lower;
    this.#index = new DiffIndex(diff.index);
    this.#firstId = diff.firstId;
    this.#pool = new SourcePool(openSource);
    this.knownFields = new Set([
      ...lower.knownFields,
      ...diff.hasExtendedAttributes ? XATTR_FIELDS : [],
    ]);
    this.#context = {
      diffPath: diff.diffPath,
      index: this.#index,
      firstId: diff.firstId,
      lower,
      pool: this.#pool,
      headers: new HeaderReader(diff.nonce, openSource),
      knowsXattrs: this.knownFields.has("xattrs"),
      node: (node) => this.#nodeOf(node),
      shown: (node) => this.#shown(node),
      isHidden: (node) => this.#isHidden(node),
    };
    this.root = this.#nodeOf(ROOT_NODE) as DirectoryNode;
  }

  get below(): MountableTree {
    return this.#lower;
  }

  /** Unchanged files have the times of the lower tree. */
  get mtimePrecisionNs(): number {
    return this.#lower.mtimePrecisionNs ?? 1;
  }

  /** That of the lower tree. */
  get prelude(): Uint8Array | undefined {
    return this.#lower.prelude;
  }

  nodeById(id: number): Node | undefined {
    if (!this.#isOfDiff(id)) {
      const found = this.#lower.nodeById(id);
      return found && this.#shown(found);
    }
    const node = this.#firstId - id;
    return this.#isNamed(node) && !this.#isHidden(node) ? this.#nodeOf(node) : undefined;
  }

  close(): void {
    this.#pool.close();
    this.#lower.close();
  }

  #isOfDiff(id: number): boolean {
    const node = this.#firstId - id;
    return node >= 0 && node < this.#index.nodeCount;
  }

  /** Whether names of the tree lead to a node, or may: `links/` has others. */
  #isNamed(node: number): boolean {
    if (node === ROOT_NODE) return true;
    const parent = this.#index.get(node, NodeField.PARENT);
    return node !== LINKS_NODE && parent !== LINKS_NODE;
  }

  /** The program's own directory, where it continues none of the lower tree, is in no tree. */
  #isHidden(node: number): boolean {
    if (this.#index.find(ROOT_NODE, CONTROL_DIRECTORY_NAME) !== node) return false;
    this.#isControlShown ??= this.#lower.root.lookup(CONTROL_DIRECTORY_NAME) !== undefined;
    return !this.#isControlShown;
  }

  #nodeOf(node: number): Node {
    const known = this.#nodes.get(node);
    if (known !== undefined) return known;
    if (this.#index.has(node, Shape.DAMAGED)) {
      throw new FormatError(this.#index.text(node), {
        path: `${this.#context.diffPath}/${this.#index.hostPath(node)}`,
      });
    }
    const made = makeChangedNode(this.#context, node);
    this.#nodes.set(node, made);
    return made;
  }

  /** What the tree shows for a node of the lower tree that the diff has not under its name. */
  #shown(node: Node): Node {
    if (this.#isOfDiff(node.id)) {
      throw new FormatError(`Cannot show entry of the tree below: its id ${node.id} is taken`);
    }
    if (node.kind === "directory") return new ShownDirectory(this.#context, node);
    const changed = node.kind === "file" ? this.#linkedNode(node.id) : undefined;
    return changed === undefined ? node : this.#nodeOf(changed);
  }

  /** The node of a file with several names that was changed under others (`linked_files.ts`). */
  #linkedNode(lowerId: number): number | undefined {
    if (this.#index.get(LINKS_NODE, NodeField.COUNT) === 0) return undefined;
    const directory = this.#index.find(LINKS_NODE, String(lowerId));
    if (directory === undefined) return undefined;
    return this.#index.nodeOf(this.#index.get(directory, NodeField.FIRST));
  }
}

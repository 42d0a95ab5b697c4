/**
 * Trees without what patterns exclude.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import type { PathPattern } from "#src/pxar/exclude/pattern.ts";
import { PatternList } from "#src/pxar/exclude/pattern_list.ts";
import { MetadataNode } from "#src/tree/metadata_node.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { DirectoryEntry, DirectoryNode, Node, Tree } from "#src/tree/node.ts";

/** What the directories of a tree share. */
interface Exclusion {
  readonly patterns: PatternList;
  onExcluded(): void;
}

/**
 * The tree without entries that match the patterns; of an excluded directory nothing is seen.
 *
 * @param onExcluded called for each entry that is left out, each time its directory is listed
 */
export function withoutExcluded(
  tree: Tree,
  patterns: Iterable<PathPattern>,
  onExcluded: () => void,
): Tree {
  const exclusion = { patterns: new PatternList(patterns), onExcluded };
  return {
    root: new ThinnedDirectory(tree.root, "/", exclusion),
    knownFields: tree.knownFields,
    mtimePrecisionNs: tree.mtimePrecisionNs ?? 1,
    prelude: tree.prelude,
    close: () => tree.close(),
  };
}

class ThinnedDirectory extends MetadataNode implements DirectoryNode {
  readonly kind = "directory";
  readonly origin: object;
  readonly id: number;
  readonly #directory: DirectoryNode;
  /** With a slash at the end. */
  readonly #path: string;
  readonly #exclusion: Exclusion;

  constructor(directory: DirectoryNode, path: string, exclusion: Exclusion) {
    super();
    this.origin = directory.origin;
    this.id = directory.id;
    this.#directory = directory;
    this.#path = path;
    this.#exclusion = exclusion;
  }

  get metadata(): Metadata {
    return this.#directory.metadata;
  }

  lookup(name: string): Node | undefined {
    const node = this.#directory.lookup(name);
    return node === undefined || this.#isExcluded(name, node) ? undefined : this.#shown(name, node);
  }

  *entries(onDamage?: (damage: Error) => void): Iterable<DirectoryEntry> {
    for (const { name, node } of this.#directory.entries(onDamage)) {
      if (this.#isExcluded(name, node)) this.#exclusion.onExcluded();
      else yield { name, node: this.#shown(name, node) };
    }
  }

  #shown(name: string, node: Node): Node {
    if (node.kind !== "directory") return node;
    return new ThinnedDirectory(node, `${this.#path}${name}/`, this.#exclusion);
  }

  #isExcluded(name: string, node: Node): boolean {
    const path = encodeFileName(this.#path + name);
    const { patterns } = this.#exclusion;
    return patterns.decide(path, path.length, node.kind === "directory") === "exclude";
  }
}

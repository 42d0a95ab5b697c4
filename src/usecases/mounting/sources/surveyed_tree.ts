/**
 * A tree below an overlay, with what a survey of it says besides.
 *
 * @module
 */

import { restrictedMode, XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import type { Attributes, DirectoryNode, Node, Tree } from "#src/tree/node.ts";

/** See the head of the module. */
export class SurveyedTree implements Tree {
  readonly #tree: Tree;
  readonly #linkCounts: ReadonlyMap<number, number>;
  readonly #withoutAcls: boolean;

  /**
   * @param linkCounts number of names of each file that has several, by its id
   * @param withoutAcls files have no ACLs, but modes by which nobody gets more than these would
   *   give
   */
  constructor(tree: Tree, linkCounts: ReadonlyMap<number, number>, withoutAcls: boolean) {
    this.#tree = tree;
    this.#linkCounts = linkCounts;
    this.#withoutAcls = withoutAcls;
  }

  get root(): DirectoryNode {
    return this.#tree.root;
  }

  nodeById(id: number): Node | undefined {
    const node = this.#tree.nodeById(id);
    if (node === undefined) return undefined;
    const nlink = this.#linkCounts.get(id);
    if (nlink === undefined && !this.#withoutAcls) return node;
    const attributes = nlink === undefined ? node.attributes : { ...node.attributes, nlink };
    return this.#withoutAcls ? withoutAcls(node, attributes) : withMetadata(node, attributes);
  }

  close(): void {
    this.#tree.close();
  }
}

function withoutAcls(node: Node, attributes: Attributes): Node {
  const xattrs = new Map(node.xattrs());
  const acl = xattrs.get(XATTR_ACL_ACCESS);
  xattrs.delete(XATTR_ACL_ACCESS);
  xattrs.delete(XATTR_ACL_DEFAULT);
  if (acl === undefined) return withMetadata(node, attributes, xattrs);
  return withMetadata(
    node,
    { ...attributes, mode: restrictedMode(acl, attributes.mode) },
    xattrs,
  );
}

/**
 * The same node with other metadata. Nodes are classes with private fields: they cannot be
 * inherited from.
 */
function withMetadata(
  node: Node,
  attributes: Attributes,
  changedXattrs?: ReadonlyMap<string, Uint8Array>,
): Node {
  const { id } = node;
  const xattrs = () => changedXattrs ?? node.xattrs();
  const base = { id, attributes, xattrs };
  switch (node.kind) {
    case "directory":
      return {
        ...base,
        kind: "directory",
        lookup: (name) => node.lookup(name),
        entries: () => node.entries(),
      };
    case "file":
      return { ...base, kind: "file", open: () => node.open() };
    case "symlink":
      return { ...base, kind: "symlink", target: node.target };
    case "special":
      return { ...base, kind: "special" };
  }
}

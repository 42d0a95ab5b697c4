/**
 * A tree below an overlay where nobody checks access by ACLs.
 *
 * @module
 */

import { restrictedMode, XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import type { DirectoryNode, Node, Tree } from "#src/tree/node.ts";

/** Its files have no ACLs, but modes by which nobody gets more than these would give. */
export class TreeWithoutAcls implements Tree {
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  get root(): DirectoryNode {
    return this.#tree.root;
  }

  get countsLinks(): boolean {
    return this.#tree.countsLinks ?? true;
  }

  nodeById(id: number): Node | undefined {
    const node = this.#tree.nodeById(id);
    return node === undefined ? undefined : withoutAcls(node);
  }

  close(): void {
    this.#tree.close();
  }
}

/**
 * The same node with other metadata. Nodes are classes with private fields: they cannot be
 * inherited from.
 */
function withoutAcls(node: Node): Node {
  const xattrs = new Map(node.xattrs());
  const acl = xattrs.get(XATTR_ACL_ACCESS);
  xattrs.delete(XATTR_ACL_ACCESS);
  xattrs.delete(XATTR_ACL_DEFAULT);
  const { mode } = node.attributes;
  const attributes = acl === undefined
    ? node.attributes
    : { ...node.attributes, mode: restrictedMode(acl, mode) };
  const base = { id: node.id, attributes, xattrs: () => xattrs };
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

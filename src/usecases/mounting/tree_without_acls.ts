/**
 * A tree below an overlay where nobody checks access by ACLs.
 *
 * @module
 */

import { NO_ACL } from "#src/bytes/acl.ts";
import { restrictedMode, XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import type { Metadata, MetadataField } from "#src/tree/metadata.ts";
import type { Attributes, DirectoryNode, MountableTree, Node } from "#src/tree/node.ts";

/** Its files have no ACLs, but modes by which nobody gets more than these would give. */
export class TreeWithoutAcls implements MountableTree {
  readonly #tree: MountableTree;

  constructor(tree: MountableTree) {
    this.#tree = tree;
  }

  get root(): DirectoryNode {
    return this.#tree.root;
  }

  get knownFields(): ReadonlySet<MetadataField> {
    return this.#tree.knownFields;
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
  const base = {
    origin: node.origin,
    id: node.id,
    attributes: acl === undefined ? node.attributes : restricted(node.attributes, acl),
    xattrs: () => xattrs,
    get metadata(): Metadata {
      return { ...node.metadata, mode: this.attributes.mode, acl: NO_ACL };
    },
  };
  // Assigned, since a spread would ask for the metadata now.
  switch (node.kind) {
    case "directory":
      return Object.assign(
        base,
        {
          kind: "directory",
          lookup: (name: string) => node.lookup(name),
          entries: (onDamage?: (damage: Error) => void) => node.entries(onDamage),
        } as const,
      );
    case "file": {
      const { linkCount } = node;
      return Object.assign(base, { kind: "file", linkCount, open: () => node.open() } as const);
    }
    case "symlink":
      return Object.assign(base, { kind: "symlink", target: node.target } as const);
    case "device":
      return Object.assign(base, { kind: "device", major: node.major, minor: node.minor } as const);
    default:
      return Object.assign(base, { kind: node.kind });
  }
}

/** Field by field, since a node may be its own attributes. */
function restricted(attributes: Attributes, acl: Uint8Array): Attributes {
  const { uid, gid, size, dataBytes = size, mtime, nlink, rdev } = attributes;
  const mode = restrictedMode(acl, attributes.mode);
  return { mode, uid, gid, size, dataBytes, mtime, nlink, rdev };
}

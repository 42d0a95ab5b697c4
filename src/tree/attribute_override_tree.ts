/**
 * A tree with other owners, or without ACLs: what a mount shows of it.
 *
 * @module
 */

import { NO_ACL } from "#src/bytes/acl.ts";
import { restrictedMode, XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import type { Metadata, MetadataField } from "./metadata.ts";
import type { Attributes, DirectoryNode, MountableTree, Node } from "./node.ts";

/** Numeric owner of files. */
export interface Owner {
  /** Of the user. */
  readonly uid: number;
  /** Of the group. */
  readonly gid: number;
}

/** What is shown other than it is stored. */
export interface AttributeOverrides {
  /**
   * Nobody checks access by ACLs: files have none, but modes by which nobody gets more than these
   * would give.
   */
  readonly withoutAcls: boolean;
  /** Who owns all files; undefined: as stored. */
  readonly owner: Owner | undefined;
}

/** See {@link AttributeOverrides}. */
export class AttributeOverrideTree implements MountableTree {
  readonly #tree: MountableTree;
  readonly #showing: AttributeOverrides;

  constructor(tree: MountableTree, showing: AttributeOverrides) {
    this.#tree = tree;
    this.#showing = showing;
  }

  get root(): DirectoryNode {
    return shown(this.#tree.root, this.#showing) as DirectoryNode;
  }

  get knownFields(): ReadonlySet<MetadataField> {
    return this.#tree.knownFields;
  }

  get mtimePrecisionNs(): number {
    return this.#tree.mtimePrecisionNs ?? 1;
  }

  get below(): MountableTree {
    return this.#tree;
  }

  nodeById(id: number): Node | undefined {
    const node = this.#tree.nodeById(id);
    return node && shown(node, this.#showing);
  }

  close(): void {
    this.#tree.close();
  }
}

/**
 * The same node with other metadata. Nodes are classes with private fields: they cannot be
 * inherited from.
 */
function shown(node: Node, showing: AttributeOverrides): Node {
  const { withoutAcls, owner } = showing;
  const xattrs = withoutAcls ? new Map(node.xattrs()) : undefined;
  const acl = xattrs?.get(XATTR_ACL_ACCESS);
  xattrs?.delete(XATTR_ACL_ACCESS);
  xattrs?.delete(XATTR_ACL_DEFAULT);
  const base = {
    origin: node.origin,
    id: node.id,
    attributes: changed(node.attributes, owner, acl),
    xattrs: () => xattrs ?? node.xattrs(),
    get kept() {
      return node.kind === "file" ? node.kept : undefined;
    },
    get metadata(): Metadata {
      const { mode, uid, gid } = this.attributes;
      const metadata = { ...node.metadata, mode, uid, gid };
      return withoutAcls ? { ...metadata, acl: NO_ACL } : metadata;
    },
  };
  // Assigned, since a spread would ask for the metadata now.
  switch (node.kind) {
    case "directory":
      return Object.assign(
        base,
        {
          kind: "directory",
          lookup(name: string) {
            const child = node.lookup(name);
            return child && shown(child, showing);
          },
          *entries(onDamage?: (damage: Error) => void) {
            for (const entry of node.entries(onDamage)) {
              yield {
                name: entry.name,
                get node() {
                  return shown(entry.node, showing);
                },
              };
            }
          },
        } as const,
      );
    case "file": {
      const { linkCount, plainPath, payload } = node;
      return Object.assign(
        base,
        {
          kind: "file",
          linkCount,
          payload,
          ...plainPath === undefined ? {} : { plainPath },
          open: () => node.open(),
        } as const,
      );
    }
    case "symlink": {
      const { target, followsMount = false } = node;
      return Object.assign(base, { kind: "symlink", target, followsMount } as const);
    }
    case "device":
      return Object.assign(base, { kind: "device", major: node.major, minor: node.minor } as const);
    default:
      return Object.assign(base, { kind: node.kind });
  }
}

/** Field by field, since a node may be its own attributes. */
function changed(
  attributes: Attributes,
  owner: Owner | undefined,
  acl: Uint8Array | undefined,
): Attributes {
  const { size, dataBytes = size, mtime, nlink, rdev } = attributes;
  const { uid, gid } = owner ?? attributes;
  const mode = acl === undefined ? attributes.mode : restrictedMode(acl, attributes.mode);
  return { mode, uid, gid, size, dataBytes, mtime, nlink, rdev };
}

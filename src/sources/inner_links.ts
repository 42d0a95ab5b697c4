/**
 * A data directory of PostgreSQL below an overlay, of which nothing leads out.
 *
 * A copy of a data directory has the links that the original has: to tablespaces, perhaps to the
 * WAL. On the machine of the original a server on the mount would follow them, and write into the
 * files of the server that the backup was taken of. So in a writable mount such a link leads
 * nowhere, which its target says; and there is no `tablespace_map`, by which a server would make
 * the links anew. Links of pg_probackup's backups lead into the mount, and are left alone.
 *
 * @module
 */

import { NO_XATTRS } from "#src/tree/metadata.ts";
import type {
  Attributes,
  DirectoryEntry,
  DirectoryNode,
  MountableTree,
  Node,
  SymlinkNode,
} from "#src/tree/node.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";

/** What a data directory has that leads out of it, as plain values. */
export interface OutwardLinks {
  /** Numbers of the nodes whose entries are changed: the root and `pg_tblspc`. */
  readonly directories: readonly number[];
  /** What links lead to instead, by the numbers of their nodes. */
  readonly targets: ReadonlyMap<number, string>;
  /** Their paths, for the log. */
  readonly paths: readonly string[];
}

/** What the target of a link begins with that leads out: no path. */
const OUTSIDE = "not in this backup:";
const TABLESPACES = "pg_tblspc";
const TABLESPACE_MAP = "tablespace_map";
/** What a server writes through where it is a link; settings are read, and stay what they are. */
const WRITTEN = /^(?:base|global|pg_\w+)$/u;

/** Where a link leads on the machine of the original; undefined when it does not lead out. */
export function parseOutsideTarget(target: string): string | undefined {
  return target.startsWith(OUTSIDE) ? target.slice(OUTSIDE.length) : undefined;
}

/** Looks for links that lead out; undefined where there are none, or it is no data directory. */
export function findOutwardLinks({ root }: MountableTree): OutwardLinks | undefined {
  if (root.lookup("PG_VERSION")?.kind !== "file") return undefined;
  const targets = new Map<number, string>();
  const paths: string[] = [];
  const look = (directory: DirectoryNode, above: string, isLookedAt: (name: string) => boolean) => {
    for (const { name, node } of directory.entries(() => {})) {
      if (node.kind !== "symlink" || !isLookedAt(name) || node.followsMount === true) continue;
      if (!leadsOut(node.target, above === "" ? 0 : 1)) continue;
      targets.set(node.id, OUTSIDE + node.target);
      paths.push(above + name);
    }
  };
  look(root, "", (name) => WRITTEN.test(name));
  const tablespaces = root.lookup(TABLESPACES);
  const directories = [root.id];
  if (tablespaces?.kind === "directory") {
    look(tablespaces, `${TABLESPACES}/`, () => true);
    directories.push(tablespaces.id);
  }
  if (root.lookup(TABLESPACE_MAP) !== undefined) paths.push(TABLESPACE_MAP);
  return paths.length === 0 ? undefined : { directories, targets, paths };
}

/** Whether a link `depth` directories below the root leads out of it. */
function leadsOut(target: string, depth: number): boolean {
  if (target.startsWith("/")) return true;
  for (const name of target.split("/")) {
    if (name === "..") depth--;
    else if (name !== "" && name !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

/** A tree with {@link OutwardLinks} turned inward. */
export class InnerLinksTree implements MountableTree {
  readonly #tree: MountableTree;
  readonly #links: OutwardLinks;

  constructor(tree: MountableTree, links: OutwardLinks) {
    this.#tree = tree;
    this.#links = links;
  }

  get root(): DirectoryNode {
    return this.#shown(this.#tree.root) as DirectoryNode;
  }

  get knownFields() {
    return this.#tree.knownFields;
  }

  get mtimePrecisionNs(): number {
    return this.#tree.mtimePrecisionNs ?? 1;
  }

  nodeById(id: number): Node | undefined {
    const node = this.#tree.nodeById(id);
    return node && this.#shown(node);
  }

  close(): void {
    this.#tree.close();
  }

  #shown(node: Node): Node {
    if (node.kind === "directory" && this.#links.directories.includes(node.id)) {
      return new InnerDirectory(node, this.#links, (child) => this.#shown(child));
    }
    const target = node.kind === "symlink" ? this.#links.targets.get(node.id) : undefined;
    return target === undefined ? node : new InnerLink(node as SymlinkNode, target);
  }
}

class InnerDirectory implements DirectoryNode {
  readonly kind = "directory";
  readonly origin: object;
  readonly id: number;
  readonly attributes: Attributes;
  readonly #node: DirectoryNode;
  readonly #isRoot: boolean;
  readonly #shown: (node: Node) => Node;

  constructor(node: DirectoryNode, { directories }: OutwardLinks, shown: (node: Node) => Node) {
    this.origin = node.origin;
    this.id = node.id;
    this.attributes = node.attributes;
    this.#node = node;
    this.#isRoot = node.id === directories[0];
    this.#shown = shown;
  }

  get metadata() {
    return this.#node.metadata;
  }

  xattrs() {
    return this.#node.xattrs();
  }

  lookup(name: string): Node | undefined {
    if (this.#isHidden(name)) return undefined;
    const child = this.#node.lookup(name);
    return child && this.#shown(child);
  }

  *entries(onDamage?: (damage: Error) => void): Iterable<DirectoryEntry> {
    const shown = this.#shown;
    for (const entry of this.#node.entries(onDamage)) {
      if (this.#isHidden(entry.name)) continue;
      yield {
        name: entry.name,
        get node() {
          return shown(entry.node);
        },
      };
    }
  }

  #isHidden(name: string): boolean {
    return this.#isRoot && name === TABLESPACE_MAP;
  }
}

class InnerLink implements SymlinkNode {
  readonly kind = "symlink";
  readonly origin: object;
  readonly id: number;
  readonly attributes: Attributes;
  readonly target: string;
  readonly #node: SymlinkNode;

  constructor(node: SymlinkNode, target: string) {
    const { mode, uid, gid, mtime, nlink, rdev } = node.attributes;
    this.origin = node.origin;
    this.id = node.id;
    this.attributes = { mode, uid, gid, mtime, nlink, rdev, size: encodeFileName(target).length };
    this.target = target;
    this.#node = node;
  }

  get metadata() {
    return this.#node.metadata;
  }

  xattrs() {
    return NO_XATTRS;
  }
}

/**
 * A tree made of parts of others: entries of any trees, each at a path of its own choice.
 *
 * Nothing is copied or listed in advance: directories are united when they are read.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import {
  type Candidate,
  type ConflictPolicy,
  type DirectoryCandidate,
  type Resolution,
  resolveConflict,
} from "./conflict.ts";
import {
  childPath,
  compareNames,
  findEntry,
  joinPath,
  requireEntry,
  splitPath,
} from "#src/tree/paths.ts";
import { type Metadata, METADATA_FIELDS } from "#src/tree/metadata.ts";
import { MetadataNode } from "#src/tree/metadata_node.ts";
import {
  type DirectoryEntry,
  type DirectoryNode,
  FileType,
  type Node,
  type Tree,
} from "#src/tree/node.ts";
import { sortedEntries } from "#src/tree/sorted_entries.ts";
import { type Layer, type LayerChild, uniteLayers } from "./union.ts";

/** An entry, with all that is in it, and its place in the new tree. */
export interface Placement {
  /** The tree that the entry is read from; it stays open as long as the composition. */
  readonly tree: Tree;
  /** Path of the entry in the tree; `/` for all of it. */
  readonly from: string;
  /**
   * Path in the new tree; that in its tree unless given. With a slash at the end the entry goes
   * into that directory under the name it has. The empty path makes a directory the new root.
   */
  readonly to?: string | undefined;
}

/** How a tree is put together. */
export interface CompositionOptions {
  /** What happens when two placements have an entry of the same name; `error` unless given. */
  readonly conflict?: ConflictPolicy;
}

const PARENT_PERMISSIONS = 0o755;

/**
 * Puts `placements` together to one tree.
 *
 * Directories that lead to a place and are not placed themselves have the metadata of the directory
 * with the same path in that placement's tree. Where there is none they belong to the owner of that
 * tree's root, have its time and mode 0755. The new root has the metadata of the first tree's root
 * unless a directory is placed there. The trees stay the caller's to close.
 *
 * @throws {UsageError} when a path is malformed, or something other than a directory is to be the
 *   root
 * @throws {StateError} `not-found` when a tree has no entry at a path
 * @throws {OsError} EEXIST on a conflict, while the tree is read
 */
export function compose(
  placements: readonly Placement[],
  options: CompositionOptions = {},
): Tree {
  const trees = placements.map((placement) => placement.tree);
  const first = trees[0];
  if (first === undefined) throw new UsageError("Cannot compose a tree: nothing is placed");
  const policy = options.conflict ?? "error";
  const root = new ImpliedDirectory(first.root.metadata);
  const candidates: Candidate[] = [{ order: -1, entry: root }];
  placements.forEach((placement, order) => {
    const entry = requireEntry(placement.tree, placement.from);
    const names = targetNames(placement);
    if (names.length > 0) root.place(names, { order, entry }, placement.tree);
    else if (entry.kind === "directory") candidates.push({ order, entry });
    else throw new UsageError(`Cannot make "${placement.from}" the root: it is not a directory`);
  });
  const composition: Composition = { policy, nextId: 1 };
  return {
    root: uniteDirectories(composition, "/", candidates as DirectoryCandidate[]),
    knownFields: new Set(
      METADATA_FIELDS.filter((field) => trees.every((tree) => tree.knownFields.has(field))),
    ),
    mtimePrecisionNs: Math.max(...trees.map((tree) => tree.mtimePrecisionNs ?? 1)),
    prelude: trees.find((tree) => tree.prelude !== undefined)?.prelude,
    close() {},
  };
}

/** What all directories of a composition share: their origin. */
interface Composition {
  readonly policy: ConflictPolicy;
  nextId: number;
}

function targetNames({ from, to }: Placement): string[] {
  const fromNames = splitPath(from);
  if (to === undefined) return fromNames;
  const names = splitPath(to);
  return to.endsWith("/") ? [...names, ...fromNames.slice(-1)] : names;
}

/**
 * A directory that is there because something is placed below it. It is never shown itself, only
 * united with others.
 */
class ImpliedDirectory extends MetadataNode implements DirectoryNode {
  readonly kind = "directory";
  readonly origin = this;
  readonly id = 0;
  readonly metadata: Metadata;
  readonly placed = new Map<string, Candidate[]>();

  constructor(metadata: Metadata) {
    super();
    this.metadata = metadata;
  }

  /** Places `candidate` at `names`, of which the first `depth` lead to this directory. */
  place(names: readonly string[], candidate: Candidate, tree: Tree, depth = 0): void {
    const name = names[depth]!;
    if (depth === names.length - 1) {
      this.#candidates(name).push(candidate);
      return;
    }
    const path = joinPath(names.slice(0, depth + 1));
    this.#implied(name, candidate.order, () => parentMetadata(tree, path))
      .place(names, candidate, tree, depth + 1);
  }

  #candidates(name: string): Candidate[] {
    let candidates = this.placed.get(name);
    if (candidates === undefined) this.placed.set(name, candidates = []);
    return candidates;
  }

  /**
   * The latest candidate for `name`, or a new one when that is something else: what comes between
   * may matter.
   */
  #implied(name: string, order: number, metadata: () => Metadata): ImpliedDirectory {
    const candidates = this.#candidates(name);
    const latest = candidates.at(-1)?.entry;
    if (latest instanceof ImpliedDirectory) return latest;
    const entry = new ImpliedDirectory(metadata());
    candidates.push({ order, entry });
    return entry;
  }

  lookup(): Node | undefined {
    return undefined;
  }

  entries(): readonly DirectoryEntry[] {
    return [];
  }
}

function parentMetadata(tree: Tree, path: string): Metadata {
  const entry = findEntry(tree, path);
  if (entry?.kind === "directory") return entry.metadata;
  const { uid, gid, mtime } = tree.root.metadata;
  return {
    mode: FileType.DIRECTORY | PARENT_PERMISSIONS,
    uid,
    gid,
    mtime,
    flags: 0n,
    xattrs: [],
    acl: NO_ACL,
    fcaps: undefined,
    projectId: 0n,
  };
}

function uniteDirectories(
  composition: Composition,
  path: string,
  directories: readonly DirectoryCandidate[],
): DirectoryNode {
  const [first, second] = directories.filter(({ entry }) => !isEmpty(entry));
  // A directory of its own decodes its entries one by one, a united one has to know all of them.
  const isOne = first !== undefined && second === undefined;
  if (isOne && !(first.entry instanceof ImpliedDirectory)) return first.entry;
  return new UnitedDirectory(composition, path, directories);
}

/** Whether nothing is placed below a directory that is there for that only. */
function isEmpty(entry: DirectoryNode): boolean {
  return entry instanceof ImpliedDirectory && entry.placed.size === 0;
}

/** Several directories in one. */
class UnitedDirectory extends MetadataNode implements DirectoryNode {
  readonly kind = "directory";
  readonly origin: Composition;
  readonly id: number;
  readonly #path: string;
  readonly #directories: readonly DirectoryCandidate[];

  constructor(
    composition: Composition,
    path: string,
    directories: readonly DirectoryCandidate[],
  ) {
    super();
    this.origin = composition;
    this.id = composition.nextId++;
    this.#path = path;
    this.#directories = directories;
  }

  get metadata(): Metadata {
    const real = this.#directories.filter(({ entry }) => !(entry instanceof ImpliedDirectory));
    const known = real.length > 0 ? real : this.#directories;
    return known.at(this.origin.policy === "last" ? -1 : 0)!.entry.metadata;
  }

  lookup(name: string): Node | undefined {
    // A name that is nobody's own may have been given to avoid a conflict.
    if (this.origin.policy === "rename") {
      return this.entries().find((child) => child.name === name)?.node;
    }
    const candidates = this.#directories.flatMap(({ entry, order }): Candidate[] => {
      if (entry instanceof ImpliedDirectory) return entry.placed.get(name) ?? [];
      const child = entry.lookup(name);
      return child === undefined ? [] : [{ order, entry: child }];
    });
    return candidates.length === 0 ? undefined : this.#winner(name, candidates);
  }

  entries(onDamage?: (damage: Error) => void): readonly DirectoryEntry[] {
    const layers = this.#directories.map((directory) => layerOf(directory, onDamage));
    if (this.origin.policy === "rename") return this.#renamed(layers);
    return Array.from(uniteLayers(layers), (group): DirectoryEntry => {
      const [{ child }, second] = group;
      // The entries of a directory of its own are not decoded yet, and need not be.
      const isOwn = second === undefined && !(child instanceof PlacedChild);
      return isOwn
        ? child
        : new LazyChild(child.name, () => this.#winner(child.name, group.map(candidateOf)));
    });
  }

  #winner(name: string, candidates: readonly Candidate[]): Node {
    const [resolution] = this.#resolve(name, candidates, () => false);
    return this.#entryOf(resolution!);
  }

  /** With names of their own for entries that others would replace. */
  #renamed(layers: readonly Layer[]): readonly DirectoryEntry[] {
    const taken = new Set<string>();
    for (const [{ child }] of uniteLayers(layers)) taken.add(child.name);
    const children: DirectoryEntry[] = [];
    for (const group of uniteLayers(layers)) {
      const candidates = group.map(candidateOf);
      const isTaken = (name: string) => taken.has(name);
      for (const resolution of this.#resolve(group[0].child.name, candidates, isTaken)) {
        const { name } = resolution;
        taken.add(name);
        const entry = this.#entryOf(resolution);
        const own = group[candidates.findIndex((candidate) => candidate.entry === entry)]?.child;
        children.push(own ? new LazyChild(name, () => own.node) : { name, node: entry });
      }
    }
    return children.sort((a, b) => compareNames(a.name, b.name));
  }

  #resolve(
    name: string,
    candidates: readonly Candidate[],
    isTaken: (name: string) => boolean,
  ): Resolution[] {
    const ordered = candidates.toSorted((a, b) => a.order - b.order);
    const path = childPath(this.#path, name);
    return resolveConflict(path, name, ordered, this.origin.policy, isTaken);
  }

  #entryOf(resolution: Resolution): Node {
    if (resolution.kind === "entry") return resolution.entry;
    const path = childPath(this.#path, resolution.name);
    return uniteDirectories(this.origin, path, resolution.directories);
  }
}

/** What was placed in a directory. */
class PlacedChild implements DirectoryEntry {
  constructor(
    readonly name: string,
    readonly order: number,
    readonly node: Node,
  ) {}
}

/** An entry that is found out when it is asked for: a directory may have a million of these. */
class LazyChild implements DirectoryEntry {
  readonly name: string;
  readonly #resolve: () => Node;

  constructor(name: string, resolve: () => Node) {
    this.name = name;
    this.#resolve = resolve;
  }

  get node(): Node {
    return this.#resolve();
  }
}

function layerOf(
  { entry, order }: DirectoryCandidate,
  onDamage: ((damage: Error) => void) | undefined,
): Layer {
  if (!(entry instanceof ImpliedDirectory)) {
    return { children: sortedEntries(entry, onDamage), orderOf: () => order };
  }
  const children = [...entry.placed].flatMap(([name, placed]) =>
    placed.map((candidate) => new PlacedChild(name, candidate.order, candidate.entry))
  ).sort((a, b) => compareNames(a.name, b.name));
  return { children, orderOf: (index) => children[index]!.order };
}

function candidateOf({ order, child }: LayerChild): Candidate {
  return { order, entry: child.node };
}

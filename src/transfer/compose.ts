/**
 * A tree made of parts of others: entries of any readers, each at a path of its own choice.
 *
 * Nothing is copied or listed in advance: directories are united when they are read.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { NO_ACL, type PxarMetadata } from "#src/pxar/entry.ts";
import { FileType } from "#src/tree/node.ts";
import {
  type Candidate,
  type ConflictPolicy,
  type DirectoryCandidate,
  type Resolution,
  resolveConflict,
} from "./conflict.ts";
import { childPath, compareNames, findEntry, joinPath, requireEntry, splitPath } from "./paths.ts";
import {
  METADATA_FIELDS,
  type NamedEntry,
  type ReaderDirectory,
  type ReaderEntry,
  type TreeReader,
} from "./reader.ts";
import { type Layer, type LayerChild, uniteLayers } from "./union.ts";

/** An entry, with all that is in it, and its place in the new tree. */
export interface Placement {
  /** The tree that the entry is read from; it stays open as long as the composition. */
  readonly reader: TreeReader;
  /** Path of the entry in the reader; `/` for the whole tree. */
  readonly from: string;
  /**
   * Path in the new tree; that of the reader unless given. With a slash at the end the entry goes
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
 * with the same path in that placement's reader. Where there is none they belong to the owner of
 * the reader's root, have its time and mode 0755. The new root has the metadata of the first
 * reader's root unless a directory is placed there.
 *
 * @throws {UsageError} when a path is malformed, or something other than a directory is to be the
 *   root
 * @throws {StateError} `not-found` when a reader has no entry at a path
 * @throws {OsError} EEXIST on a conflict, while the tree is read
 */
export function compose(
  placements: readonly Placement[],
  options: CompositionOptions = {},
): TreeReader {
  const readers = placements.map((placement) => placement.reader);
  const first = readers[0];
  if (first === undefined) throw new UsageError("Cannot compose a tree: nothing is placed");
  const policy = options.conflict ?? "error";
  const root = new ImpliedDirectory(first.root.metadata);
  const candidates: Candidate[] = [{ order: -1, entry: root }];
  placements.forEach((placement, order) => {
    const entry = requireEntry(placement.reader, placement.from);
    const names = targetNames(placement);
    if (names.length > 0) root.place(names, { order, entry }, placement.reader);
    else if (entry.kind === "directory") candidates.push({ order, entry });
    else throw new UsageError(`Cannot make "${placement.from}" the root: it is not a directory`);
  });
  const composition: Composition = { policy, nextId: 0 };
  return {
    root: uniteDirectories(composition, "/", candidates as DirectoryCandidate[]),
    knownFields: new Set(
      METADATA_FIELDS.filter((field) => readers.every((reader) => reader.knownFields.has(field))),
    ),
    mtimePrecisionNs: Math.max(...readers.map((reader) => reader.mtimePrecisionNs)),
    prelude: readers.find((reader) => reader.prelude !== undefined)?.prelude,
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
class ImpliedDirectory implements ReaderDirectory {
  readonly kind = "directory";
  readonly origin = this;
  readonly id = 0;
  readonly metadata: PxarMetadata;
  readonly placed = new Map<string, Candidate[]>();

  constructor(metadata: PxarMetadata) {
    this.metadata = metadata;
  }

  /** Places `candidate` at `names`, of which the first `depth` lead to this directory. */
  place(names: readonly string[], candidate: Candidate, reader: TreeReader, depth = 0): void {
    const name = names[depth]!;
    if (depth === names.length - 1) {
      this.#candidates(name).push(candidate);
      return;
    }
    const path = joinPath(names.slice(0, depth + 1));
    this.#implied(name, candidate.order, () => parentMetadata(reader, path))
      .place(names, candidate, reader, depth + 1);
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
  #implied(name: string, order: number, metadata: () => PxarMetadata): ImpliedDirectory {
    const candidates = this.#candidates(name);
    const latest = candidates.at(-1)?.entry;
    if (latest instanceof ImpliedDirectory) return latest;
    const entry = new ImpliedDirectory(metadata());
    candidates.push({ order, entry });
    return entry;
  }

  lookup(): ReaderEntry | undefined {
    return undefined;
  }

  children(): readonly NamedEntry[] {
    return [];
  }
}

function parentMetadata(reader: TreeReader, path: string): PxarMetadata {
  const entry = findEntry(reader, path);
  if (entry?.kind === "directory") return entry.metadata;
  const { uid, gid, mtime } = reader.root.metadata;
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
): ReaderDirectory {
  const [first, second] = directories.filter(({ entry }) => !isEmpty(entry));
  // A directory of its own decodes its entries one by one, a united one has to know all of them.
  const isOne = first !== undefined && second === undefined;
  if (isOne && !(first.entry instanceof ImpliedDirectory)) return first.entry;
  return new UnitedDirectory(composition, path, directories);
}

/** Whether nothing is placed below a directory that is there for that only. */
function isEmpty(entry: ReaderDirectory): boolean {
  return entry instanceof ImpliedDirectory && entry.placed.size === 0;
}

/** Several directories in one. */
class UnitedDirectory implements ReaderDirectory {
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
    this.origin = composition;
    this.id = composition.nextId++;
    this.#path = path;
    this.#directories = directories;
  }

  get metadata(): PxarMetadata {
    const real = this.#directories.filter(({ entry }) => !(entry instanceof ImpliedDirectory));
    const known = real.length > 0 ? real : this.#directories;
    return known.at(this.origin.policy === "last" ? -1 : 0)!.entry.metadata;
  }

  lookup(name: string): ReaderEntry | undefined {
    // A name that is nobody's own may have been given to avoid a conflict.
    if (this.origin.policy === "rename") {
      return this.children().find((child) => child.name === name)?.entry;
    }
    const candidates = this.#directories.flatMap(({ entry, order }): Candidate[] => {
      if (entry instanceof ImpliedDirectory) return entry.placed.get(name) ?? [];
      const child = entry.lookup(name);
      return child === undefined ? [] : [{ order, entry: child }];
    });
    return candidates.length === 0 ? undefined : this.#winner(name, candidates);
  }

  children(): readonly NamedEntry[] {
    const layers = this.#directories.map(layerOf);
    if (this.origin.policy === "rename") return this.#renamed(layers);
    return Array.from(uniteLayers(layers), (group): NamedEntry => {
      const [{ child }, second] = group;
      // The entries of a directory of its own are not decoded yet, and need not be.
      const isOwn = second === undefined && !(child instanceof PlacedChild);
      return isOwn
        ? child
        : new LazyChild(child.name, () => this.#winner(child.name, group.map(candidateOf)));
    });
  }

  #winner(name: string, candidates: readonly Candidate[]): ReaderEntry {
    const [resolution] = this.#resolve(name, candidates, () => false);
    return this.#entryOf(resolution!);
  }

  /** With names of their own for entries that others would replace. */
  #renamed(layers: readonly Layer[]): readonly NamedEntry[] {
    const taken = new Set<string>();
    for (const [{ child }] of uniteLayers(layers)) taken.add(child.name);
    const children: NamedEntry[] = [];
    for (const group of uniteLayers(layers)) {
      const candidates = group.map(candidateOf);
      const isTaken = (name: string) => taken.has(name);
      for (const resolution of this.#resolve(group[0].child.name, candidates, isTaken)) {
        const { name } = resolution;
        taken.add(name);
        const entry = this.#entryOf(resolution);
        const own = group[candidates.findIndex((candidate) => candidate.entry === entry)]?.child;
        children.push(own ? new LazyChild(name, () => own.entry) : { name, entry });
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

  #entryOf(resolution: Resolution): ReaderEntry {
    if (resolution.kind === "entry") return resolution.entry;
    const path = childPath(this.#path, resolution.name);
    return uniteDirectories(this.origin, path, resolution.directories);
  }
}

/** What was placed in a directory. */
class PlacedChild implements NamedEntry {
  constructor(
    readonly name: string,
    readonly order: number,
    readonly entry: ReaderEntry,
  ) {}
}

/** An entry that is found out when it is asked for: a directory may have a million of these. */
class LazyChild implements NamedEntry {
  readonly name: string;
  readonly #resolve: () => ReaderEntry;

  constructor(name: string, resolve: () => ReaderEntry) {
    this.name = name;
    this.#resolve = resolve;
  }

  get entry(): ReaderEntry {
    return this.#resolve();
  }
}

function layerOf({ entry, order }: DirectoryCandidate): Layer {
  if (!(entry instanceof ImpliedDirectory)) {
    return { children: entry.children(), orderOf: () => order };
  }
  const children = [...entry.placed].flatMap(([name, placed]) =>
    placed.map((candidate) => new PlacedChild(name, candidate.order, candidate.entry))
  ).sort((a, b) => compareNames(a.name, b.name));
  return { children, orderOf: (index) => children[index]!.order };
}

function candidateOf({ order, child }: LayerChild): Candidate {
  return { order, entry: child.entry };
}

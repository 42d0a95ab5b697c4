/**
 * What differs between two trees.
 *
 * @module
 */

import { FileType } from "#src/bytes/file_type.ts";
import { Failure } from "#src/errors.ts";
import { isSameContent } from "./content.ts";
import { FirstNames } from "./first_names.ts";
import { type FieldComparison, fieldComparisons } from "./metadata_fields.ts";
import { childPath, compareNames } from "./paths.ts";
import {
  childrenSeen,
  METADATA_FIELDS,
  type MetadataField,
  type NamedEntry,
  type ReaderDirectory,
  type ReaderEntry,
  type TreeReader,
} from "./reader.ts";

/** One difference between two trees, called left and right. Paths are `/a/b`. */
export type Difference =
  | {
    /** Only one tree has the entry. What is in a directory follows. */
    readonly type: "left-only" | "right-only";
    readonly path: string;
    readonly entry: ReaderEntry;
  }
  | {
    /** The same path leads to entries of different types. What is in a directory follows. */
    readonly type: "type";
    readonly path: string;
    readonly left: ReaderEntry;
    readonly right: ReaderEntry;
  }
  | {
    readonly type: "changed";
    readonly path: string;
    readonly left: ReaderEntry;
    readonly right: ReaderEntry;
    /** Fields that differ; empty when only the content does. */
    readonly fields: readonly MetadataField[];
    /** Whether size, bytes, link target or device number differ. */
    readonly isContentChanged: boolean;
    /** Whether the content differs although type, size and all metadata agree. */
    readonly isHidden: boolean;
  };

/** What is compared. */
export interface DiffOptions {
  /** Whether to read the bytes of files of equal size; true unless given. */
  readonly compareContents?: boolean;
  /**
   * Hears of what cannot be compared, since one side of it cannot be read; the rest is compared all
   * the same. Unless given, that ends the comparison.
   */
  readonly onDamage?: (path: string, damage: Error) => void;
  /** Names in the roots that are left out on both sides: what a format adds to them. */
  readonly ignoredRootNames?: ReadonlySet<string>;
  /** Fields to leave out, beside those that one of the readers does not know. */
  readonly ignoredFields?: ReadonlySet<MetadataField>;
}

/**
 * A pair of directories that is being compared; one of them is missing below what only one tree
 * has.
 */
interface Level {
  readonly path: string;
  readonly left: readonly NamedEntry[];
  readonly right: readonly NamedEntry[];
  nextLeft: number;
  nextRight: number;
}

/**
 * Compares two trees in ascending byte order of the paths' names, a directory before what is in it.
 * Differences are found as they are asked for; who has seen enough stops.
 */
export function* diffTrees(
  left: TreeReader,
  right: TreeReader,
  options: DiffOptions = {},
): Generator<Difference, void, undefined> {
  const comparison = new Comparison(left, right, options);
  yield* comparison.compare("/", "", left.root, right.root);
  const { onDamage, ignoredRootNames } = options;
  const childrenOf = (path: string, entry: ReaderEntry | undefined): readonly NamedEntry[] => {
    if (entry?.kind !== "directory") return [];
    const directory = entry as ReaderDirectory;
    const children = onDamage === undefined
      ? directory.children()
      : childrenSeen(directory, (damage) => onDamage(path, damage));
    if (path !== "/" || ignoredRootNames === undefined) return children;
    return children.filter(({ name }) => !ignoredRootNames.has(name));
  };
  const openLevel = (
    path: string,
    one: ReaderEntry | undefined,
    other: ReaderEntry | undefined,
  ): Level => ({
    path,
    left: childrenOf(path, one),
    right: childrenOf(path, other),
    nextLeft: 0,
    nextRight: 0,
  });
  const stack = [openLevel("/", left.root, right.root)];
  while (true) {
    const level = stack.at(-1);
    if (level === undefined) return;
    const leftChild = level.left[level.nextLeft];
    const rightChild = level.right[level.nextRight];
    if (leftChild === undefined && rightChild === undefined) {
      stack.pop();
      continue;
    }
    const order = leftChild === undefined
      ? 1
      : rightChild === undefined
      ? -1
      : compareNames(leftChild.name, rightChild.name);
    if (order <= 0) level.nextLeft++;
    if (order >= 0) level.nextRight++;
    const { name } = (order <= 0 ? leftChild : rightChild)!;
    const path = childPath(level.path, name);
    const pair = comparison.readable(path, () => ({
      left: order <= 0 ? leftChild!.entry : undefined,
      right: order >= 0 ? rightChild!.entry : undefined,
    }));
    if (pair === undefined) continue;
    const { left: leftEntry, right: rightEntry } = pair;
    yield* comparison.compare(level.path, name, leftEntry, rightEntry);
    if (leftEntry?.kind === "directory" || rightEntry?.kind === "directory") {
      stack.push(openLevel(path, leftEntry, rightEntry));
    }
  }
}

/** Compares entries of two trees, each pair once and in order. */
class Comparison {
  readonly #comparisons: readonly [MetadataField, FieldComparison][];
  readonly #comparesContents: boolean;
  readonly #onDamage: ((path: string, damage: Error) => void) | undefined;
  readonly #leftNames: FirstNames | undefined;
  readonly #rightNames: FirstNames | undefined;

  constructor(left: TreeReader, right: TreeReader, options: DiffOptions) {
    const isCompared = (field: MetadataField) =>
      left.knownFields.has(field) && right.knownFields.has(field) &&
      options.ignoredFields?.has(field) !== true;
    const precisionNs = Math.max(left.mtimePrecisionNs, right.mtimePrecisionNs);
    const byField = fieldComparisons(precisionNs);
    this.#comparisons = METADATA_FIELDS.flatMap((field): [MetadataField, FieldComparison][] =>
      field !== "links" && isCompared(field) ? [[field, byField[field]]] : []
    );
    this.#comparesContents = options.compareContents ?? true;
    this.#onDamage = options.onDamage;
    if (isCompared("links")) {
      this.#leftNames = new FirstNames();
      this.#rightNames = new FirstNames();
    }
  }

  /** What `read` gives, or undefined where that cannot be read, which is told. */
  readable<Result>(path: string, read: () => Result): Result | undefined {
    try {
      return read();
    } catch (error) {
      if (this.#onDamage === undefined || !(error instanceof Failure)) throw error;
      this.#onDamage(path, error);
      return undefined;
    }
  }

  *compare(
    directoryPath: string,
    name: string,
    left: ReaderEntry | undefined,
    right: ReaderEntry | undefined,
  ): Generator<Difference, void, undefined> {
    const leftName = firstPath(this.#leftNames, directoryPath, name, left);
    const rightName = firstPath(this.#rightNames, directoryPath, name, right);
    const path = childPath(directoryPath, name);
    if (left === undefined || right === undefined) {
      if (left !== undefined) yield { type: "left-only", path, entry: left };
      if (right !== undefined) yield { type: "right-only", path, entry: right };
      return;
    }
    if (!isSameType(left, right)) {
      yield { type: "type", path, left, right };
      return;
    }
    const fields = this.#comparisons
      .filter(([, isSame]) => !isSame(left.metadata, right.metadata))
      .map(([field]) => field);
    if (leftName !== rightName) fields.push("links");
    // What cannot be read is told of, and is no difference.
    const isContentChanged = this.readable(path, () => this.#isContentChanged(left, right)) ??
      false;
    if (fields.length === 0 && !isContentChanged) return;
    const isSameSize = left.kind !== "file" || left.size === (right as typeof left).size;
    const isHidden = isContentChanged && fields.length === 0 && isSameSize;
    yield { type: "changed", path, left, right, fields, isContentChanged, isHidden };
  }

  #isContentChanged(left: ReaderEntry, right: ReaderEntry): boolean {
    if (left.kind === "file" && right.kind === "file") {
      if (left.size !== right.size) return true;
      return this.#comparesContents && !isSameContent(left, right);
    }
    if (left.kind === "symlink" && right.kind === "symlink") return left.target !== right.target;
    if (left.kind === "device" && right.kind === "device") {
      return left.major !== right.major || left.minor !== right.minor;
    }
    return false;
  }
}

/** The type bits of the mode tell character from block devices. */
function isSameType(left: ReaderEntry, right: ReaderEntry): boolean {
  if (left.kind !== right.kind) return false;
  return left.kind !== "device" ||
    (left.metadata.mode & FileType.MASK) === (right.metadata.mode & FileType.MASK);
}

/**
 * The path that stands for a file with possibly several names; undefined where names are not
 * compared.
 */
function firstPath(
  names: FirstNames | undefined,
  directoryPath: string,
  name: string,
  entry: ReaderEntry | undefined,
): string | undefined {
  if (names === undefined || entry?.kind !== "file") return undefined;
  const first = names.find(entry);
  if (first !== undefined) return first.path;
  names.add(entry, directoryPath, name, 0);
  return childPath(directoryPath, name);
}

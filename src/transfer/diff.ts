/**
 * What differs between two trees.
 *
 * @module
 */

import { FileType } from "#src/bytes/file_type.ts";
import { isSameContent } from "./content.ts";
import { type DamageHearing, hearingDamage } from "./damage_hearing.ts";
import { FirstNames } from "./first_names.ts";
import { type FieldComparison, fieldComparisons } from "./metadata_fields.ts";
import { childPath, compareNames } from "#src/tree/paths.ts";
import { METADATA_FIELDS, type MetadataField } from "#src/tree/metadata.ts";
import type { DirectoryEntry, Node, Tree } from "#src/tree/node.ts";

/** One difference between two trees, called left and right. Paths are `/a/b`. */
export type Difference =
  | {
    /** Only one tree has the entry. What is in a directory follows. */
    readonly type: "left-only" | "right-only";
    readonly path: string;
    readonly entry: Node;
  }
  | {
    /** The same path leads to entries of different types. What is in a directory follows. */
    readonly type: "type";
    readonly path: string;
    readonly left: Node;
    readonly right: Node;
  }
  | {
    readonly type: "changed";
    readonly path: string;
    readonly left: Node;
    readonly right: Node;
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
  /** Fields to leave out, beside those that one of the trees does not know. */
  readonly ignoredFields?: ReadonlySet<MetadataField>;
}

/**
 * A pair of directories that is being compared; one of them is missing below what only one tree
 * has.
 */
interface Level {
  readonly path: string;
  readonly left: readonly DirectoryEntry[];
  readonly right: readonly DirectoryEntry[];
  nextLeft: number;
  nextRight: number;
}

/**
 * Compares two trees in ascending byte order of the paths' names, a directory before what is in it.
 * Differences are found as they are asked for; who has seen enough stops.
 */
export function* diffTrees(
  left: Tree,
  right: Tree,
  options: DiffOptions = {},
): Generator<Difference, void, undefined> {
  const hearing = hearingDamage(options.onDamage);
  const comparison = new Comparison(left, right, options, hearing);
  yield* comparison.compare("/", "", left.root, right.root);
  const { ignoredRootNames } = options;
  const childrenOf = (path: string, entry: Node | undefined): readonly DirectoryEntry[] => {
    if (entry?.kind !== "directory") return [];
    const children = hearing.entriesOf(path, entry);
    if (path !== "/" || ignoredRootNames === undefined) return children;
    return children.filter(({ name }) => !ignoredRootNames.has(name));
  };
  const openLevel = (
    path: string,
    one: Node | undefined,
    other: Node | undefined,
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
    const pair = hearing.readable(path, () => ({
      left: order <= 0 ? leftChild!.node : undefined,
      right: order >= 0 ? rightChild!.node : undefined,
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
  readonly #hearing: DamageHearing;
  readonly #leftNames: FirstNames | undefined;
  readonly #rightNames: FirstNames | undefined;

  constructor(left: Tree, right: Tree, options: DiffOptions, hearing: DamageHearing) {
    const isCompared = (field: MetadataField) =>
      left.knownFields.has(field) && right.knownFields.has(field) &&
      options.ignoredFields?.has(field) !== true;
    const precisionNs = Math.max(left.mtimePrecisionNs ?? 1, right.mtimePrecisionNs ?? 1);
    const byField = fieldComparisons(precisionNs);
    this.#comparisons = METADATA_FIELDS.flatMap((field): [MetadataField, FieldComparison][] =>
      field !== "links" && isCompared(field) ? [[field, byField[field]]] : []
    );
    this.#comparesContents = options.compareContents ?? true;
    this.#hearing = hearing;
    if (isCompared("links")) {
      this.#leftNames = new FirstNames();
      this.#rightNames = new FirstNames();
    }
  }

  *compare(
    directoryPath: string,
    name: string,
    left: Node | undefined,
    right: Node | undefined,
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
    const isContentChanged =
      this.#hearing.readable(path, () => this.#isContentChanged(left, right)) ??
        false;
    if (fields.length === 0 && !isContentChanged) return;
    const isSameSize = left.kind !== "file" || left.attributes.size === right.attributes.size;
    const isHidden = isContentChanged && fields.length === 0 && isSameSize;
    yield { type: "changed", path, left, right, fields, isContentChanged, isHidden };
  }

  #isContentChanged(left: Node, right: Node): boolean {
    if (left.kind === "file" && right.kind === "file") {
      if (left.attributes.size !== right.attributes.size) return true;
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
function isSameType(left: Node, right: Node): boolean {
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
  entry: Node | undefined,
): string | undefined {
  if (names === undefined || entry?.kind !== "file") return undefined;
  const first = names.find(entry);
  if (first !== undefined) return first.path;
  names.add(entry, directoryPath, name, 0);
  return childPath(directoryPath, name);
}

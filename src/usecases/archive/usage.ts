/**
 * How much there is below the directories of a tree.
 *
 * @module
 */

import { FirstNames } from "#src/transfer/first_names.ts";
import { hearingDamage } from "#src/transfer/damage_hearing.ts";
import type { DirectoryEntry, FileNode, Node } from "#src/tree/node.ts";
import { childPath, findEntry, joinPath, splitPath } from "#src/tree/paths.ts";
import { type NamedTree, notFound } from "./trees.ts";

/** What there is at and below a path. */
export interface Usage {
  readonly path: string;
  readonly isDirectory: boolean;
  /** Names below the path that was asked for. */
  readonly depth: number;
  /** Lengths of all files, each of several names once. */
  readonly sizeBytes: number;
  /** The same without zeros that are known to be holes. */
  readonly dataBytes: number;
  /** Entries, itself included. */
  readonly entryCount: number;
}

/** A directory whose content is being summed up. */
interface Level {
  readonly path: string;
  readonly children: readonly DirectoryEntry[];
  next: number;
  sizeBytes: number;
  dataBytes: number;
  entryCount: number;
}

/**
 * Sums up what is at a path, and each thing below it: a directory comes behind what is in it.
 *
 * @param onDamage hears of what cannot be read, and so is not counted
 * @throws {StateError} `not-found`
 */
export function* usageBelow(
  { tree, name }: NamedTree,
  path: string,
  onDamage: (path: string, damage: Error) => void,
): Generator<Usage, void, undefined> {
  const hearing = hearingDamage(onDamage);
  const from = joinPath(splitPath(path));
  const top = findEntry(tree, from);
  if (top === undefined) throw notFound(from, name);
  const seen = new FirstNames();
  const levelOf = (at: string, node: Node & { kind: "directory" }): Level => ({
    path: at,
    children: hearing.entriesOf(at, node),
    next: 0,
    sizeBytes: 0,
    dataBytes: 0,
    entryCount: 1,
  });
  if (top.kind !== "directory") {
    yield { path: from, isDirectory: false, depth: 0, entryCount: 1, ...bytesOf(top) };
    return;
  }
  const stack = [levelOf(from, top)];
  for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
    const child = level.children[level.next++];
    if (child === undefined) {
      stack.pop();
      const { path, sizeBytes, dataBytes, entryCount } = level;
      const depth = stack.length;
      yield { path, isDirectory: true, depth, sizeBytes, dataBytes, entryCount };
      add(stack.at(-1), level);
      continue;
    }
    const at = childPath(level.path, child.name);
    const node = hearing.readable(at, () => child.node);
    if (node === undefined) continue;
    if (node.kind === "directory") {
      stack.push(levelOf(at, node));
      continue;
    }
    const isCounted = node.kind === "file" && isNew(seen, node, level.path, child.name);
    const found = { entryCount: 1, ...(isCounted ? bytesOf(node) : NOTHING) };
    yield { path: at, isDirectory: false, depth: stack.length, ...found };
    add(level, found);
  }
}

const NOTHING = { sizeBytes: 0, dataBytes: 0 };

function bytesOf(node: Node) {
  if (node.kind !== "file") return NOTHING;
  const { size, dataBytes = size } = node.attributes;
  return { sizeBytes: size, dataBytes };
}

/** Whether a file is met by its first name. */
function isNew(seen: FirstNames, file: FileNode, directory: string, name: string): boolean {
  if (seen.find(file) !== undefined) return false;
  seen.add(file, directory, name, 0);
  return true;
}

function add(
  level: Level | undefined,
  more: Pick<Level, "sizeBytes" | "dataBytes" | "entryCount">,
): void {
  if (level === undefined) return;
  level.sizeBytes += more.sizeBytes;
  level.dataBytes += more.dataBytes;
  level.entryCount += more.entryCount;
}

/**
 * Several entries for one name.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { OsError } from "#src/errors.ts";
import { Errno } from "#ffi/libc/calls.ts";
import type { DirectoryNode, Node } from "#src/tree/node.ts";

/**
 * What happens when two sources have an entry of the same name. Directories are always united; what
 * is said here goes for everything else, and for a directory's metadata (that of the last source
 * with `last`, of the first otherwise): refuse, take that of the first source, that of the last, or
 * keep all under names of their own (`name~2`).
 */
export type ConflictPolicy = "error" | "first" | "last" | "rename";

/** Names longer than this cannot be extracted on Linux. */
const NAME_SIZE_MAX = 255;

/** An entry that wants a name. */
export interface Candidate {
  /** Number of the source: where the entry stands among others for the same name. */
  readonly order: number;
  readonly entry: Node;
}

/** A directory that wants a name. */
export interface DirectoryCandidate extends Candidate {
  readonly entry: DirectoryNode;
}

/** What gets a name: one entry, or directories to be united, in the order of their sources. */
export type Resolution =
  | { readonly kind: "entry"; readonly name: string; readonly entry: Node }
  | {
    readonly kind: "united";
    readonly name: string;
    readonly directories: readonly DirectoryCandidate[];
  };

/**
 * Decides what becomes of `candidates`, all of which want to be called `name`, in the order of
 * their sources.
 *
 * @param isTaken whether another entry of the directory has a name
 * @throws {OsError} EEXIST with the policy `error`
 */
export function resolveConflict(
  path: string,
  name: string,
  candidates: readonly Candidate[],
  policy: ConflictPolicy,
  isTaken: (name: string) => boolean,
): Resolution[] {
  const distinct = withoutRepetitions(candidates, policy);
  const directories = distinct.filter(isDirectory);
  if (directories.length === distinct.length) return [{ kind: "united", name, directories }];
  if (distinct.length === 1) return [{ kind: "entry", name, entry: distinct[0]!.entry }];
  if (policy === "error") {
    throw new OsError(Errno.EEXIST, "write a second", path, {
      hint: "Say what becomes of paths that come twice",
      option: "conflict",
    });
  }
  if (policy === "rename") return renameAll(name, distinct, directories, isTaken);
  const winner = (policy === "first" ? distinct[0] : distinct.at(-1))!;
  if (!isDirectory(winner)) return [{ kind: "entry", name, entry: winner.entry }];
  const united = policy === "first" ? directories : sinceLastOther(distinct);
  return [{ kind: "united", name, directories: united }];
}

/** What is not a directory replaces the directories before it. */
function sinceLastOther(candidates: readonly Candidate[]): readonly DirectoryCandidate[] {
  const index = candidates.findLastIndex((candidate) => !isDirectory(candidate));
  return candidates.slice(index + 1).filter(isDirectory);
}

function isDirectory(candidate: Candidate): candidate is DirectoryCandidate {
  return candidate.entry.kind === "directory";
}

/**
 * The same entry can be chosen several times, by itself and as part of a directory: where it
 * counts, it stays.
 */
function withoutRepetitions(
  candidates: readonly Candidate[],
  policy: ConflictPolicy,
): readonly Candidate[] {
  if (candidates.length === 1) return candidates;
  return candidates.filter(({ entry }, index) => {
    const isSame = (other: Candidate) =>
      other.entry.origin === entry.origin && other.entry.id === entry.id;
    const kept = policy === "last"
      ? candidates.findLastIndex(isSame)
      : candidates.findIndex(isSame);
    return kept === index;
  });
}

/** The first candidate keeps the name. All directories stay together. */
function renameAll(
  name: string,
  candidates: readonly Candidate[],
  directories: readonly DirectoryCandidate[],
  isTaken: (name: string) => boolean,
): Resolution[] {
  const given = new Set<string>();
  const result: Resolution[] = [];
  for (const candidate of candidates) {
    if (isDirectory(candidate) && candidate !== directories[0]) continue;
    const ownName = result.length === 0
      ? name
      : freeName(name, (other) => isTaken(other) || given.has(other));
    given.add(ownName);
    result.push(
      isDirectory(candidate)
        ? { kind: "united", name: ownName, directories }
        : { kind: "entry", name: ownName, entry: candidate.entry },
    );
  }
  return result;
}

function freeName(name: string, isTaken: (name: string) => boolean): string {
  for (let number = 2;; number++) {
    const suffix = `~${number}`;
    const candidate = shortened(name, NAME_SIZE_MAX - suffix.length) + suffix;
    if (!isTaken(candidate)) return candidate;
  }
}

/** The beginning of a name that is not longer than `sizeMax` bytes. */
function shortened(name: string, sizeMax: number): string {
  const characters = [...name];
  while (encodeFileName(characters.join("")).length > sizeMax) characters.pop();
  return characters.join("");
}

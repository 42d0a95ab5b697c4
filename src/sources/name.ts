/**
 * Names of sources.
 *
 *     NAME  = [KIND ":"] PLACE ["#" ITEM]
 *     KIND  = pgpro | pxar | pbs | tar | dir | diff
 *     PLACE = a path; of a datastore also dir:PATH and USER@REALM@HOST[:PORT]:STORE, as
 *             PBS_REPOSITORY has them, or //USER@REALM@HOST[:PORT]/STORE
 *     ITEM  = what of it: INSTANCE/ID, or [NAMESPACE/]TYPE/ID/TIME/ARCHIVE
 *
 * What lies at a place mostly says what it is, so the kind may be left out (`recognise.ts`). It is
 * cut off at the first colon and only where it is one of these words: paths and repositories have
 * colons of their own. A path that begins with such a word is written `./pgpro:x`.
 *
 * A `#` inside of a place is written `%23`, and `%23` itself `%2523`; any other `%` stands for
 * itself. So each path has a name, whether its kind is known or not, and a path without `#` is its
 * own name.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** The kinds of sources. */
export const SOURCE_KINDS = ["pgpro", "pxar", "pbs", "tar", "dir", "diff"] as const;

/** One of {@link SOURCE_KINDS}. */
export type SourceKindName = typeof SOURCE_KINDS[number];

/** A name in its parts. */
export interface SourceName {
  /** Undefined where the place says it. */
  readonly kind: SourceKindName | undefined;
  /** Where it lies. */
  readonly place: string;
  /** What of it; undefined where the place is one source. */
  readonly item: string | undefined;
}

/** Two paths of the longest kind. */
const LENGTH_MAX = 8192;
const KIND_PREFIX = new RegExp(`^(${SOURCE_KINDS.join("|")}):`, "u");

/** Reads a name. @throws {UsageError} when it is none */
export function parseSourceName(text: string): SourceName {
  if (text.length > LENGTH_MAX || text.includes("\0")) {
    throw new UsageError(`Cannot use "${text.slice(0, 64)}…" as the name of a source`, {
      hint: `A name has up to ${LENGTH_MAX} characters, none of them NUL`,
    });
  }
  const [prefix = "", kind] = KIND_PREFIX.exec(text) ?? [];
  const rest = text.slice(prefix.length);
  const end = rest.indexOf("#");
  const place = decode(end < 0 ? rest : rest.slice(0, end));
  const item = end < 0 ? undefined : decode(rest.slice(end + 1));
  if (place === "") throw incomplete(text, "it names no place");
  if (item === "") throw incomplete(text, "nothing follows the #");
  return { kind: kind as SourceKindName | undefined, place, item };
}

/** A name as text, which {@link parseSourceName} reads. */
export function formatSourceName({ kind, place, item }: SourceName): string {
  const prefix = kind !== undefined ? `${kind}:` : KIND_PREFIX.test(place) ? "./" : "";
  return `${prefix}${encode(place)}${item === undefined ? "" : `#${encode(item)}`}`;
}

function encode(text: string): string {
  return text.replace(/%(?=2[35])/gu, "%25").replaceAll("#", "%23");
}

function decode(text: string): string {
  return text.replace(/%2([35])/gu, (_, digit) => digit === "3" ? "#" : "%");
}

function incomplete(text: string, why: string): UsageError {
  return new UsageError(`Cannot use "${text}" as the name of a source: ${why}`, {
    hint: "A name is [KIND:]PLACE[#ITEM]; a # in a path is written %23",
  });
}

/** The name of a diff directory by its path, whatever lies there; other names stay as they are. */
export function nameOfDiff(text: string): string {
  const { kind, place, item } = parseSourceName(text);
  return kind === undefined ? formatSourceName({ kind: "diff", place, item }) : text;
}

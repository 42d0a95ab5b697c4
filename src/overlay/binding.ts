/**
 * The binding record of a diff directory, `.pbkfs-binding.json`: which source the diff belongs to.
 *
 * A diff holds blocks relative to one source; over any other source it would be garbage. The record
 * is written before the first change and read, as hostile input, at every mount.
 *
 * @module
 */

import * as v from "valibot";
import { FormatError, StateError } from "#src/errors.ts";

/**
 * Version of the records that are made. Those of version 1 have no {@link Binding.source}; they
 * keep their version, so that the program that made them can still use them.
 */
export const DIFF_FORMAT_VERSION = 2;

const PATH_LENGTH_MAX = 4096;
const ID_COUNT_MAX = 100_000;

const unixSeconds = v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const shortText = v.pipe(v.string(), v.maxLength(1024));

const SourceSchema = v.object({
  kind: v.pipe(v.string(), v.regex(/^[a-z][a-z_]{0,31}$/u, "is not the name of a kind")),
  name: v.pipe(v.string(), v.maxLength(2 * PATH_LENGTH_MAX)),
  fingerprint: shortText,
  ids: v.pipe(v.array(shortText), v.maxLength(ID_COUNT_MAX)),
});

const BindingSchema = v.looseObject({
  format_version: v.picklist([1, DIFF_FORMAT_VERSION]),
  binding_id: v.pipe(v.string(), v.uuid()),
  nonce: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/u, "is not 32 hexadecimal digits")),
  source: v.optional(SourceSchema),
  generation: v.optional(shortText),
  created_at: unixSeconds,
  last_used_at: unixSeconds,
  owner_pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  owner_host: shortText,
  pbkfs_version: shortText,
  state: v.picklist(["Active", "Released", "Stale"]),
  xattrs_used: v.optional(v.boolean(), false),
});

/**
 * The record. `nonce` is 16 random bytes in hexadecimal, made once, by which the diff's own files
 * are recognised; `generation` is another text after each mount that may have changed the diff.
 * Times are Unix seconds. Any other key is the source's own ({@link BoundSource.keys}).
 */
export type Binding = Readonly<v.InferOutput<typeof BindingSchema>>;

/** The identity of a source: what the binding stores to recognise it. */
export interface SourceMark {
  /** What it is, such as `pxar`: lower-case letters and underscores. */
  readonly kind: string;
  /** Its name as a user would write it: information, it may change. */
  readonly name: string;
  /** Equal as long as the source shows the same; compared as it is. */
  readonly fingerprint: string;
  /** What else the source wants to know again, compared as it is. */
  readonly ids: readonly string[];
}

/** The source that a diff directory is, or is to be, bound to. */
export interface BoundSource extends SourceMark {
  /** Keys of its own in the record, for scripts and for {@link accept}. */
  readonly keys?: Readonly<Record<string, unknown>>;
  /**
   * Decides about a diff whose record does not say the same `kind`, `fingerprint` and `ids`.
   * Default: a source of the same kind and name has changed, any other one is another one.
   *
   * @param isForced take a source that has changed, but never another one
   * @returns how the source has changed when that is forgiven, or undefined when it does not matter
   * @throws {StateError}
   */
  accept?(former: Binding, isForced: boolean): string | undefined;
}

/** Formats the record as the pretty JSON text of the file. */
export function formatBinding(binding: Binding): string {
  return JSON.stringify(binding, null, 2) + "\n";
}

/**
 * Parses the record. Keys of the source are not looked at.
 *
 * @throws {StateError} `foreign-diff` when another tool made it
 * @throws {FormatError} when it is damaged, or `unsupported` when a newer program made it
 */
export function parseBinding(text: string, path: string): Binding {
  const value = parseJsonObject(text, path);
  const version = value["format_version"];
  if (version === undefined) throw foreignBinding(value, path);
  if (version !== DIFF_FORMAT_VERSION && version !== 1) {
    throw new FormatError(
      `Cannot use diff directory: format version ${JSON.stringify(version)} is not supported, ` +
        `supported are 1 and ${DIFF_FORMAT_VERSION}`,
      { code: "unsupported", path, hint: "Use the version that made the diff directory" },
    );
  }
  const result = v.safeParse(BindingSchema, value);
  if (!result.success) {
    const issue = result.issues[0];
    throw damagedBinding(path, `key "${v.getDotPath(issue) ?? ""}" ${issue.message}`);
  }
  const isComplete = version === 1 || result.output.source !== undefined;
  if (!isComplete) throw damagedBinding(path, 'key "source" is missing');
  return result.output;
}

/** A text that is the same as long as the diff is: also in a copy of it. */
export function contentMarkOf({ binding_id, generation, last_used_at }: Binding): string {
  // Programs from before generations write the time, and leave out what they do not know.
  return `${binding_id}:${generation ?? last_used_at}`;
}

/** The marks of a source as the record has them. */
export function recordedSource({ kind, name, fingerprint, ids }: SourceMark): Binding["source"] {
  return { kind, name, fingerprint, ids: [...ids] };
}

/**
 * Checks that a source is the one that the diff was made over.
 *
 * @returns how it has changed since, when that is forgiven
 * @throws {StateError} `bound-elsewhere` or `source-changed`, or what the source throws
 */
export function checkSource(
  binding: Binding,
  source: BoundSource,
  isForced: boolean,
): string | undefined {
  if (isSameSource(binding.source, source)) return undefined;
  if (source.accept !== undefined) return source.accept(binding, isForced);
  return acceptNoChange(binding, source, isForced);
}

function isSameSource(former: SourceMark | undefined, source: SourceMark): boolean {
  return former !== undefined && former.kind === source.kind &&
    former.fingerprint === source.fingerprint && former.ids.length === source.ids.length &&
    former.ids.every((id, index) => id === source.ids[index]);
}

function acceptNoChange(former: Binding, source: SourceMark, isForced: boolean): string {
  requireSameKind(former, source);
  const { name } = former.source!;
  if (name !== source.name) throw boundElsewhere("source", name, source.name);
  const change = "has changed";
  if (isForced) return change;
  throw new StateError(
    "source-changed",
    `Cannot mount: "${name}" ${change} since the diff directory was made over it` +
      describeChange(former.source!.ids, source.ids),
    {
      hint: "What was written may not fit what is there now. Bring back the former content, or " +
        "give another diff directory",
      option: "force",
    },
  );
}

/** The first of the ids that is another one, for a message. */
function describeChange(former: readonly string[], ids: readonly string[]): string {
  const index = ids.findIndex((id, position) => id !== former[position]);
  return index < 0 || former.length !== ids.length ? "" : `: ${ids[index]}, not ${former[index]}`;
}

/** Refuses a diff over a source of another kind. @throws {StateError} `bound-elsewhere` */
export function requireSameKind({ source: former }: Binding, { kind, name }: SourceMark): void {
  if (former?.kind === kind) return;
  throw boundElsewhere("source", former?.name ?? "of an older program", name);
}

/** The error for a diff that belongs to something else. */
export function boundElsewhere(what: string, expected: string, actual: string): StateError {
  return new StateError(
    "bound-elsewhere",
    `binding violation: expected ${what} "${expected}", got "${actual}". ` +
      "The diff directory is already bound",
    { hint: "Mount what it is bound to, or give another diff directory", option: "diffPath" },
  );
}

/** The error for a record that cannot be read. */
export function damagedBinding(path: string, detail: string, cause?: unknown): FormatError {
  return new FormatError(`Cannot parse binding of the diff directory: ${detail}`, {
    path,
    hint: "Give another diff directory, or empty this one",
    option: "diffPath",
    cause,
  });
}

function parseJsonObject(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damagedBinding(path, "it is not JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw damagedBinding(path, "it is not a JSON object");
  }
  return value as Record<string, unknown>;
}

function foreignBinding(value: Record<string, unknown>, path: string): StateError {
  const version = value["pbkfs_version"];
  const maker = typeof version === "string" ? ` (pbkfs_version ${JSON.stringify(version)})` : "";
  return new StateError(
    "foreign-diff",
    `Cannot use diff directory: "${path}" has no format_version, it was made by another tool${maker}`,
    { hint: "Give another diff directory; this one is left untouched", option: "diffPath" },
  );
}

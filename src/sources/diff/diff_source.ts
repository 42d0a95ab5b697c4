/**
 * A diff directory as a source: what a mount of it shows, read-only. It is read together with what
 * it was made over, which may be another diff.
 *
 * @module
 */

import { LimitError, StateError } from "#src/errors.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { openGated } from "#src/io/wait_gate.ts";
import { contentMarkOf, formatBinding } from "#src/overlay/binding.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { listBranches } from "#src/overlay/branches.ts";
import { readBinding } from "#src/overlay/diff_directory.ts";
import { type DiffReader, openDiffReader } from "#src/overlay/diff_reader.ts";
import { DiffIndex } from "#src/overlay/merged/diff_index.ts";
import { scanDiff } from "#src/overlay/merged/diff_scan.ts";
import {
  freeIdBelow,
  ID_MAX,
  MergedTree,
  type ScannedDiff,
} from "#src/overlay/merged/merged_tree.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { AttributeOverrideTree, type Owner } from "#src/tree/attribute_override_tree.ts";
import { findOutwardLinks, InnerLinksTree, type OutwardLinks } from "../inner_links.ts";
import { formatSourceName, parseSourceName } from "../name.ts";
import {
  type OpenSourceOptions,
  type Source,
  type SourceContent,
  type SourceDescription,
  type SourceSummary,
  type SourceThread,
  summaryOf,
  utcTime,
} from "../source.ts";
import { checked, isOverBackup, openBoundBackup } from "./diff_base.ts";
import { readProfileKeys, requireOwnWal } from "./profile_keys.ts";

const DIFF_KIND = "diff";

/** Diffs over one another, the first of which is over a backup. */
export const LEVELS_MAX = 32;

/** Which diff is opened, and how it is shown. */
export interface DiffSourceRequest {
  /** Of the diff directory. */
  readonly path: string;
  /** Hold pg_probackup's read lock, where a backup of it lies below. */
  readonly lockCatalog: boolean;
  /** Where it is shown, for the links of tablespaces; undefined: they are relative. */
  readonly mountPath: string | undefined;
  /** For what it was made over. */
  readonly options: OpenSourceOptions;
  /** Opens what a diff of another kind of source was made over. */
  readonly openSource: (name: string, options: OpenSourceOptions) => Promise<Source>;
}

/** See {@link SourceDescription}. */
export interface DiffDescription extends SourceDescription {
  readonly kind: "diff";
  readonly diff: ScannedDiff;
  /** What it was made over. */
  readonly base: SourceDescription;
  /** What leads out of that, and leads nowhere in a mount over it; undefined: nothing. */
  readonly outwardLinks: OutwardLinks | undefined;
  /** Who owns the files of that, where it does not show them so itself. */
  readonly baseOwner: Owner | undefined;
  /** Diffs over one another: 1 where the base is none. */
  readonly levels: number;
}

/** An open diff. */
export interface DiffSource extends Source {
  readonly description: DiffDescription;
  /** Absolute path without links. */
  readonly path: string;
  readonly bindingId: string;
  /** Files of its mounts have extended attributes. */
  readonly hasExtendedAttributes: boolean;
}

/**
 * Opens a diff directory and what it was made over. Nobody mounts it as long as it is open.
 *
 * @param level how many others are over it, and itself
 * @throws {StateError} `not-found`, `locked`, `dirty`, `no-wal-used`, or what tells that the base
 *   is another one than it was
 * @throws {LimitError} when too many diffs are over one another
 * @throws what opening the base throws
 */
export async function openDiffSource(request: DiffSourceRequest, level = 1): Promise<DiffSource> {
  if (level > LEVELS_MAX) throw tooManyLevels(request.path);
  using stack = new DisposableStack();
  const reader = stack.use(openDiffReader(request.path));
  const { binding, path } = reader;
  const profile = readProfileKeys(binding, `${path}/${BINDING_FILE_NAME}`);
  requireOwnWal(profile);
  const base = stack.use(await openBase(reader, request, level));
  const baseOwner = isOverBackup(reader) ? undefined : profile.shown_owner;
  const described = describe(reader, base, baseOwner);
  const openTree = () => treeOf(described, base.openTree(), openNativeSource);
  const description = { ...described, content: contentOf(base.description, openTree) };
  const held = stack.move();
  const { endWaits } = base;
  return {
    description,
    summary: summarize(description, base.summary, reader),
    path,
    bindingId: binding.binding_id,
    hasExtendedAttributes: binding.xattrs_used,
    identify: () =>
      Promise.resolve({
        kind: description.kind,
        name: description.name,
        fingerprint: contentMarkOf(binding),
        ids: [binding.binding_id],
      }),
    openTree,
    ...endWaits === undefined ? {} : { endWaits: () => endWaits.call(base) },
    [Symbol.dispose]: () => held.dispose(),
  };
}

async function openBase(
  reader: DiffReader,
  request: DiffSourceRequest,
  level: number,
): Promise<Source> {
  if (isOverBackup(reader)) return await openBoundBackup(reader, request);
  const { kind, name } = reader.binding.source!;
  if (kind !== DIFF_KIND) {
    return await checked(await request.openSource(name, request.options), reader);
  }
  const { place: path } = parseSourceName(name);
  if (readBinding(path) === undefined) throw lostParent(path, reader.path);
  return await checked(
    await openDiffSource({ ...request, path }, level + 1),
    reader,
  );
}

function lostParent(path: string, branchPath: string): StateError {
  const message = `Cannot find the diff directory "${path}", over which "${branchPath}" was made`;
  const hint = "What was written can only be read together with it. Where it was moved, put a " +
    "link to it there";
  // One with branches is not mounted.
  if (listBranches(branchPath).length > 0) return new StateError("not-found", message, { hint });
  return new StateError("not-found", message, {
    hint: `${hint}, or mount this one once with its present place`,
    option: "branchOf",
  });
}

function describe(
  { path, nonce, binding }: DiffReader,
  source: Source,
  baseOwner: Owner | undefined,
): DiffDescription {
  const base = source.description;
  const index = scanDiff(path);
  const below = isDiff(base) ? base : undefined;
  return {
    kind: DIFF_KIND,
    name: formatSourceName({ kind: DIFF_KIND, place: path, item: undefined }),
    label: path,
    content: base.content,
    sizeBytes: new DiffIndex(index).diskBytes + formatBinding(binding).length,
    mayHaveAcls: base.mayHaveAcls || binding.xattrs_used,
    diff: {
      diffPath: path,
      nonce,
      index,
      firstId: below === undefined ? ID_MAX : freeIdBelow(below.diff),
      hasExtendedAttributes: binding.xattrs_used,
    },
    base,
    outwardLinks: outwardLinksOf(source),
    baseOwner,
    levels: below === undefined ? 1 : below.levels + 1,
  };
}

function outwardLinksOf(base: Source): OutwardLinks | undefined {
  const tree = base.openTree();
  try {
    return findOutwardLinks(tree);
  } finally {
    tree.close();
  }
}

/** Whether a described source is a diff. */
export function isDiff(description: SourceDescription): description is DiffDescription {
  return description.kind === DIFF_KIND;
}

/** An image stays one as long as there is nothing but its file. */
function contentOf({ content }: SourceDescription, openTree: () => MountableTree): SourceContent {
  if (content === "tree") return content;
  const tree = openTree();
  const { length } = [...tree.root.entries()];
  tree.close();
  return length === 1 ? content : "tree";
}

function summarize(
  description: DiffDescription,
  { postgres, chain, mountable, why }: SourceSummary,
  { binding: { last_used_at: usedAt, binding_id: id } }: DiffReader,
): SourceSummary {
  const time = utcTime(usedAt);
  return summaryOf(description, postgres, { time, chain: [...chain, id], mountable, why });
}

/** Opens a diff in a thread. @throws what opening the base throws */
export function attachDiff(
  description: SourceDescription,
  thread: SourceThread,
  attach: (description: SourceDescription, thread: SourceThread) => MountableTree,
): MountableTree {
  if (!isDiff(description)) throw new TypeError("This is the description of no diff");
  const openSource = openGated(openNativeSource, thread.gate);
  return treeOf(description, attach(description.base, thread), openSource);
}

function treeOf(
  { diff, outwardLinks, baseOwner: owner }: DiffDescription,
  base: MountableTree,
  openSource: OpenSource,
): MountableTree {
  // As in the mounts in which the diff was written.
  const inner = outwardLinks === undefined ? base : new InnerLinksTree(base, outwardLinks);
  const lower = owner === undefined
    ? inner
    : new AttributeOverrideTree(inner, { withoutAcls: false, owner });
  return new MergedTree(diff, lower, openSource);
}

/** The error for a branch that could not be opened any more. */
export function tooManyLevels(path: string): LimitError {
  return new LimitError(
    `Cannot use diff directory "${path}": more than ${LEVELS_MAX} would be over one another`,
  );
}

/**
 * A diff directory that has everything becomes a directory of its own: a plain data directory, of
 * which nothing is this program's any more.
 *
 * Nothing is moved. Beside the target a tree is made of links to the diff's files; when it is
 * complete and durable it gets its name by one rename, and the diff is removed. Until that rename
 * the diff has everything: after a kill the same call begins again, or {@link undoPromotion} takes
 * back what was made. After it the same call removes what is left.
 *
 * @module
 */

import { dirname } from "node:path";
import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { syncDirectory, syncFileSystem } from "#src/io/files/whole_file.ts";
import type { Binding } from "#src/overlay/binding.ts";
import { cleanupDiffDirectory } from "#src/overlay/cleanup.ts";
import { finishCollapsing } from "#src/overlay/collapsing.ts";
import { readBootId } from "#src/overlay/context.ts";
import { mayHaveLostCopies } from "#src/overlay/copy_mark.ts";
import { DIRTY_FILE_NAME, requireBinding, writeBinding } from "#src/overlay/diff_directory.ts";
import { acquireDiffLock, type DiffLock } from "#src/overlay/diff_lock.ts";
import { CONTROL_DIRECTORY_NAME, realPathOfMissing } from "#src/overlay/diff_place.ts";
import { settleDiffTree } from "#src/overlay/diff_tree.ts";
import {
  type PromotedPlace,
  type Promotion,
  promotionOf,
  withPromotion,
} from "#src/overlay/promotion/promotion_record.ts";
import { PromotedTree } from "#src/overlay/promotion/promoted_tree.ts";
import { unwrapAll } from "#src/overlay/promotion/unwrap_all.ts";
import { planPromotion, type PromotedPlaces } from "./promotion_plan.ts";
import type { PromotedLayout } from "./tablespace_places.ts";
import {
  besideOf,
  inodeAt,
  isInPlace,
  makeBeside,
  moveIntoPlace,
  removeTree,
} from "./target_place.ts";

/** What is promoted, and where to. */
export interface PromotionRequest extends PromotedPlaces {
  /** The diff directory, which goes. */
  readonly diffPath: string;
}

/** The steps, in their order. Each is durable before the next one begins. */
export type PromotionStep =
  | "marked"
  | "settled"
  | "unwrapped"
  | "built"
  | "synced"
  | "tablespaces placed"
  | "placed"
  | "removed";

/** What was done. */
export interface PromotionSummary {
  /** Absolute, without links. */
  readonly targetPath: string;
  /** Directories of tablespaces. */
  readonly tablespaces: readonly string[];
  /** Names of files, links and directories; 0 when only what was left of the diff was removed. */
  readonly entries: number;
  /** Changed files that became plain in place. */
  readonly unwrapped: number;
  /** Bytes of files that had to be copied. */
  readonly copiedBytes: number;
  /** Paths of what was in the diff and is gone with it. */
  readonly leftOut: readonly string[];
}

/**
 * Promotes a diff directory that nobody has mounted.
 *
 * @param onStep hears of each step when it is done
 * @throws {UsageError} for places that cannot be used, and tablespaces that are not mapped
 * @throws {StateError} `not-hydrated` when the diff does not have everything; `locked`,
 *   `has-branches`, `no-wal-used`, `dirty`; `exists` when something is at the target; `promoted`
 *   when a promotion to another place was begun
 * @throws {FormatError} when a file of the diff is damaged
 * @throws {OsError} once it was begun the diff can be mounted when that was undone
 */
export function promoteDiff(
  request: PromotionRequest,
  onStep: (step: PromotionStep) => void = () => {},
): PromotionSummary {
  const { diffPath, binding, lock } = openLocked(request.diffPath);
  let summary: PromotionSummary;
  try {
    summary = new DiffPromotion(diffPath, binding, onStep).run(request);
  } finally {
    lock.release();
  }
  cleanupDiffDirectory(diffPath, { force: true });
  // Something may be mounted there.
  if (host.rmdir(diffPath) === 0) syncDirectory(dirname(diffPath));
  onStep("removed");
  return summary;
}

/**
 * Takes back a promotion that was begun: the diff is what it was.
 *
 * @returns the target that it was to have
 * @throws {StateError} `not-found` when none was begun; `promoted` when the target has its name
 * @throws {OsError}
 */
export function undoPromotion(path: string): string {
  const { diffPath, binding, lock } = openLocked(path);
  try {
    const promotion = promotionOf(binding, diffPath);
    if (promotion === undefined) {
      throw new StateError("not-found", `Cannot undo: no promotion of "${diffPath}" was begun`);
    }
    const { places, state } = promotion;
    const { to } = places[0]!;
    if (state === "placed" || isInPlace(places[0]!)) {
      throw new StateError("promoted", `Cannot undo: "${diffPath}" became "${to}" already`, {
        hint: "Promote it again: that removes what is left of it",
      });
    }
    for (const [index, place] of places.entries()) {
      const beside = besideOf(place, index, binding.binding_id);
      if (isInPlace(place)) host.unwrap(host.rename(place.to, beside), "rename", place.to);
      removeTree(beside);
    }
    writeBinding(diffPath, withPromotion(binding, undefined));
    return to;
  } finally {
    lock.release();
  }
}

function openLocked(path: string): { diffPath: string; binding: Binding; lock: DiffLock } {
  const diffPath = realPathOfMissing(path);
  requireBinding(diffPath, "promote");
  const lock = acquireDiffLock(diffPath, {
    pid: host.getPid(),
    startTime: Math.floor(Date.now() / 1000),
    diffPath,
    mountPath: "",
  });
  try {
    return { diffPath, binding: requireBinding(diffPath, "promote"), lock };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** One promotion of a locked diff. */
class DiffPromotion {
  readonly #diffPath: string;
  readonly #binding: Binding;
  readonly #nonce: Uint8Array;
  readonly #onStep: (step: PromotionStep) => void;

  constructor(diffPath: string, binding: Binding, onStep: (step: PromotionStep) => void) {
    this.#diffPath = diffPath;
    this.#binding = binding;
    this.#nonce = Uint8Array.fromHex(binding.nonce);
    this.#onStep = onStep;
  }

  run(request: PromotionRequest): PromotionSummary {
    const begun = promotionOf(this.#binding, this.#diffPath);
    if (begun !== undefined) requireSameTarget(begun, request.targetPath, this.#diffPath);
    if (begun?.state === "placing" || begun?.state === "placed") {
      // Complete and durable: only names are missing, or the rest of the diff is to go.
      this.#place(begun);
      return summaryOf(begun, { entries: 0, unwrapped: 0, copiedBytes: 0, leftOut: [] });
    }
    this.#requireClean();
    const layout = planPromotion(this.#diffPath, this.#binding, request);
    const { places } = layout;
    if (begun !== undefined) this.#removeBeside(begun);
    this.#record({ state: "building", places });
    this.#onStep("marked");
    finishCollapsing(this.#diffPath);
    // A clean unmount has done so.
    if (this.#binding.state !== "Released") settleDiffTree(this.#diffPath, this.#nonce);
    this.#onStep("settled");
    const unwrapped = unwrapAll(this.#diffPath, this.#nonce);
    this.#onStep("unwrapped");
    const counts = this.#build(layout, unwrapped.rest);
    this.#onStep("built");
    syncFileSystem(dirname(places[0]!.to));
    const promotion = this.#record({
      state: "placing",
      places: places.map((place, index) => ({
        ...place,
        inode: inodeAt(this.#beside(place, index)),
      })),
    });
    this.#onStep("synced");
    this.#place(promotion);
    return summaryOf(promotion, { ...counts, unwrapped: unwrapped.count, leftOut: layout.leftOut });
  }

  /** Nothing of it is lost. */
  #requireClean(): void {
    const path = this.#diffPath;
    const isDirty = host.lstat(`${path}/${DIRTY_FILE_NAME}`) === 0;
    if (!isDirty && !mayHaveLostCopies(path, readBootId())) return;
    throw new StateError(
      "dirty",
      `Cannot promote "${path}": its last mount did not end cleanly`,
      { hint: "Mount it once more and unmount it" },
    );
  }

  #build(
    { places, links }: PromotedLayout,
    partial: ReadonlySet<number>,
  ): { entries: number; copiedBytes: number } {
    const tree = new PromotedTree({
      diffPath: this.#diffPath,
      nonce: this.#nonce,
      partial,
      isLeftOut: (path) => path === CONTROL_DIRECTORY_NAME,
      linkTarget: (path, target, lowerPath) =>
        links.get(path) ?? ownTarget(target, lowerPath, path),
    });
    try {
      for (const [index, place] of places.entries()) {
        const beside = this.#beside(place, index);
        makeBeside(beside);
        tree.make(place.from, beside);
      }
      return tree.counts;
    } finally {
      tree.close();
    }
  }

  /** Tablespaces first: once the directory itself has its name, only the rest is to be removed. */
  #place(promotion: Promotion): void {
    const places = [...promotion.places.entries()].toReversed();
    for (const [index, place] of places) {
      if (promotion.state === "placing") moveIntoPlace(this.#beside(place, index), place);
      if (index === 1) this.#onStep("tablespaces placed");
    }
    this.#record({ ...promotion, state: "placed" });
    this.#onStep("placed");
  }

  #removeBeside({ places }: Promotion): void {
    for (const [index, place] of places.entries()) removeTree(this.#beside(place, index));
  }

  #beside(place: PromotedPlace, index: number): string {
    return besideOf(place, index, this.#binding.binding_id);
  }

  #record(promotion: Promotion): Promotion {
    writeBinding(this.#diffPath, withPromotion(this.#binding, promotion));
    return promotion;
  }
}

/** A link whose target depends on where the tree below is mounted leads nowhere without it. */
function ownTarget(target: string, lowerPath: string | undefined, path: string): string {
  if (lowerPath === undefined) return target;
  throw new StateError(
    "not-hydrated",
    `Cannot promote: "${path}" stands for the link "${lowerPath}" of what the diff was made over, ` +
      "and what that leads to is not in the diff",
  );
}

function requireSameTarget({ places }: Promotion, targetPath: string, diffPath: string): void {
  const { to } = places[0]!;
  if (realPathOfMissing(targetPath) === to) return;
  throw new StateError(
    "promoted",
    `Cannot promote "${diffPath}" to "${targetPath}": its promotion to "${to}" was begun`,
    { hint: "Give the same target to go on, or undo it first (`undoPromotion()`)" },
  );
}

function summaryOf(
  { places }: Promotion,
  counts: Omit<PromotionSummary, "targetPath" | "tablespaces">,
): PromotionSummary {
  const [target, ...tablespaces] = places.map(({ to }) => to);
  return { targetPath: target!, tablespaces, ...counts };
}

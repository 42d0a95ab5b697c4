/**
 * What the record of a diff directory says while it becomes a directory of its own: `promotion`.
 *
 * From the first step on the files of the diff get names elsewhere, so no mount may write to them
 * and nobody read the diff as if it were at rest. The key is written durably before that, and goes
 * with the diff, or when the promotion is undone.
 *
 * @module
 */

import * as v from "valibot";
import { StateError } from "#src/errors.ts";
import { type Binding, damagedBinding } from "../binding.ts";
import { BINDING_FILE_NAME } from "../binding_name.ts";

const absolutePath = v.pipe(v.string(), v.maxLength(4096), v.regex(/^\/[^\0]*$/u));
const inode = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

const PlaceSchema = v.object({
  from: v.pipe(v.string(), v.maxLength(4096)),
  to: absolutePath,
  inode: v.optional(inode),
});

const PromotionSchema = v.object({
  state: v.picklist(["building", "placing", "placed"]),
  places: v.pipe(v.array(PlaceSchema), v.minLength(1), v.maxLength(100_000)),
});

/** A directory of the diff, and where it goes. */
export interface PromotedPlace {
  /** Path in `data/`; empty for that itself. */
  readonly from: string;
  /** Absolute. */
  readonly to: string;
  /** Number of the tree beside its place, once that is complete. */
  readonly inode?: number | undefined;
}

/**
 * A promotion that was begun. `building`: trees are made beside their places; `placing`: they are
 * complete and durable, and get their names, the first place's last; `placed`: it has it, and the
 * diff is what is left.
 */
export interface Promotion {
  readonly state: "building" | "placing" | "placed";
  /** That of the directory itself first. */
  readonly places: readonly PromotedPlace[];
}

/**
 * The promotion that a record tells of.
 *
 * @param diffPath for messages
 * @throws {FormatError}
 */
export function promotionOf(binding: Binding, diffPath: string): Promotion | undefined {
  const value = binding["promotion"];
  if (value === undefined) return undefined;
  const result = v.safeParse(PromotionSchema, value);
  if (result.success) return result.output;
  const key = v.getDotPath(result.issues[0]) ?? "";
  throw damagedBinding(`${diffPath}/${BINDING_FILE_NAME}`, `key "promotion.${key}" is wrong`);
}

/** The record with another state of the promotion; undefined: there is none any more. */
export function withPromotion(binding: Binding, promotion: Promotion | undefined): Binding {
  return { ...binding, promotion };
}

/**
 * Refuses to use a diff that is being promoted, or has been.
 *
 * @param what is refused: `mount`
 * @throws {StateError} `promoted`
 * @throws {FormatError}
 */
export function requireNotPromoted(binding: Binding, diffPath: string, what: string): void {
  const promotion = promotionOf(binding, diffPath);
  if (promotion === undefined) return;
  const { to } = promotion.places[0]!;
  const isPlaced = promotion.state === "placed";
  throw new StateError(
    "promoted",
    `Cannot ${what} diff directory "${diffPath}": ` +
      (isPlaced ? `it became "${to}"` : `its promotion to "${to}" was begun`),
    {
      hint: isPlaced
        ? "What is left of it is removed when that is promoted again"
        : "Promote it again to go on, or undo it (`undoPromotion()`)",
    },
  );
}

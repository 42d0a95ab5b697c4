/**
 * Makes a diff directory that has everything of its source a plain directory, of which nothing is
 * this program's any more. {@link promoteMount} is the way in for one that is mounted,
 * {@link promoteDiff} for others.
 *
 * @module
 */

export {
  promoteDiff,
  type PromotionRequest,
  type PromotionStep,
  type PromotionSummary,
  undoPromotion,
} from "./promote_diff.ts";
export type { PromotedPlaces } from "./promotion_plan.ts";
export {
  type MountPromotion,
  type MountPromotionSummary,
  promoteMount,
  type PromotionListener,
} from "./promote_mount.ts";
export type { HydrationReport } from "../mounting/hydration/hydration_report.ts";
export { HYDRATION_PHASES, type HydrationPhase } from "#src/overlay/hydration/hydration_state.ts";

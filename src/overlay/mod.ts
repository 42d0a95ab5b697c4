/**
 * A writable tree over an immutable one: block copy-on-write into a diff directory.
 *
 * @module
 */

export { openOverlay, type Overlay, type OverlayParts } from "./overlay.ts";
export { type BackingRegistry, type OverlayOptions } from "./context.ts";
export {
  createSharedState,
  type OverlayStatistics,
  overlayStatistics,
  type SharedState,
} from "./shared_state.ts";
export { type DiffTreeOptions, prepareDiffTree, settleDiffTree } from "./diff_tree.ts";
export type { CounterName, OverlayCounters, OverlayCounts } from "./counters.ts";

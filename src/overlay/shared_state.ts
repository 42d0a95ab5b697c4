/**
 * The memory that all threads of one mounted overlay share.
 *
 * @module
 */

import { createCounterMemory, type OverlayCounts, sumCounters } from "./counters.ts";
import { createCopyMemory } from "./copy_job.ts";
import { createHydrationMemory } from "./hydration/hydration_state.ts";
import { createNodeTableMemory } from "./node_layout.ts";
import { NodeTable } from "./node_table.ts";

/** Can be posted to a Worker. */
export interface SharedState {
  /** Table of nodes, with locks and counts of lookups. */
  readonly nodes: SharedArrayBuffer;
  /** See {@link OverlayCounts}; a set for each thread. */
  readonly counters: SharedArrayBuffer;
  /** The file that threads are copying whole together. */
  readonly copies: SharedArrayBuffer;
  /** See `hydration/hydration_state.ts`. */
  readonly hydration: SharedArrayBuffer;
}

/** Makes the state of an overlay that is not yet mounted. */
export function createSharedState(): SharedState {
  return {
    nodes: createNodeTableMemory(),
    counters: createCounterMemory(),
    copies: createCopyMemory(),
    hydration: createHydrationMemory(),
  };
}

/** Sums of all threads, and how many nodes and handles there are. */
export interface OverlayStatistics {
  /** Sums of all threads since the mount was made. */
  readonly counters: OverlayCounts;
  /** Nodes that the kernel or an open file knows. */
  readonly nodes: number;
  /** Files and directories that programs have open. */
  readonly handlesOpen: number;
}

/** Reads the counters of all threads, and the size of the node table. */
export function overlayStatistics(shared: SharedState): OverlayStatistics {
  const table = new NodeTable(shared.nodes);
  return {
    counters: sumCounters(shared.counters),
    nodes: table.nodeCount,
    handlesOpen: table.openCount,
  };
}

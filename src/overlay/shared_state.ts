/**
 * The memory that all threads of one mounted overlay share.
 *
 * @module
 */

import { type CounterName, createCounterMemory, sumCounters } from "./counters.ts";
import { createCopyMemory } from "./copy_job.ts";
import { createNodeTableMemory, NodeTable } from "./node_table.ts";

/** Can be posted to a Worker. */
export interface SharedState {
  readonly nodes: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly copies: SharedArrayBuffer;
}

/** Makes the state of an overlay that is not yet mounted. */
export function createSharedState(): SharedState {
  return {
    nodes: createNodeTableMemory(),
    counters: createCounterMemory(),
    copies: createCopyMemory(),
  };
}

/** Sums of all threads, and how many nodes and handles there are. */
export interface OverlayStatistics {
  readonly counters: Record<CounterName, number>;
  readonly nodes: number;
  readonly handlesOpen: number;
}

/** What an overlay did so far. */
export function overlayStatistics(shared: SharedState): OverlayStatistics {
  const table = new NodeTable(shared.nodes);
  return {
    counters: sumCounters(shared.counters),
    nodes: table.nodeCount,
    handlesOpen: table.openCount,
  };
}

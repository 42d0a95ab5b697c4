/**
 * Lists of entries, each sorted by name, as one.
 *
 * @module
 */

import { compareNames } from "#src/tree/paths.ts";
import type { DirectoryEntry } from "#src/tree/node.ts";

/** A sorted list; a name may come several times. */
export interface Layer {
  readonly children: readonly DirectoryEntry[];
  /** Number of the source of the child at an index. */
  readonly orderOf: (index: number) => number;
}

/** An entry of one of the lists. */
export interface LayerChild {
  readonly order: number;
  readonly child: DirectoryEntry;
}

/** Entries of one name. */
export type LayerGroup = readonly [LayerChild, ...LayerChild[]];

/** All entries by name in ascending order, those of one name together. Decodes none of them. */
export function* uniteLayers(
  layers: readonly Layer[],
): Generator<LayerGroup, void, undefined> {
  const next = layers.map(() => 0);
  for (;;) {
    const name = smallestName(layers, next);
    if (name === undefined) return;
    const group: LayerChild[] = [];
    layers.forEach(({ children, orderOf }, layer) => {
      for (; children[next[layer]!]?.name === name; next[layer]!++) {
        group.push({ order: orderOf(next[layer]!), child: children[next[layer]!]! });
      }
    });
    yield group as [LayerChild, ...LayerChild[]];
  }
}

function smallestName(layers: readonly Layer[], next: readonly number[]): string | undefined {
  let smallest: string | undefined;
  for (let layer = 0; layer < layers.length; layer++) {
    const name = layers[layer]!.children[next[layer]!]?.name;
    if (name === undefined) continue;
    if (smallest === undefined || compareNames(name, smallest) < 0) smallest = name;
  }
  return smallest;
}

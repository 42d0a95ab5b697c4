/**
 * Prints the earliest time that `find --newer` takes for a text.
 *
 * @module
 */

import { parseNewer } from "#src/cli/options/find_filters.ts";
import { UsageError } from "#src/errors.ts";
import type { Node } from "#src/tree/node.ts";

/** Whole seconds between these are searched through. */
const SEARCH_FROM = 0;
const SEARCH_TO = 2 ** 33;

function earliest(text: string): string {
  const isNewer = parseNewer(text);
  const passes = (seconds: number) =>
    isNewer({ metadata: { mtime: { seconds, nanoseconds: 0 } } } as Node);
  let [late, early] = [SEARCH_TO, SEARCH_FROM];
  while (late - early > 1) {
    const middle = Math.floor((late + early) / 2);
    if (passes(middle)) late = middle;
    else early = middle;
  }
  return String(late);
}

try {
  console.log(earliest(Deno.args[0]!));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.log("wrong");
}

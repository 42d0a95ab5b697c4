/**
 * Times of one way of doing something, round by round. On a machine that does other things too,
 * only the times of the processor tell.
 *
 * @module
 */

import { childrenSeconds, elapsedSeconds, median } from "./host.ts";
import type { Report } from "./report.ts";

/** See the head of the module. */
export class Times {
  readonly wall: number[] = [];
  readonly processor: number[] = [];

  /** @param run returns the processor time of those that are no children of this process */
  async measure(run: () => Promise<number | void>): Promise<void> {
    const before = childrenSeconds();
    let others = 0;
    this.wall.push(await elapsedSeconds(async () => others = await run() ?? 0));
    const children = childrenSeconds() - before;
    this.processor.push(children + others);
  }
}

/** Adds both times of two ways. @param target that of the wall time */
export function addTimes(
  report: Report,
  name: string,
  { measured, yardstick }: { readonly measured: Times; readonly yardstick: Times },
  target?: string,
): void {
  report.add({
    ...{ name, unit: "s", mount: median(measured.wall), plain: median(yardstick.wall), target },
  });
  report.add({
    name: `${name}, processor`,
    unit: "s",
    mount: median(measured.processor),
    plain: median(yardstick.processor),
  });
}

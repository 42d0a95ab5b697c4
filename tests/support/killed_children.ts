/**
 * Processes that are killed in the middle of their work, one after the other.
 *
 * @module
 */

import assert from "node:assert/strict";
import { RunningCommand, waitUntil } from "./process.ts";
import type { Random } from "./property_random.ts";

/** What is killed, how often and when. */
export interface KillPlan {
  /**
   * The command line of a child, counted from 1. It says `ready`, and works from when it is told to
   * on standard input until it is killed.
   */
  readonly command: (kill: number) => string[];
  readonly killCount: number;
  readonly workMsMax: number;
  readonly random: Random;
  /** Called before a child is told to work. */
  readonly prepare?: (kill: number) => void;
}

/** Gives the number of each child, from 1, when it is dead. It has complained of nothing. */
export async function* killedChildren(plan: KillPlan): AsyncGenerator<number> {
  const { command, killCount, workMsMax, random, prepare } = plan;
  const start = (kill: number) => new RunningCommand(command(kill), { interactive: true });
  let next: RunningCommand | undefined = start(1);
  try {
    for (let kill = 1; kill <= killCount; kill++) {
      prepare?.(kill);
      const child: RunningCommand = next!;
      await waitUntil(() => child.stdout.includes("ready"), 60_000, () => child.stderr, 2);
      // Has loaded everything when its turn comes.
      next = kill < killCount ? start(kill + 1) : undefined;
      child.write("\n");
      await new Promise((resolve) => setTimeout(resolve, random.between(0, workMsMax)));
      child.signalGroup("SIGKILL");
      const { stderr } = await child.wait(10_000);
      assert.equal(stderr, "");
      yield kill;
    }
  } finally {
    // When the test fails.
    next?.signalGroup("SIGKILL");
    await next?.wait(10_000);
  }
}

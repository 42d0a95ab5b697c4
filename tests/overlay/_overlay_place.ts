/**
 * Where tests mount an overlay over a directory of the host.
 *
 * @module
 */

import { createSharedState, prepareDiffTree, settleDiffTree } from "#src/overlay/mod.ts";
import { LoopbackTree } from "#tests/support/loopback_tree.ts";
import { type TestMount, withMount } from "#tests/mount/support/mounted.ts";
import type { OverlayDescription } from "#tests/overlay/_overlay_worker.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const WORKER_URL = new URL("./_overlay_worker.ts", import.meta.url).href;
const NONCE = new Uint8Array(16).fill(3);

/** A lower directory and a diff, mounted as often as wanted. */
export class OverlayPlace {
  readonly #home = new TempDirectory("loopback");
  readonly lower: string = this.#home.join("lower");
  readonly diff: string;
  /** See `OverlayOptions`. */
  wholeCopyBytesMax = 0;

  /**
   * @param diffParent directory in which the diff lies; by default it lies beside the lower
   *   directory
   */
  constructor(diffParent: string = this.#home.path) {
    this.diff = `${diffParent}/diff`;
    for (const path of [this.lower, this.diff, `${this.diff}/data`, `${this.diff}/tmp`]) {
      Deno.mkdirSync(path);
    }
  }

  /** Mounts with `workers` threads, runs `body`, unmounts and settles. */
  async mounted(
    workers: number,
    body: (test: TestMount, description: OverlayDescription) => Promise<void>,
  ): Promise<void> {
    const lower = new LoopbackTree(this.lower);
    prepareDiffTree({ diffPath: this.diff, lower, nonce: NONCE, volatileDirectories: [] });
    const probe = `${this.diff}/probe`;
    Deno.writeTextFileSync(probe, "");
    const description: OverlayDescription = {
      lowerPath: this.lower,
      diffPath: this.diff,
      nonce: NONCE,
      shared: createSharedState(),
      skipFsync: false,
      materializeOnRead: false,
      wholeCopyBytesMax: this.wholeCopyBytesMax,
      volatileDirectories: [],
      extendedAttributes: true,
    };
    await withMount(
      { workerUrl: WORKER_URL, workers, description, allowOther: true, backingPaths: [probe] },
      (test) => body(test, description),
    );
    settleDiffTree(this.diff, NONCE);
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]();
  }
}

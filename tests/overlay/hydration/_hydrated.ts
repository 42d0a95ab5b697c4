/**
 * Hydration of an overlay harness, step by step.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type HydrationListener,
  type HydrationStep,
  Hydrator,
} from "#src/overlay/hydration/hydrator.ts";
import { HydrationState } from "#src/overlay/hydration/hydration_state.ts";
import { decodePartialHeader, HEADER_SIZE_MAX, isPartialFile } from "#src/overlay/partial_file.ts";
import type { FileNode, MountableTree } from "#src/tree/node.ts";
import { walk } from "#src/tree/walk.ts";
import { NONCE, type OverlayHarness } from "#tests/overlay/harness.ts";

/** Hydrates what a harness has mounted; ends with the mount. */
export class Hydration {
  readonly state: HydrationState;
  /** Paths that were left out, each time that was said. */
  readonly leftOut: string[] = [];
  /** How often it paused, and went on. */
  readonly pauses: string[] = [];
  readonly #hydrator: Hydrator;
  readonly #steps: Generator<HydrationStep>;

  /** @param now milliseconds since 1970 */
  constructor(harness: OverlayHarness, now = Date.now) {
    const { lower, diffPath, shared, options } = harness;
    const listener: HydrationListener = {
      leftOut: (path) => this.leftOut.push(path),
      paused: (error) => this.pauses.push(error.message),
      resumed: () => this.pauses.push("resumed"),
    };
    this.state = new HydrationState(shared.hydration);
    this.state.order(undefined);
    this.#hydrator = new Hydrator(
      {
        lower,
        diffPath,
        nonce: options.nonce ?? NONCE,
        shared,
        worker: 65,
        skipFsync: false,
        materializeOnRead: false,
        wholeCopyBytesMax: 0,
        volatileDirectories: [],
        extendedAttributes: true,
      },
      listener,
      now,
    );
    this.#steps = this.#hydrator.run();
  }

  /** @returns undefined when there is nothing more to do */
  step(): HydrationStep | undefined {
    const { done, value } = this.#steps.next();
    return done === true ? undefined : value;
  }

  /** Goes on until all is in the diff; where it would have to wait, the test fails. */
  finish(): void {
    for (let step = this.step(); step !== undefined; step = this.step()) {
      if (this.state.phase === "waiting") return;
      assert.ok("bytes" in step, `it waits: ${this.pauses.join(", ")}`);
    }
  }

  /** Ends in the middle of a step. @param isKill nothing is put away */
  end(isKill = false): void {
    if (isKill) return;
    this.#steps.return(undefined);
    this.#hydrator.close();
  }
}

/** Hydrates to the end. */
export function hydrateAll(harness: OverlayHarness): Hydration {
  const hydration = new Hydration(harness);
  hydration.finish();
  hydration.end();
  return hydration;
}

/** All files of a tree that is written down, to be changed. */
export function filesOf(tree: MountableTree): Map<string, FileNode> {
  const files = new Map<string, FileNode>();
  for (const { path, node } of walk(tree)) if (node.kind === "file") files.set(path, node);
  return files;
}

/** From now on nothing can be read of a tree's files: whoever tries is told. */
export function loseContents(tree: MountableTree): void {
  for (const [path, node] of filesOf(tree)) {
    node.open = () => {
      throw new Error(`${path} is read in the source`);
    };
  }
}

function readStart(file: Deno.FsFile, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  file.seekSync(0, Deno.SeekMode.Start);
  return bytes.subarray(0, file.readSync(bytes) ?? 0);
}

/** Sees to it that all files of a diff are plain, or durably have each of their blocks. */
export function assertEverythingDurable(directory: string, nonce = NONCE): void {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) assertEverythingDurable(path, nonce);
    if (!isFile) continue;
    using file = Deno.openSync(path);
    const { size } = file.statSync();
    const header = readStart(file, HEADER_SIZE_MAX);
    if (!isPartialFile(header, header.length, nonce)) continue;
    const { mapBlocks, layout } = decodePartialHeader(header, header.length, size, path);
    const bytes = readStart(file, layout.dataOffset);
    for (let block = 0; block < mapBlocks; block++) {
      const byte = bytes[layout.durableMapOffset + (block >> 3)]!;
      assert.ok((byte & 1 << (block & 7)) !== 0, `block ${block} of ${path}`);
    }
  }
}

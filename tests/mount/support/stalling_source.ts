/**
 * The source of `stalling_worker.ts`, seen from the test.
 *
 * @module
 */

/** Cells of the memory that test and workers share. */
export const SourceCell = { IS_HANGING: 0, ASKED: 1 } as const;

/** Hangs when told to. */
export class StallingSource {
  readonly memory = new SharedArrayBuffer(8);
  readonly #cells = new Int32Array(this.memory);

  /** How often it was asked for something. */
  get askedCount(): number {
    return Atomics.load(this.#cells, SourceCell.ASKED);
  }

  hang(): void {
    Atomics.store(this.#cells, SourceCell.IS_HANGING, 1);
  }

  goOn(): void {
    Atomics.store(this.#cells, SourceCell.IS_HANGING, 0);
    Atomics.notify(this.#cells, SourceCell.IS_HANGING);
  }
}

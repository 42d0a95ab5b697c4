/**
 * A lock for short sections between the threads of a process.
 *
 * @module
 */

const State = {
  FREE: 0,
  HELD: 1,
  /** Somebody waits and wants to be woken. */
  WAITED_FOR: 2,
  /** A thread ended while it held the lock: what it guards may be half changed. */
  BROKEN: 3,
} as const;

/** Several short waits instead of a long one: a process that was stopped meanwhile has lost no more than one. */
const ATTEMPT_COUNT = 5;
const ATTEMPT_MS = 1000;

/** One cell of shared memory. Whoever waits in vain breaks the lock, and nobody gets it any more. */
export class SharedLock {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #cell: number;

  /** @param cell index of the cell, which is 0 at first */
  constructor(cells: Int32Array<SharedArrayBuffer>, cell: number) {
    this.#cells = cells;
    this.#cell = cell;
  }

  /** Takes the lock. @returns false when it is broken: nothing that it guards may be touched */
  acquire(): boolean {
    if (this.#change(State.FREE, State.HELD) === State.FREE) return true;
    for (let attempt = 0; attempt < ATTEMPT_COUNT;) {
      const seen = Atomics.load(this.#cells, this.#cell);
      if (seen === State.BROKEN) return false;
      if (seen === State.FREE) {
        // Others may be waiting too.
        if (this.#change(State.FREE, State.WAITED_FOR) === State.FREE) return true;
        continue;
      }
      if (seen === State.HELD) this.#change(State.HELD, State.WAITED_FOR);
      const outcome = Atomics.wait(this.#cells, this.#cell, State.WAITED_FOR, ATTEMPT_MS);
      if (outcome === "timed-out") attempt++;
    }
    Atomics.store(this.#cells, this.#cell, State.BROKEN);
    Atomics.notify(this.#cells, this.#cell);
    return false;
  }

  /** Gives the lock back. */
  release(): void {
    if (this.#change(State.HELD, State.FREE) === State.HELD) return;
    if (this.#change(State.WAITED_FOR, State.FREE) !== State.WAITED_FOR) return;
    Atomics.notify(this.#cells, this.#cell, 1);
  }

  #change(from: number, to: number): number {
    return Atomics.compareExchange(this.#cells, this.#cell, from, to);
  }
}

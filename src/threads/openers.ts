/**
 * What threads open from plain values that were sent to them. Which kinds there are, a thread's
 * module says.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** Plain values that name something: they can be posted to a thread, which opens it. */
export interface Description {
  /** Which implementation reads the rest. */
  readonly kind: string;
}

/** How things of several kinds are opened in this thread. */
export class Openers<Opened> {
  readonly #what: string;
  readonly #openers = new Map<string, (description: never) => Opened>();

  /** @param what they are, for messages */
  constructor(what: string) {
    this.#what = what;
  }

  /** Makes a kind known. @param open is given descriptions of this kind */
  add<Known extends Description>(kind: Known["kind"], open: (known: Known) => Opened): void {
    this.#openers.set(kind, open);
  }

  /** Opens what is described. @throws {UsageError} when its kind is not known here */
  open(description: Description): Opened {
    const open = this.#openers.get(description.kind);
    if (open !== undefined) return open(description as never);
    const { kind } = description;
    throw new UsageError(`Cannot open a ${this.#what} of kind "${kind}" in this thread`);
  }
}

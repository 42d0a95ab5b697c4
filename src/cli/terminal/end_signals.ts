/**
 * Signals that end a command which has to clean up: none of them ends the process by itself.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
/** The terminal sends these to all programs in the foreground by itself. */
const FROM_TERMINAL: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);

/** Listens until it is disposed of. */
export class EndSignals implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners: readonly (readonly [Deno.Signal, () => void])[];
  #pass: ((name: Deno.Signal) => void) | undefined;

  constructor() {
    this.#listeners = SIGNALS.map((name) => [name, () => this.#receive(name)]);
    for (const [name, listener] of this.#listeners) Deno.addSignalListener(name, listener);
  }

  /** Aborted by the first signal, unless a program gets it. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on signals are for a program, whose end is waited for. */
  passTo(pass: (name: Deno.Signal) => void): void {
    this.#pass = pass;
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) Deno.removeSignalListener(name, listener);
  }

  #receive(name: Deno.Signal): void {
    if (this.#pass === undefined) {
      this.#controller.abort(new StateError("interrupted", `Interrupted by ${name}`));
      return;
    }
    if (FROM_TERMINAL.has(name) && Deno.stdin.isTerminal()) return;
    try {
      this.#pass(name);
    } catch {
      // It has just ended.
    }
  }
}

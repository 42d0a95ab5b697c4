/**
 * What all errors of this program have in common. Here at the bottom, since system calls fail as
 * well.
 *
 * @module
 */

/** What errors may have besides their message. */
export interface FailureOptions {
  /** See {@link Failure.hint}. */
  hint?: string | undefined;
  /** See {@link Failure.option}. */
  option?: string | undefined;
  /** What was thrown below, for the log. */
  cause?: unknown;
}

/** An error of this program: one that it foresaw, unlike a bug. */
export abstract class Failure extends Error {
  /** Stable, documented identifier of the condition, such as `chain-broken` or `ENOENT`. */
  abstract readonly code: string;
  /**
   * What can be done about it, in words that fit a program as well as a person: no flags, no
   * commands.
   */
  readonly hint?: string | undefined;
  /**
   * The option that is wrong, or that is a way out: the name that the function called has for it,
   * such as `force`. The command line says which flag that is.
   */
  readonly option?: string | undefined;

  /** The message names the file or object that it is about, and is for people. */
  constructor(message: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
    this.option = options.option;
  }

  /** Whether the same call may succeed later, without anything being changed for it. */
  get isTemporary(): boolean {
    return false;
  }
}

/**
 * The present, for what is dated by it, and for dates that it cannot have.
 *
 * @module
 */

/** Clocks of machines that share a datastore may differ by so much. */
const CLOCK_MARGIN_SECONDS = 300;

/** Whole seconds since 1970. */
export function currentSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Whether a date is so far after the present that one of the two clocks was wrong. */
export function isAheadOf(seconds: number, nowSeconds: number): boolean {
  return seconds - nowSeconds > CLOCK_MARGIN_SECONDS;
}

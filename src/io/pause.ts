/**
 * Letting time pass while the thread does other things.
 *
 * @module
 */

/** Resolves after the time, with true, or when the signal comes, with false. */
export async function pause(timeMs: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted === true) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, timeMs, true);
  signal?.addEventListener("abort", () => resolve(false), { once: true });
  const isOver = await promise;
  clearTimeout(timer);
  return isOver;
}

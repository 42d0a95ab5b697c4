/**
 * Threads and what they are for. The program hands in where their code comes from; one module may be that of all its
 * threads, and a thread's name says which role it has.
 *
 * @module
 */

/** Starts a thread with a name. */
export type SpawnThread = (name: string) => Worker;

/** Threads that run the module at a URL. */
export function threadsFrom(url: string): SpawnThread {
  return (name) => new Worker(url, { type: "module", name });
}

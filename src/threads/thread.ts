/**
 * Threads and what they are for. The program hands in where their code comes from; one module may be that of all its
 * threads, and a thread's name says which role it has.
 *
 * @module
 */

/** Starts a thread with a name. */
export type SpawnThread = (name: string) => Worker;

/**
 * Threads that run the module at a URL. A function is asked when a thread starts: what is relative to `import.meta.url`
 * has no place in the executable, which hands in its own.
 */
export function threadsFrom(url: string | (() => URL)): SpawnThread {
  return (name) => new Worker(typeof url === "string" ? url : url(), { type: "module", name });
}

/**
 * What another thread finds in a source.
 *
 * @module
 */

const WORKER_URL = new URL("./_source_worker.ts", import.meta.url).href;

/** The manifest of a source's tree, attached in a thread of its own. */
export function manifestInThread(description: unknown): Promise<Record<string, unknown>> {
  const worker = new Worker(WORKER_URL, { type: "module" });
  const answer = Promise.withResolvers<Record<string, unknown>>();
  worker.onmessage = ({ data }) => answer.resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    answer.reject(new Error(event.message));
  };
  worker.postMessage(description);
  return answer.promise.finally(() => worker.terminate());
}

/**
 * Where the code of a worker comes from: that of FUSE workers, which may be that of other threads too. From sources it is a
 * file; inside the single executable there are no files, and the text that the build embeds is turned into a URL.
 *
 * @module
 */

let embeddedText: string | undefined;
let embeddedUrl: string | undefined;

/** Says that workers run `text` (one bundled module) instead of the source file. */
export function embedWorkerSource(text: string): void {
  embeddedText = text;
}

/** The module to start a worker from. In a worker of the single executable, which has no text, it is the worker's own. */
export function workerUrl(): string {
  if (embeddedText === undefined) {
    const own = globalThis.location?.href;
    return own?.startsWith("blob:") ? own : new URL("../cli/worker.ts", import.meta.url).href;
  }
  return embeddedUrl ??= URL.createObjectURL(
    new Blob([embeddedText], { type: "application/javascript" }),
  );
}

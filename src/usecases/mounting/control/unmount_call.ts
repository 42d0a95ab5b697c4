/**
 * The call that ends a mount, as hints name it: `unmount({"mountPath":"/mnt"})`. A program can make that call; the
 * command line shows its own command in place of it.
 *
 * @module
 */

/** What there is to say of the mount that is to end; see `UnmountRequest`. */
export interface UnmountCall {
  readonly mountPath: string;
  readonly diffPath?: string | undefined;
  readonly force?: boolean;
}

const CALL = /\bunmount\((\{(?:"(?:[^"\\]|\\.)*"|[^"{}])*\})\)/gu;

/** The call, for a hint. */
export function formatUnmountCall(call: UnmountCall): string {
  return `unmount(${JSON.stringify(call)})`;
}

/** Puts other words in place of all such calls in a text. */
export function replaceUnmountCalls(text: string, words: (call: UnmountCall) => string): string {
  return text.replace(CALL, (_, call) => words(JSON.parse(call)));
}

/**
 * Calls of the library that hints name: `unmount({"mountPath":"/mnt"})`. A program can make such a
 * call; the command line shows a command in place of it.
 *
 * @module
 */

const CALL = /\b(\w+)\((\{(?:"(?:[^"\\]|\\.)*"|[^"{}])*\})\)/gu;

/** What commands are made of the arguments of calls. */
export type CallWords = Readonly<Record<string, (args: never) => string>>;

/** A call, for a hint. */
export function formatCall(name: string, args: Readonly<Record<string, unknown>>): string {
  return `${name}(${JSON.stringify(args)})`;
}

/** Puts `words` in place of the calls in a text; those that it has no words for stay. */
export function replaceCalls(text: string, words: CallWords): string {
  return text.replace(CALL, (call, name: string, args: string) => {
    return Object.hasOwn(words, name) ? words[name]!(JSON.parse(args) as never) : call;
  });
}

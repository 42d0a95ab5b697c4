/**
 * Names as text that shows every byte and cannot control a terminal.
 *
 * @module
 */

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  '"': '\\"',
  "\\": "\\\\",
  "\0": "\\0",
};

/** Needs an escape; lone surrogates are bytes that are not UTF-8 (`bytes/file_name.ts`). */
const ODD = /["\\\p{C}\p{Zl}\p{Zp}\p{M}]|(?! )\p{Zs}/gu;

const ODD_IN_SENTENCE = /[\p{C}\p{Zl}\p{Zp}\p{M}]|(?! )\p{Zs}/gu;

/** `"a\nb\xFF"`: quotation marks around, escapes inside, as other tools list archives. */
export function quoteName(name: string): string {
  return `"${name.replace(ODD, escape)}"`;
}

/** The name itself where it is harmless, else quoted. */
export function showName(name: string): string {
  return name.search(ODD) < 0 ? name : quoteName(name);
}

/**
 * A sentence that may have names in it: what could control a terminal is escaped, quotation marks
 * stay.
 */
export function showMessage(message: string): string {
  return message.replace(ODD_IN_SENTENCE, escape);
}

function escape(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0)!;
  if (code >= 0xdc80 && code <= 0xdcff) {
    return `\\x${(code - 0xdc00).toString(16).toUpperCase()}`;
  }
  return `\\u{${code.toString(16)}}`;
}

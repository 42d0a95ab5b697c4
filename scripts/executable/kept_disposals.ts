/**
 * Keeps the `using` of a bundle from its own minifier: what is declared by it and used once, in the
 * next statement, the minifier of Deno 2.9 puts there in place of its name, and nothing is disposed
 * of any more. A second use, which has to be taken for one with an effect, prevents that.
 *
 * @module
 */

/** A declaration, as a bundle that is not minified has it: up to a line of its own indentation. */
const DECLARATION =
  /^( *)(await )?using ([\p{ID_Start}$_][\p{ID_Continue}$]*) = (?:.*;|(?:.*\n)+?\1\S.*;)$/gmu;
const ANY_DECLARATION = /(?<![\p{ID_Continue}$.])using [\p{ID_Start}$_][\p{ID_Continue}$]* ?=/gu;

/** The bundle with each declaration followed by more uses of what it declares. */
export function keepDisposals(bundle: string): string {
  return bundle.replace(DECLARATION, (statement, indentation, awaited, name) => {
    const method = awaited === undefined ? "dispose" : "asyncDispose";
    const use = `${name}?.[Symbol.${method}];`;
    // Two, for what is used nowhere else. It may be undefined.
    return `${statement}\n${indentation}${use}\n${indentation}${use}`;
  });
}

/** How many declarations a bundle has, minified or not. */
export function countDisposals(bundle: string): number {
  return bundle.match(ANY_DECLARATION)?.length ?? 0;
}

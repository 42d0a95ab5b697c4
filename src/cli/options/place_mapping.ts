/**
 * Values of options that say where something goes: `OLD=NEW`, repeatable.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** What is mapped. */
export interface MappedNames {
  readonly pattern: RegExp;
  /** For messages. */
  readonly what: string;
}

/** Absolute paths. */
export const PATH: MappedNames = { pattern: /^\//u, what: "an absolute path" };
/** Tablespaces. */
export const PATH_OR_OID: MappedNames = {
  pattern: /^(?:\/|\d+$)/u,
  what: "an absolute path or an OID",
};

/** For commander: all values of a repeatable option. */
export function collectValues(value: string, former: readonly string[] = []): string[] {
  return [...former, value];
}

/** New places by the old ones. `\=` is a sign in a path. @throws {UsageError} */
export function parseMapping(
  texts: readonly string[] = [],
  flag: string,
  known: MappedNames = PATH,
): Map<string, string> {
  return new Map(texts.map((text) => {
    const [old, place, ...more] = text.split(/(?<!\\)=/u).map((part) =>
      part.replaceAll("\\=", "=")
    );
    const isPair = old !== undefined && place !== undefined && more.length === 0;
    if (isPair && known.pattern.test(old) && place.startsWith("/")) return [old, place];
    throw new UsageError(
      `Cannot use "${text}" for ${flag}: expected OLD=NEW, ${known.what} and an absolute path`,
      { option: flag },
    );
  }));
}

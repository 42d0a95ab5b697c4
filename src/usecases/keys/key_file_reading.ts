/**
 * Key files as they lie on disk; errors name them.
 *
 * @module
 */

import { located } from "#src/errors.ts";
import { type KeyFile, parseKeyFile } from "#src/pbs/format/key_file.ts";
import { readKeyText } from "./secrets.ts";

/**
 * Reads a key file that an argument names, or the default one. @throws {UsageError} when it cannot
 * be read @throws {FormatError}
 */
export function readKeyFile(path: string): KeyFile {
  return parseKeyFileOf(path, readKeyText(path));
}

/**
 * Parses a key file from `path`. @throws {FormatError} with the path, when it is none @throws
 * {LimitError}
 */
export function parseKeyFileOf(path: string, text: string): KeyFile {
  return located(() => ({ path }), () => parseKeyFile(text));
}

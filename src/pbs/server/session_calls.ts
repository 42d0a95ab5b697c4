/**
 * What calls of both kinds of sessions have in common.
 *
 * @module
 */

import { isIndexName } from "../reading/index_scan.ts";
import { Refusal } from "./refusal.ts";

let lastHandle = 0;

/** A number for something that a thread holds. */
export function nextHandle(): number {
  return ++lastHandle;
}

/** Checks a name. @throws {Refusal} when a file of that name is no part of a backup */
export function checkArchiveType(name: string): void {
  if (isIndexName(name) || name.endsWith(".blob")) return;
  throw new Refusal(400, `unknown archive type: "${name}"`);
}

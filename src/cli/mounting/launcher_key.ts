/**
 * The key of a snapshot on its way from the launching process to the serving one.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";

/** The key that the launcher hands over. @throws {ProtocolError} when it is cut off */
export function readKeyOfLauncher(): Uint8Array | undefined {
  const KEY_SIZE = 32;
  const key = new Uint8Array(KEY_SIZE);
  let size = 0;
  while (size < KEY_SIZE) {
    const count = Deno.stdin.readSync(key.subarray(size));
    if (count === null) break;
    size += count;
  }
  if (size === 0) return undefined;
  if (size === KEY_SIZE) return key;
  throw new ProtocolError("The key did not come over from the launching process");
}

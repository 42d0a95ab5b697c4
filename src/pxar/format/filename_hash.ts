/**
 * Hash of a file name in goodbye tables.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { SipHash24 } from "#src/bytes/siphash.ts";

/** SipHash-2-4 with the archive's keys, which are taken from sha1 of `PROXMOX ARCHIVE FORMAT`. */
export const filenameHash: SipHash24 = new SipHash24(0x83ac3f1cfbb450dbn, 0xaa4f1b6879369fbdn);

const scratch = new Uint8Array(64);

/** Hashes a name; the result is in {@link filenameHash}. */
export function hashFileName(name: string): void {
  const { length } = name;
  let i = 0;
  // Short ASCII names, which most are, need no encoder.
  if (length <= scratch.length) {
    for (; i < length; i++) {
      const code = name.charCodeAt(i);
      if (code >= 0x80) break;
      scratch[i] = code;
    }
  }
  if (i === length) filenameHash.hash(scratch, 0, length);
  else filenameHash.hash(encodeFileName(name));
}

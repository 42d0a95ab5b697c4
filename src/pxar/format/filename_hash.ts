/**
 * Hash of a file name in goodbye tables (format specification, section 7).
 *
 * @module
 */

import { SipHash24 } from "#src/bytes/siphash.ts";

/** SipHash-2-4 with the archive's keys, which are taken from sha1 of `PROXMOX ARCHIVE FORMAT`. */
export const filenameHash: SipHash24 = new SipHash24(0x83ac3f1cfbb450dbn, 0xaa4f1b6879369fbdn);

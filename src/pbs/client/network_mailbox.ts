/**
 * The mailbox of the network thread.
 *
 * @module
 */

import { createMailbox } from "#src/threads/mailbox/slots.ts";
import { SENT_BLOB_SIZE_MAX, TEXT_SIZE_MAX } from "./calls.ts";

/** More threads than encode or read at a time; what none of them has used takes no memory. */
const SLOT_COUNT = 17;

/** Makes the memory of a mailbox. */
export function createNetworkMailbox(): SharedArrayBuffer {
  return createMailbox({
    slotCount: SLOT_COUNT,
    areaBytes: SENT_BLOB_SIZE_MAX + TEXT_SIZE_MAX,
  });
}

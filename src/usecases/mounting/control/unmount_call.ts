/**
 * The call that ends a mount, as hints name it.
 *
 * @module
 */

import { formatCall } from "../../call_text.ts";

/** What there is to say of the mount that is to end. */
export interface UnmountCall {
  readonly mountPath: string;
  readonly diffPath?: string | undefined;
  readonly force?: boolean;
}

/** The call, for a hint. */
export function formatUnmountCall(call: UnmountCall): string {
  return formatCall("unmount", { ...call });
}

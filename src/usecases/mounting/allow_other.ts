/**
 * Whether users other than the one who mounts may enter.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";

/**
 * What was asked for, or where nothing was, what is usual: root lets others in.
 *
 * @throws {UsageError} when this user may not let others in
 */
export function chooseAllowOther(wanted: boolean | undefined): boolean {
  const isRoot = host.getEffectiveUid() === 0;
  const asked = wanted ?? isRoot;
  if (!asked || isRoot) return asked;
  const configuration = host.readSmallFile("/etc/fuse.conf");
  const text = typeof configuration === "number" ? "" : new TextDecoder().decode(configuration);
  if (/^\s*user_allow_other\s*$/mu.test(text)) return true;
  throw new UsageError("Cannot use `allowOther`: the host allows it to root only", {
    option: "allowOther",
    hint: 'Put the line "user_allow_other" into /etc/fuse.conf, or leave the option out',
  });
}

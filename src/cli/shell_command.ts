/**
 * Commands that a hint names, as they can be pasted into a shell.
 *
 * @module
 */

import { shellWord } from "#src/bytes/shell_word.ts";
import type { UnmountCall } from "#src/usecases/mounting/control/unmount_call.ts";

/** The command that ends a mount. */
export function unmountCommand({ mountPath, diffPath, force }: UnmountCall): string {
  return [
    "pbkfs unmount -D",
    shellWord(mountPath),
    ...(diffPath === undefined ? [] : ["-d", shellWord(diffPath)]),
    ...(force === true ? ["--force"] : []),
  ].join(" ");
}

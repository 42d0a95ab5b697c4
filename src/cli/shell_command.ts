/**
 * Commands that a hint names, as they can be pasted into a shell.
 *
 * @module
 */

import type { CallWords } from "#src/usecases/call_text.ts";
import { shellWord } from "#src/bytes/shell_word.ts";
import type { UnmountCall } from "#src/usecases/mounting/control/unmount_call.ts";

/** The commands that do what calls do which the library's texts name with their arguments. */
export const CALL_WORDS: CallWords = {
  unmount: unmountLine,
  unmapImage: ({ name, force }: { name: string; force: boolean }) =>
    ["pbkfs pbs unmap", shellWord(name), ...(force ? ["--force"] : [])].join(" "),
};

/** The command that ends a mount. */
export function unmountLine({ mountPath, diffPath, force }: UnmountCall): string {
  return [
    "pbkfs unmount -D",
    shellWord(mountPath),
    ...(diffPath === undefined ? [] : ["-d", shellWord(diffPath)]),
    ...(force === true ? ["--force"] : []),
  ].join(" ");
}

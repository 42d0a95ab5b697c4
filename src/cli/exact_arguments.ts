/**
 * Arguments whose bytes are not UTF-8: names of files in archives may be any.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";

/** Stands in the runtime's arguments for every byte that is not UTF-8. */
const REPLACEMENT = "\ufffd";

/** Linux itself takes no more, by default. */
const COMMAND_LINE_SIZE_MAX = 4 << 20;

/**
 * The arguments with every byte they were given with, as {@link decodeFileName} decodes names. The
 * runtime has replaced some; the kernel still knows them. Without FFI, which the runtime asks for
 * to read what the kernel says, they stay as they are.
 */
export async function exactArguments(args: readonly string[]): Promise<readonly string[]> {
  if (!args.some((arg) => arg.includes(REPLACEMENT)) || !mayUseFfi) return args;
  const host = await import("#ffi/libc/calls.ts");
  const { readDescriptorFully } = await import("#src/io/descriptor.ts");
  const path = "/proc/self/cmdline";
  const fd = host.unwrap(host.open(path, host.OpenFlag.RDONLY), "open", path);
  try {
    return exactWords(readDescriptorFully(fd, COMMAND_LINE_SIZE_MAX), args);
  } finally {
    host.close(fd);
  }
}

/** The last words of a command line of words that end with NUL, where they are `args`. */
export function exactWords(commandLine: Uint8Array, args: readonly string[]): readonly string[] {
  const words: Uint8Array[] = [];
  for (let start = 0; start < commandLine.length;) {
    const end = commandLine.indexOf(0, start);
    words.push(commandLine.subarray(start, end < 0 ? commandLine.length : end));
    start = end < 0 ? commandLine.length : end + 1;
  }
  const last = words.slice(-args.length);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return args.map((arg, index) => {
    const word = last[index];
    return word !== undefined && decoder.decode(word) === arg ? decodeFileName(word) : arg;
  });
}

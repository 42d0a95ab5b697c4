/**
 * The other process of `process_cases.ts`: `process_child.ts ACTION ARGUMENTS…` prints one line.
 *
 * @module
 */

import { Errno, errnoName, OsError } from "#ffi/os_error.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { patternBytes, readText, withFile, writeAllAt } from "#tests/support/posix_files.ts";

const { O, Flock, RecordLock } = posix;

/** Writes every `step`-th piece of `size` bytes, each with a content of its own. */
function writeStriped(path: string, size: number, index: number, step: number, count: number) {
  withFile(path, O.WRONLY, (fd) => {
    for (let piece = index; piece < count; piece += step) {
      writeAllAt(fd, patternBytes(size, piece + 1), piece * size);
    }
  });
  return "done";
}

function append(path: string, index: string, count: number): string {
  withFile(path, O.WRONLY | O.APPEND, (fd) => {
    for (let i = 0; i < count; i++) {
      posix.write(fd, new TextEncoder().encode(`${index} line ${i}\n`));
    }
  });
  return "done";
}

function createExclusive(directory: string, count: number): string {
  let won = 0;
  for (let i = 0; i < count; i++) {
    try {
      posix.close(posix.open(`${directory}/${i}`, O.WRONLY | O.CREAT | O.EXCL));
      won++;
    } catch (error) {
      if (!(error instanceof OsError) || error.errno !== Errno.EEXIST) throw error;
    }
  }
  return String(won);
}

function outcome(call: () => string | void): string {
  try {
    return call() ?? "locked";
  } catch (error) {
    if (error instanceof OsError) return errnoName(error.errno);
    throw error;
  }
}

function run(action: string, args: readonly string[]): string {
  const [path = "", second = "", third = "", fourth = ""] = args;
  switch (action) {
    case "write-blocks":
      return writeStriped(path, 8192, Number(second), Number(third), Number(fourth));
    case "write-pieces":
      return writeStriped(path, 1001, Number(second), Number(third), Number(fourth));
    case "append":
      return append(path, second, Number(third));
    case "create-exclusive":
      return createExclusive(path, Number(second));
    case "read":
      return outcome(() => readText(path));
    case "try-flock":
      return withFile(path, O.RDWR, (fd) =>
        outcome(() =>
          posix.flock(
            fd,
            (second === "shared" ? Flock.SHARED : Flock.EXCLUSIVE) | Flock.NONBLOCK,
          )
        ));
    case "try-record-lock":
      return withFile(
        path,
        O.RDWR,
        (fd) =>
          outcome(() => posix.setRecordLock(fd, RecordLock.WRITE, Number(second), Number(third))),
      );
    default:
      throw new Error(`Cannot run "${action}": no such action`);
  }
}

const [action = "", ...args] = Deno.args;
console.log(run(action, args));

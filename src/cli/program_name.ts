/**
 * What the user called the program: a link named `pxar` makes it that tool.
 *
 * @module
 */

import process from "node:process";
import { programInvocationName } from "#ffi/libc/calls.ts";
import { buildKind } from "./build_kind.ts";

/** Base name of the command that was typed; links are not followed. */
export function programName(): string {
  // The runtime knows it too, but loading that module takes 10 ms, and FFI is there in the
  // executable only.
  const path = buildKind() === "source" ? process.argv0 : programInvocationName();
  return path.slice(path.lastIndexOf("/") + 1);
}

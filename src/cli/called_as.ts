/**
 * What the user called the program: a link named `pxar` makes it that tool.
 *
 * @module
 */

import { programInvocationName } from "#src/io/host.ts";
import { buildKind } from "./build_kind.ts";

/** Base name of the command that was typed; `pbkfs` when run from a checkout, where the runtime's is seen. */
export function calledAs(): string {
  if (buildKind() === "source") return "pbkfs";
  // Not `process.argv0`: loading that module takes 10 ms of every start.
  const path = programInvocationName();
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * The name of this host.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { readSmallFile } from "#ffi/libc/calls.ts";

const PATH = "/proc/sys/kernel/hostname";

/** The name, without a domain's. @throws {UsageError} when the host does not tell it */
export function readHostName(): string {
  const content = readSmallFile(PATH);
  const name = typeof content === "number" ? "" : new TextDecoder().decode(content).trim();
  if (name !== "") return name.split(".", 1)[0]!;
  throw new UsageError("--backup-id is required", {
    option: "--backup-id",
    hint: "This host does not tell its name",
  });
}

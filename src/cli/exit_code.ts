/**
 * Errors on their way out: the one table of exit codes and the one shape of messages.
 *
 * @module
 */

import type { Command } from "commander";
import { Failure, toRecord, UsageError } from "#src/errors.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import { inWordsOf, remedyOf } from "./remedy.ts";

/** Exit codes of every command. Scripts tell failures apart by the `code` of `--format json`. */
export const ExitCode = { SUCCESS: 0, FAILURE: 1, USAGE: 2 } as const;

const PERMISSIONS_HINT = "Run pbkfs with the permissions listed in docs/permissions.md";

/** How results and errors are printed. */
export type OutputFormat = "text" | "json";

/** How entries and other results without number are printed: `jsonl` is one JSON object a line. */
export type EntryFormat = OutputFormat | "jsonl";

/** The exit code for an error. */
export function exitCode(error: unknown): number {
  return error instanceof UsageError ? ExitCode.USAGE : ExitCode.FAILURE;
}

/**
 * An error as printed on standard error: `pbkfs error: <what> (<where>): <what to do>`, or one JSON
 * object with `type` "error", the stable `code` and all that is known of the place.
 *
 * @param command the command that failed: its flags are the way out
 */
export function formatError(error: unknown, format: OutputFormat, command?: Command): string {
  const described = describe(error, command);
  if (format === "json") return JSON.stringify({ type: "error", ...described }) + "\n";
  const hint = described.hint === undefined ? "" : `: ${described.hint}`;
  // Names come from archives and backups: they must not tell a terminal what to do.
  return `pbkfs error: ${showMessage(described.message + hint)}\n` + stackOfBug(error);
}

/** A warning as printed on standard error. */
export function formatWarning(message: string, format: OutputFormat): string {
  return format === "json"
    ? JSON.stringify({ type: "warning", message }) + "\n"
    : `warning: ${showMessage(message)}\n`;
}

interface ErrorDescription {
  code: string;
  message: string;
  hint?: string;
  [key: string]: unknown;
}

/** Names of details in JSON that are not those of the error's properties. */
const JSON_NAMES: Readonly<Record<string, string>> = {
  backupId: "backup_id",
  mountPath: "mnt_path",
  diffPath: "diff_dir",
};

function describe(error: unknown, command: Command | undefined): ErrorDescription {
  const { code, message, isTemporary, details } = toRecord(error);
  if (!(error instanceof Failure)) {
    return code === "permission" ? { code, message, hint: PERMISSIONS_HINT } : { code, message };
  }
  const description: ErrorDescription = { code, message: inWordsOf(command, message, "long") };
  const { hint, option } = remedyOf(error, command);
  if (hint !== undefined) description.hint = hint;
  if (option !== undefined) description["option"] = option;
  if (isTemporary) description["temporary"] = true;
  for (const [key, value] of Object.entries(details)) {
    if (key !== "option") description[JSON_NAMES[key] ?? key] = value;
  }
  return description;
}

/** Only a bug is worth a stack trace. */
function stackOfBug(error: unknown): string {
  if (!(error instanceof Error) || error instanceof Failure || error.stack === undefined) return "";
  return toRecord(error).code === "internal" ? `${error.stack}\n` : "";
}

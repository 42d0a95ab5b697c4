/**
 * Errors on their way out: the one table of exit codes and the one shape of messages.
 *
 * @module
 */

import type { Command } from "commander";
import { Failure, UsageError } from "#src/errors.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import { inWordsOf, wayOut } from "./way_out.ts";

/** Exit codes of every command. Scripts tell failures apart by the `code` of `--format json`. */
export const ExitCode = { SUCCESS: 0, FAILURE: 1, USAGE: 2 } as const;

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

/** Properties of errors that name the place, and the names under which they appear in JSON. */
const PLACE_FIELDS: readonly (readonly [string, string])[] = [
  ["option", "option"],
  ["path", "path"],
  ["offset", "offset"],
  ["backupId", "backup_id"],
  ["mountPath", "mnt_path"],
  ["diffPath", "diff_dir"],
  ["errno", "errno"],
  ["call", "call"],
];

/** What an error says of its place: `key` is the error's property, `name` that of JSON. */
export function placeOf(error: Failure): { key: string; name: string; value: unknown }[] {
  return PLACE_FIELDS.map(([key, name]) => ({ key, name, value: Reflect.get(error, key) }))
    .filter(({ value }) => value !== undefined);
}

function describe(error: unknown, command: Command | undefined): ErrorDescription {
  if (error instanceof Failure) {
    const message = inWordsOf(command, error.message, "long");
    const description: ErrorDescription = { code: error.code, message };
    const { hint, option } = wayOut(error, command);
    if (hint !== undefined) description.hint = hint;
    if (option !== undefined) description["option"] = option;
    if (error.isTemporary) description["temporary"] = true;
    for (const { key, name, value } of placeOf(error)) {
      if (key !== "option") description[name] = value;
    }
    return description;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return {
      code: "permission",
      message: error.message,
      hint: "Run pbkfs with the permissions listed in docs/permissions.md",
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: isEnvironmentError(error) ? "host" : "internal", message };
}

/** Errors of the runtime's own file calls: the host's state, not a bug. */
function isEnvironmentError(error: unknown): boolean {
  return Object.values(Deno.errors).some((kind) => error instanceof kind);
}

/** Only a bug is worth a stack trace. */
function stackOfBug(error: unknown): string {
  if (error instanceof Failure || isEnvironmentError(error)) return "";
  if (!(error instanceof Error) || error.stack === undefined) return "";
  return `${error.stack}\n`;
}

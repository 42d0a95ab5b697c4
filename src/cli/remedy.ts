/**
 * What a person types to get out of a failure.
 *
 * Errors of the library say what can be done in words of their own field, and name the option of
 * the function that was called. Here that becomes the flag of the command that was typed, and only
 * where that command has it.
 *
 * @module
 */

import type { Command } from "commander";
import { dirname } from "node:path";
import { type Failure, OsError } from "#src/errors.ts";
import type { DiffLockedError } from "#src/overlay/diff_lock.ts";
import { replaceCalls } from "#src/usecases/call_text.ts";
import { CALL_WORDS, unmountLine } from "./shell_command.ts";
import { datastoreRemedy } from "./datastore/remedy.ts";

/** Flags of the options that errors name. */
export const FLAGS: Readonly<Record<string, string>> = {
  allowOther: "--allow-other",
  backupId: "--backup-id",
  binDirectory: "--pg-bin",
  branchOf: "--branch-of",
  clientFingerprint: "--client-fingerprint",
  config: "--config",
  conflict: "--conflict",
  crypt: "--keyfile",
  dataDirectory: "--data-dir",
  datastore: "--datastore",
  diffPath: "--diff-dir",
  entriesMax: "--entries-max",
  fingerprint: "--fingerprint",
  force: "--force",
  excludeDb: "--exclude-db",
  externalMapping: "--external-mapping",
  format: "--format",
  grace: "--grace",
  hydration: "--finish",
  includeDb: "--include-db",
  incremental: "--incremental",
  instance: "--instance",
  isRecursive: "--delete-groups",
  lock: "--no-lock",
  logFile: "--log-file",
  logSink: "--log-sink",
  noWal: "--no-wal",
  overwrite: "--overwrite",
  payload: "--payload",
  payloadOutput: "--payload-output",
  pgCtlPath: "--pg-ctl",
  peer: "--peer",
  recoveryTarget: "--recovery-target",
  recoveryTargetTimeline: "--recovery-target-timeline",
  remoteProgram: "--remote-program",
  repository: "--repository",
  restoreCommand: "--restore-command",
  root: "--root",
  skipFsync: "--perf-unsafe",
  skipsLargeXattrs: "--skip-e2big-xattr",
  storePath: "--pbk-store",
  tablespaceMapping: "--tablespace-mapping",
  time: "--backup-time",
  validate: "--no-validate",
  workPath: "--work-dir",
};

/** Arguments of commands whose name the library's options have. */
export const ARGUMENTS: ReadonlySet<string> = new Set([
  "archive",
  "archive-name",
  "path",
  "target",
]);

/** Commands that do what calls do which the library's texts name. */
const COMMANDS: Readonly<Record<string, string>> = {
  "cleanupDiffDirectory()": "`pbkfs cleanup`",
  "forgetMissingBranches()": "`pbkfs branch rm --missing`",
  "listInstances()": "`pbkfs show`",
  "mappedImages()": "pbkfs pbs unmap without a name",
  "mount()": "pbkfs pbs mount",
  "removeBranches()": "`pbkfs branch rm`",
  "undoPromotion()": "`pbkfs promote --undo`",
  "unmapImage()": "pbkfs pbs unmap",
};

/** What an error says of a way out, in terms of the command line. */
export interface Remedy {
  /** Words for a person. */
  readonly hint?: string | undefined;
  /** The flag or argument that is wrong, or that helps. */
  readonly option?: string | undefined;
}

/**
 * The way out of a failure.
 *
 * @param command the command that failed, undefined when it is not known
 */
export function remedyOf(error: Failure, command: Command | undefined): Remedy {
  const { option } = error;
  const hint = datastoreRemedy(error, command) ?? inWordsOf(command, error.hint, "short");
  if (hint === undefined && error instanceof OsError) return wayAround(error, command);
  if (error.code === "locked") {
    const { mountPath, diffPath } = error as Partial<DiffLockedError>;
    if (mountPath !== undefined) {
      const flags = option === undefined ? undefined : flagsOf(command, FLAGS[option] ?? "");
      const instead = flags === undefined ? "" : ` (or give ${flags})`;
      return { hint: `Run ${unmountLine({ mountPath, diffPath })} first${instead}` };
    }
  }
  const known = option === undefined ? undefined : FLAGS[option];
  const flag = known ?? option;
  const flags = known === undefined ? undefined : flagsOf(command, known);
  // What names options by itself has said all there is to say.
  const isNamed = error.message.includes(`\`${option}\``) || hint !== error.hint;
  // A name that only the library knows helps nobody at a terminal.
  const isShown = flag !== undefined && (known === undefined || flags !== undefined);
  return {
    hint: hint === undefined || flags === undefined || isNamed ? hint : `${hint} (${flags})`,
    option: isShown ? flag : undefined,
  };
}

/**
 * A text of the library with commands in place of the calls that it names, and flags in place of
 * the options, which are in backquotes there.
 *
 * @param command the command that failed: which letters it has for flags
 * @param form `long` names a flag as help does, `short` by its letter where it has one
 */
export function inWordsOf<Text extends string | undefined>(
  command: Command | undefined,
  text: Text,
  form: "long" | "short",
): Text {
  return text &&
    replaceCalls(text, CALL_WORDS).replace(/`([\w()]+)`/g, (found, name) => {
      if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name]!;
      if (!Object.hasOwn(FLAGS, name)) return found;
      const flag = FLAGS[name]!;
      const option = command?.options.find((candidate) => candidate.long === flag);
      return (form === "long" ? option && flagsOf(command, flag) : option?.short) ?? flag;
    }) as Text;
}

/** What helps where a file cannot be made. */
function wayAround({ code, call, path }: OsError, command: Command | undefined): Remedy {
  if (code === "EEXIST") {
    const option = "--overwrite";
    const found = whatIsAt(path);
    if (!found?.isFile) return { hint: `Give another name${wayAroundOther(found)}` };
    return flagsOf(command, option) === undefined
      ? { hint: "Give another name, or remove what is there" }
      : { hint: `Give another name, or replace what is there (${option})`, option };
  }
  if (call === "open directory" && (code === "ENOTDIR" || code === "ENOENT")) {
    const found = whatIsAt(path);
    if (found?.isSymlink && code === "ENOENT") {
      return { hint: "A link is there that leads nowhere: give another name, or remove it" };
    }
    if (found !== undefined) return { hint: "Give a directory, or a name that is not taken" };
  }
  if (code === "ENOENT" && /^(create|make)\b/u.test(call)) {
    return { hint: `Make the directory "${dirname(path)}" first` };
  }
  return {};
}

/** What else helps where something is that no option replaces. */
function wayAroundOther(found: Deno.FileInfo | undefined): string {
  if (found === undefined) return "";
  if (found.isDirectory) return ", or rename the directory that is there";
  if (found.isSymlink) return ", or remove the link that is there";
  return ": devices, FIFOs and sockets are never replaced";
}

function whatIsAt(path: string): Deno.FileInfo | undefined {
  try {
    // With a slash at its end, a link would be followed.
    return Deno.lstatSync(path.replace(/(?<=.)\/+$/u, ""));
  } catch {
    return undefined;
  }
}

/**
 * How help names a flag (`-d, --diff-dir` without its value); undefined where the command has no
 * such flag.
 */
function flagsOf(command: Command | undefined, long: string): string | undefined {
  const option = command?.options.find((candidate) => candidate.long === long);
  return option?.short === undefined ? option?.long : `${option.short}/${option.long}`;
}

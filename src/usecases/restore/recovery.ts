/**
 * How the server recovers what was restored: up to where, and from which archive. Pure: requests
 * in, texts of files out, each where the server's major version wants it.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import { parseLsn } from "#src/postgres/format/wal_names.ts";
import type { RecoveryTarget } from "#src/postgres/settings.ts";
import {
  AUTO_CONF_NAME,
  formatSetting,
  RECOVERY_SIGNAL_NAME,
} from "../mounting/server_settings.ts";

/** Its presence makes a server a standby, from version 12 on. */
export const STANDBY_SIGNAL_NAME = "standby.signal";
/** What older versions have in place of both. */
const RECOVERY_CONF_NAME = "recovery.conf";
/** The first major version without `recovery.conf`. */
const SIGNAL_FILES_VERSION = 12;

/** What the server does when it has got to its target. */
export const RECOVERY_ACTIONS = ["pause", "promote", "shutdown"] as const;

/** How a server is to recover. */
export interface RestoredRecovery {
  /** Up to where. Default: the end of the archive. */
  readonly target?: RecoveryTarget | undefined;
  /** Whether the target itself is replayed, too. Default: the server's, which is to do so. */
  readonly isInclusive?: boolean | undefined;
  /** A number, `current` or `latest`. Default: `current`, that of the backup. */
  readonly timeline?: string | undefined;
  /** Default: `pause`. */
  readonly action?: typeof RECOVERY_ACTIONS[number] | undefined;
  /** How segments of the WAL are fetched. Default: from the catalog of the backup. */
  readonly restoreCommand?: string | undefined;
  /** Make it a standby, which goes on recovering. */
  readonly standby?: { readonly primaryConninfo?: string | undefined } | undefined;
}

/** What is known of a backup that is to be recovered. */
export interface RecoverableBackup {
  /** For the comment. */
  readonly label: string;
  /** Such as `15` or `9.6`. */
  readonly serverVersion: string;
  /** Where it is consistent; undefined where nothing tells. */
  readonly stopLsn?: string | undefined;
  /** When it is consistent, in Unix seconds. */
  readonly recoveryTime?: number | undefined;
  /** The WAL that it needs is not in it. */
  readonly needsArchive: boolean;
  /** The command that reads its archive; undefined where it has none. */
  readonly archiveCommand: string | undefined;
}

/** A file in the root of a data directory. */
export interface SettingsFile {
  readonly name: string;
  readonly text: string;
}

/**
 * The files that make a server recover as asked; none where nothing is asked and nothing needed.
 *
 * @param autoConf `postgresql.auto.conf` as the backup has it; undefined where it has none
 * @param time of the restore, for a comment
 * @throws {UsageError} for a target that the server would refuse, or without an archive
 * @throws {StateError} `not-found` for a target that the backup has passed already
 */
export function recoveryFiles(
  request: RestoredRecovery | undefined,
  backup: RecoverableBackup,
  autoConf: string | undefined,
  time: string,
): SettingsFile[] {
  const isRecovering = request !== undefined || backup.needsArchive;
  const kept = autoConf === undefined ? undefined : withoutRecovery(autoConf);
  if (!isRecovering) {
    return kept === autoConf ? [] : [{ name: AUTO_CONF_NAME, text: kept! }];
  }
  const asked = request ?? {};
  checkTarget(asked, backup);
  const settings = recoverySettings(asked, backup);
  const lines = settings.map(([key, value]) => formatSetting({ key, value })).join("");
  const comment =
    `# recovery settings added by pbkfs restore of backup ${backup.label} at '${time}'`;
  const isStandby = asked.standby !== undefined;
  if (!hasSignalFiles(backup)) {
    const mode = isStandby ? formatSetting({ key: "standby_mode", value: "on" }) : "";
    return [{ name: RECOVERY_CONF_NAME, text: `${comment}\n${mode}${lines}` }];
  }
  return [
    { name: AUTO_CONF_NAME, text: `${kept ?? ""}\n${comment}\n${lines}` },
    { name: isStandby ? STANDBY_SIGNAL_NAME : RECOVERY_SIGNAL_NAME, text: "" },
  ];
}

function hasSignalFiles({ serverVersion }: RecoverableBackup): boolean {
  return Number.parseInt(serverVersion) >= SIGNAL_FILES_VERSION;
}

/** A server that was recovered before has settings of that time, which mean other archives. */
function withoutRecovery(autoConf: string): string {
  return autoConf.split("\n").filter((line) =>
    !/^\s*(restore_command|recovery_target\w*)\b/iu.test(line) &&
    !/^\s*include\w*\b.*probackup_recovery\.conf/iu.test(line)
  ).join("\n");
}

function recoverySettings(
  request: RestoredRecovery,
  backup: RecoverableBackup,
): [key: string, value: string][] {
  const { target, isInclusive, timeline = "current", action, standby } = request;
  const settings: [string, string][] = [];
  if (target?.type === "immediate") settings.push(["recovery_target", "immediate"]);
  else if (target !== undefined && target.type !== "latest") {
    settings.push([`recovery_target_${target.type}`, target.value]);
    if (isInclusive !== undefined) {
      settings.push(["recovery_target_inclusive", isInclusive ? "true" : "false"]);
    }
  }
  // Older servers have no such word: it is what they do anyway.
  if (timeline !== "current" || hasSignalFiles(backup)) {
    settings.push(["recovery_target_timeline", timeline]);
  }
  if (target !== undefined && target.type !== "latest") {
    settings.push(["recovery_target_action", action ?? "pause"]);
  }
  const command = request.restoreCommand ?? backup.archiveCommand;
  if (command !== undefined) settings.push(["restore_command", command]);
  else if (standby === undefined) {
    throw new UsageError("Cannot recover without an archive of the WAL: this source has none", {
      hint: "Say how segments are fetched",
      option: "restoreCommand",
    });
  }
  if (standby?.primaryConninfo !== undefined) {
    settings.push(["primary_conninfo", standby.primaryConninfo]);
  }
  return settings;
}

/** What the server would refuse only when everything is restored. */
function checkTarget(request: RestoredRecovery, backup: RecoverableBackup): void {
  const { target, timeline } = request;
  if (timeline !== undefined && !/^([1-9]\d{0,9}|current|latest)$/u.test(timeline)) {
    throw refused(timeline, "timeline", 'a number, "current" or "latest"');
  }
  for (const text of [request.restoreCommand, request.standby?.primaryConninfo]) {
    if (text?.includes("\n")) throw new UsageError("Cannot write a setting of several lines");
  }
  if (target === undefined || target.type === "immediate" || target.type === "latest") return;
  const { type, value } = target;
  if (type === "xid" && !/^\d{1,20}$/u.test(value)) throw refused(value, type, "a number");
  if (type === "name" && !/^[^\n]{1,63}$/u.test(value)) {
    throw refused(value, type, "the name of a restore point, of up to 63 characters");
  }
  if (type === "time") checkTime(value, backup);
  if (type !== "lsn") return;
  const lsn = parseLsn(value);
  if (lsn === undefined) throw refused(value, type, "such as 16/B374D848");
  const stop = backup.stopLsn === undefined ? undefined : parseLsn(backup.stopLsn);
  if (stop !== undefined && lsn < stop) throw passed(type, value, backup, backup.stopLsn!);
}

function checkTime(value: string, backup: RecoverableBackup): void {
  if (value.trim() === "" || value.includes("\n")) throw refused(value, "time", "a point in time");
  // Without its own zone a time means what the server's settings say, which are not known here.
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d)(:?\d\d)?$/u
    .exec(value.trim());
  if (match === null || backup.recoveryTime === undefined) return;
  const [, date, clock, zone, minutes = zone === "Z" ? "" : "00"] = match;
  const rest = minutes === "" || minutes.startsWith(":") ? minutes : `:${minutes}`;
  const milliseconds = Date.parse(`${date}T${clock}${zone}${rest}`);
  // The backup's own time has no fractions.
  if (milliseconds >= backup.recoveryTime * 1000 || Number.isNaN(milliseconds)) return;
  throw passed("time", value, backup, new Date(backup.recoveryTime * 1000).toISOString());
}

function refused(value: string, what: string, expected: string): UsageError {
  return new UsageError(`Cannot recover to ${what} "${value}": expected ${expected}`);
}

function passed(
  what: string,
  value: string,
  { label }: RecoverableBackup,
  end: string,
): StateError {
  return new StateError(
    "not-found",
    `Cannot recover to ${what} "${value}": backup ${label} is consistent at ${end} only`,
    { hint: "Choose a backup that ended before" },
  );
}

/**
 * Flags of `restore`, checked.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import type { DatabaseChoice } from "#src/usecases/restore/layout.ts";
import { RECOVERY_ACTIONS, type RestoredRecovery } from "#src/usecases/restore/recovery.ts";
import type { RestoreRequest } from "#src/usecases/restore/restore.ts";
import type { RecoveryTarget } from "#src/postgres/settings.ts";
import { wholeNumber } from "../command.ts";
import { walGetCommand } from "../wal_command.ts";
import { NO_LOCK } from "./chain_lock.ts";
import { collectValues, parseMapping, PATH_OR_OID } from "./place_mapping.ts";

const THREADS_MAX = 64;

/** Values of {@link addRestoreOptions}. */
export interface RestoreFlags {
  readonly threads?: string;
  readonly incremental?: true;
  readonly force?: true;
  readonly validate: boolean;
  readonly sync: boolean;
  /** False with `--no-lock`. */
  readonly lock: boolean;
  readonly owner?: string;
  readonly tablespaceMapping?: readonly string[];
  readonly externalMapping?: readonly string[];
  readonly skipExternalDirs?: true;
  readonly includeDb?: readonly string[];
  readonly excludeDb?: readonly string[];
  readonly dbInclude?: readonly string[];
  readonly dbExclude?: readonly string[];
  readonly recoveryTarget?: "immediate" | "latest";
  readonly recoveryTargetTime?: string;
  readonly recoveryTargetXid?: string;
  readonly recoveryTargetLsn?: string;
  readonly recoveryTargetName?: string;
  readonly recoveryTargetInclusive?: "true" | "false";
  readonly recoveryTargetTimeline?: string;
  readonly recoveryTargetAction?: typeof RECOVERY_ACTIONS[number];
  readonly restoreCommand?: string;
  readonly restoreAsReplica?: true;
  readonly primaryConninfo?: string;
}

/** Adds the flags. */
export function addRestoreOptions(command: Command): Command {
  const repeatable = (flags: string, text: string) =>
    new Option(flags, `${text}; repeatable`).argParser(collectValues);
  return command
    .option("-j, --threads <count>", "threads that write; default: one a core")
    .option("--incremental", "into the directory of a stopped cluster: write only what differs")
    .option("--force", "restore a damaged chain; with --incremental over another cluster")
    .option("--no-validate", "compare no files with checksums (pages always are), nor look for WAL")
    .option("--no-sync", "do not wait until all is on the disk")
    .option(...NO_LOCK)
    .option("--owner <user[:group]>", "owner of the files, for root; default: that of the target")
    .addOption(
      repeatable(
        "-T, --tablespace-mapping <old=new>",
        "where a tablespace goes; OLD may be its OID",
      ),
    )
    .addOption(repeatable("--external-mapping <old=new>", "where an external directory goes"))
    .option("--skip-external-dirs", "restore no external directories")
    .addOption(repeatable("--include-db <name>", "restore this database (or OID), others empty"))
    .addOption(repeatable("--exclude-db <name>", "restore this database (or OID) empty"))
    .addOption(repeatable("--db-include <name>", "same as --include-db").hideHelp())
    .addOption(repeatable("--db-exclude <name>", "same as --exclude-db").hideHelp())
    .addOption(
      new Option("--recovery-target <target>", "end of the recovery: as soon as it is consistent")
        .choices(["immediate", "latest"]),
    )
    .option("--recovery-target-time <time>", "recover up to a time")
    .option("--recovery-target-xid <xid>", "recover up to a transaction")
    .option("--recovery-target-lsn <lsn>", "recover up to a place in the WAL")
    .option("--recovery-target-name <name>", "recover up to a restore point")
    .addOption(
      new Option("--recovery-target-inclusive <boolean>", "replay the target itself, too")
        .choices(["true", "false"]),
    )
    .option("--recovery-target-timeline <id>", "number, current or latest; default: current")
    .addOption(
      new Option("--recovery-target-action <action>", "what the server does then; default: pause")
        .choices(RECOVERY_ACTIONS),
    )
    .option("--restore-command <command>", "how WAL is fetched; default: from the catalog")
    .option("-R, --restore-as-replica", "make a standby")
    .option("--primary-conninfo <string>", "how the standby reaches its primary");
}

/**
 * The request that flags make.
 *
 * @throws {UsageError}
 */
export async function restoreRequest(target: string, flags: RestoreFlags): Promise<RestoreRequest> {
  const { owner } = flags;
  return {
    targetPath: absolutePath(target),
    threadCount: threadCountOf(flags),
    isIncremental: flags.incremental === true,
    force: flags.force === true,
    isValidating: flags.validate,
    isDurable: flags.sync,
    owner: owner === undefined ? undefined : (await import("./owner.ts")).parseOwner(owner),
    tablespaces: parseMapping(flags.tablespaceMapping, "--tablespace-mapping", PATH_OR_OID),
    externalDirectories: parseMapping(flags.externalMapping, "--external-mapping"),
    skipsExternalDirectories: flags.skipExternalDirs === true,
    databases: databaseChoice(flags),
    recovery: recoveryRequest(flags),
    archiveCommand: walGetCommand,
  };
}

/** How many threads are wanted. @throws {UsageError} */
export function threadCountOf({ threads }: Pick<RestoreFlags, "threads">): number {
  if (threads === undefined) return Math.min(navigator.hardwareConcurrency, THREADS_MAX);
  return wholeNumber(threads, "--threads", 1, THREADS_MAX);
}

function databaseChoice(flags: RestoreFlags): DatabaseChoice | undefined {
  const included = flags.includeDb ?? flags.dbInclude;
  const excluded = flags.excludeDb ?? flags.dbExclude;
  if (included !== undefined && excluded !== undefined) {
    throw new UsageError("Cannot use --include-db together with --exclude-db", {
      option: "--exclude-db",
    });
  }
  if (included !== undefined) return { isIncluding: true, names: included };
  return excluded === undefined ? undefined : { isIncluding: false, names: excluded };
}

function recoveryRequest(flags: RestoreFlags): RestoredRecovery | undefined {
  const { recoveryTargetInclusive: inclusive, restoreAsReplica, primaryConninfo } = flags;
  const target = recoveryTarget(flags);
  const others = {
    timeline: flags.recoveryTargetTimeline,
    action: flags.recoveryTargetAction,
    restoreCommand: flags.restoreCommand,
    isInclusive: inclusive === undefined ? undefined : inclusive === "true",
    standby: restoreAsReplica === true ? { primaryConninfo } : undefined,
  };
  if (primaryConninfo !== undefined && restoreAsReplica !== true) {
    throw new UsageError("Cannot use --primary-conninfo without --restore-as-replica", {
      option: "--primary-conninfo",
    });
  }
  const isAsked = target !== undefined ||
    Object.values(others).some((value) => value !== undefined);
  return isAsked ? { target, ...others } : undefined;
}

function recoveryTarget(flags: RestoreFlags): RecoveryTarget | undefined {
  const targets: (RecoveryTarget | undefined)[] = [
    flags.recoveryTarget && { type: flags.recoveryTarget },
    valued("time", flags.recoveryTargetTime),
    valued("xid", flags.recoveryTargetXid),
    valued("lsn", flags.recoveryTargetLsn),
    valued("name", flags.recoveryTargetName),
  ];
  const [target, ...more] = targets.filter((each) => each !== undefined);
  if (more.length === 0) return target;
  throw new UsageError("Cannot recover to several targets: a server takes one", {
    option: "--recovery-target",
  });
}

function valued(
  type: "time" | "xid" | "lsn" | "name",
  value: string | undefined,
): RecoveryTarget | undefined {
  return value === undefined ? undefined : { type, value };
}

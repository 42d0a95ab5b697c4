/**
 * The options of commands that start a server on a source.
 *
 * @module
 */

import type { Command } from "commander";
import { UsageError } from "#src/errors.ts";
import type { PostgresSettings, RecoveryTarget } from "#src/postgres/settings.ts";
import type {
  ClusterRequest,
  RecoveryChoice,
} from "#src/usecases/server_on_source/mounted_cluster.ts";
import { type CommandContext, wholeNumber } from "../command.ts";
import { ownMountCredentials } from "../sources/own_mount.ts";
import {
  addSourceOptions,
  SOURCE_ENVIRONMENT,
  type SourceOptions,
} from "../sources/source_options.ts";
import { parseSetting } from "./mount_options.ts";
import { NO_LOCK } from "./chain_lock.ts";

/** Values of {@link addClusterOptions}. */
export interface ClusterOptions extends SourceOptions {
  readonly dataDir?: string;
  readonly pgBin?: string;
  readonly workDir?: string;
  readonly keepDiff?: string;
  /** False with `--no-lock`. */
  readonly lock: boolean;
  readonly config?: readonly string[];
  readonly startTimeout?: string;
  readonly recoveryTarget?: "immediate" | "latest";
  readonly recoveryTargetTime?: string;
  readonly recoveryTargetXid?: string;
  readonly recoveryTargetLsn?: string;
  readonly recoveryTargetName?: string;
  readonly recoveryTargetTimeline?: string;
  readonly recoveryTargetInclusive?: "true" | "false";
}

const SECONDS_MAX = 7 * 86_400;

/** Environment variables of such commands, for their help. */
export const CLUSTER_ENVIRONMENT: Readonly<Record<string, string>> = {
  ...SOURCE_ENVIRONMENT,
  PATH: "where programs of PostgreSQL are searched besides the usual places",
};

/** Adds what says how a server is started on a source. */
export function addClusterOptions(command: Command): Command {
  return addSourceOptions(command)
    .option("--data-dir <path>", "the data directory inside of the source, where that is more")
    .option("--pg-bin <dir>", "directory of the server's programs; else the usual places, and PATH")
    .option("--work-dir <dir>", "where mount, changes and socket are meanwhile (default: /var/tmp)")
    .option(...NO_LOCK)
    .option("--keep-diff <dir>", "keep the changes in this diff directory")
    .option(
      "--config <key=value>",
      "setting of the server; repeatable",
      (value, former: readonly string[] = []) => [...former, value],
    )
    .option("--start-timeout <seconds>", "give up when recovery takes longer (default: never)")
    .option("--recovery-target <target>", "immediate: to the end of the backup; latest: of the WAL")
    .option("--recovery-target-time <time>", "recover from the WAL archive up to this time")
    .option("--recovery-target-xid <xid>", "up to this transaction")
    .option("--recovery-target-lsn <lsn>", "up to this place in the WAL")
    .option("--recovery-target-name <name>", "up to this restore point")
    .option("--recovery-target-timeline <timeline>", "along this timeline (default: latest)")
    .option("--recovery-target-inclusive <boolean>", "with what stands at the target, or without");
}

/** What the options ask for. @throws {UsageError} */
export function parseClusterRequest(
  source: string,
  options: ClusterOptions,
  context: CommandContext,
): ClusterRequest {
  const { startTimeout } = options;
  return {
    source,
    credentials: ownMountCredentials(options, context),
    lock: options.lock,
    dataDirectory: options.dataDir,
    binDirectory: options.pgBin,
    programPath: context.environment("PATH"),
    workPath: options.workDir,
    keepDiffPath: options.keepDiff,
    settings: parseSettings(options.config ?? []),
    startTimeoutMs: startTimeout === undefined
      ? undefined
      : 1000 * wholeNumber(startTimeout, "--start-timeout", 1, SECONDS_MAX),
    recovery: parseRecovery(options),
  };
}

function parseSettings(words: readonly string[]): PostgresSettings {
  return Object.fromEntries(
    words.map(parseSetting).map(({ key, value }) => [key.toLowerCase(), value]),
  );
}

function parseRecovery(options: ClusterOptions): RecoveryChoice | undefined {
  const targets = [...findTargets(options)];
  if (targets.length > 1) {
    throw new UsageError("Recovery has one target: give one of the --recovery-target options", {
      option: "--recovery-target",
    });
  }
  const [target] = targets;
  if (target === undefined) return undefined;
  const { recoveryTargetTimeline: timeline, recoveryTargetInclusive = "true" } = options;
  if (recoveryTargetInclusive !== "true" && recoveryTargetInclusive !== "false") {
    throw new UsageError(
      `Cannot use "${recoveryTargetInclusive}" for --recovery-target-inclusive: true or false`,
      { option: "--recovery-target-inclusive" },
    );
  }
  return { target, timeline, inclusive: recoveryTargetInclusive === "true" };
}

function* findTargets(options: ClusterOptions): Generator<RecoveryTarget> {
  const { recoveryTarget } = options;
  if (recoveryTarget === "immediate" || recoveryTarget === "latest") {
    yield { type: recoveryTarget };
  } else if (recoveryTarget !== undefined) {
    throw new UsageError(
      `Cannot use "${recoveryTarget}" for --recovery-target: immediate or latest`,
      { option: "--recovery-target" },
    );
  }
  const values = {
    time: options.recoveryTargetTime,
    xid: options.recoveryTargetXid,
    lsn: options.recoveryTargetLsn,
    name: options.recoveryTargetName,
  };
  for (const [type, value] of Object.entries(values)) {
    if (value !== undefined) yield { type: type as keyof typeof values, value };
  }
}

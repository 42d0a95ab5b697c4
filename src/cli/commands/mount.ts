/**
 * `pbkfs mount`: mounts a source, read-only or over a diff directory, in the background unless told
 * otherwise.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import { addCatalogOptions, type CommandModule, formatOption } from "../command.ts";
import { addHelpNotes } from "../help.ts";
import { MOUNT_USES } from "../mounting/mount_uses.ts";
import { addIoTimeout } from "../options/io_timeout.ts";
import { addLogOptions } from "../options/log_options.ts";
import type { MountCommandOptions } from "../options/mount_options.ts";
import {
  addSourceOptions,
  SOURCE_ARGUMENT,
  SOURCE_ENVIRONMENT,
} from "../sources/source_options.ts";
import { NO_LOCK } from "../options/chain_lock.ts";

const SECONDS_MAX = 86_400;

/** The command. */
export const mountCommand: CommandModule<MountCommandOptions> = {
  uses: MOUNT_USES,

  describe() {
    const command = new Command("mount")
      .description(
        "Mount a backup, archive, snapshot or directory: read-only, or writable with a --diff-dir",
      )
      .usage(
        "[options] SOURCE MOUNTPOINT\n" +
          "pbkfs mount [options] -d DIFF MOUNTPOINT\n" +
          "pbkfs mount [options] --branch-of DIFF -d NEW MOUNTPOINT\n" +
          "pbkfs mount [options] -B STORE -I NAME -i ID -D MOUNTPOINT -d DIFF",
      )
      .argument("[source]", `${SOURCE_ARGUMENT}; not needed for a diff directory mounted before`)
      .argument("[mountpoint]", "an existing, empty directory");
    addCatalogOptions(command)
      .option("-D, --mnt-path <path>", "mount point: an existing, empty directory")
      .option("-d, --diff-dir <path>", "diff directory for all that is written; made when missing")
      .option("--branch-of <diff>", "mount a branch of that diff directory, which stays as it is")
      .option("-I, --instance <name>", "instance; not needed for a diff directory mounted before")
      .option("-i, --backup-id <id>", "backup; not needed for a diff directory mounted before")
      .option(
        "--force",
        "mount a damaged chain, a diff with lost writes, or over a backup merged since",
      )
      .option("--console", "stay in the foreground and log to standard error")
      .option("--wait", "return when the mount answers or has failed")
      .option("--timeout <seconds>", "return after this time; the mount goes on in the background")
      .option("--perf-unsafe", "skip fsync until the unmount; a crash may lose writes")
      .option("--no-wal", "keep writes to pg_wal only while mounted; the diff cannot be reused")
      .option(...NO_LOCK);
    addLogOptions(command, "default is .pbkfs/pbkfs.log in the mount")
      .option("--allow-other", "let other users enter (default for root)")
      .option("--no-allow-other", "let only the mounting user enter (default for others)")
      .option("--owner <user[:group]>", "owner of the files; default is the backup's, for root")
      .option("--config <key=value>", "server setting, added in the diff; repeatable", collect)
      .option("--relative-tablespaces", "links to tablespaces that hold inside of a container too")
      .option("--xattrs", "keep extended attributes, now and in later mounts; slows servers down")
      .option(
        "--whole-copies <MiB>",
        "copy files whole when a server opens them, up to this total; 0: none (default: 1024)",
      )
      .option(
        "--hydrate [rate]",
        "copy all of the backup into the diff meanwhile, at that many bytes a second (=200M)",
      )
      .option("--workers <count>", "threads that answer the kernel; default is 2 to 4 by cores");
    addSourceOptions(addIoTimeout(command))
      .addOption(new Option("--handshake").hideHelp())
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        {
          text: "PostgreSQL on an archive of a snapshot, which stays as it is",
          line: "pbkfs mount /store#host/db1/latest/pgdata.pxar /mnt/pg -d /var/tmp/diff",
        },
        { text: "Look at a copy of a data directory", line: "pbkfs mount /srv/copy /mnt" },
        {
          text: "By flags: mount and wait until it answers",
          line: "pbkfs mount -B /backups -I main -i TOTXQL -D /mnt/pg -d /var/tmp/diff --wait",
        },
        {
          text: "Mount the same diff directory again",
          line: "pbkfs mount -d /var/tmp/diff /mnt/pg",
        },
        {
          text: "A thin clone of what was written to a diff directory",
          line: "pbkfs mount --branch-of /var/tmp/diff -d /var/tmp/clone /mnt/clone",
        },
        {
          text: "Production from a backup: used at once, and meanwhile copied into the diff",
          line: "pbkfs mount /backups#main/latest /mnt/pg -d /var/lib/pg-diff --hydrate=200M",
        },
        {
          text: "A backup without its own WAL: recover from the archive",
          line: "pbkfs mount … --config restore_command='cp /backups/wal/main/%f %p'",
        },
      ],
      environment: {
        ...SOURCE_ENVIRONMENT,
        BACKUP_PATH: "backup catalog where -B is not given; else that of the mount before",
        PBKFS_FS_WORKERS: "number of threads where --workers is not given",
        PBKFS_LOG: "log level: trace, debug, info, warn or error",
        PBKFS_MATERIALIZE_ON_READ: "true: keep blocks that were read in the diff directory",
      },
      exitStatus: {
        0: "The mount answers; without --wait or --timeout also: all checks passed, it is being made.",
        1: "Failure, or --timeout has passed; the reason is on standard error.",
      },
    });
  },

  async run(options, context) {
    const { parseMountRequest } = await import("../options/mount_options.ts");
    const { planMount } = await import("../mounting/named_mount.ts");
    const { reportMount, runMountPlan } = await import("../mounting/mount_run.ts");
    const timeoutMs = options.timeout === undefined ? undefined : parseTimeoutMs(options.timeout);
    const plan = await planMount(parseMountRequest(options, context), options, context);
    const waitsForMount = options.args.length > 0 || options.wait === true ||
      timeoutMs !== undefined;
    const launch = { ...plan.launch, waitsForMount, timeoutMs };
    return reportMount(await runMountPlan({ ...plan, launch }, options, context), options, context);
  },
};

function parseTimeoutMs(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/u.test(text) && seconds <= SECONDS_MAX) return seconds * 1000;
  throw new UsageError(
    `Cannot use "${text}" for --timeout: it is not a number of seconds up to ${SECONDS_MAX}`,
    { option: "--timeout" },
  );
}

function collect(value: string, former: readonly string[] = []): string[] {
  return [...former, value];
}

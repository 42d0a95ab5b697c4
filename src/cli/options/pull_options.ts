/**
 * What a `pbkfs pbs pull` asks for besides what a backup does: how the client is reached.
 *
 * @module
 */

import type { Command } from "commander";
import { wholeNumber } from "../command.ts";
import { addBackupOptions, type BackupCommandOptions } from "./backup_options.ts";

/** Values of {@link addPullOptions}. */
export interface PullCommandOptions extends BackupCommandOptions {
  readonly sshCommand?: string;
  readonly remoteProgram?: string;
  readonly identity?: string;
  readonly clientFingerprint?: string;
  readonly compress?: boolean;
  readonly clientTimeout?: string;
  readonly retry?: string;
  readonly before?: string;
  readonly after?: string;
}

const RETRY_MAX = 1000;
const SECONDS_MAX = 86_400;

/** Adds all options of a backup, and those of the way to the client. */
export function addPullOptions(command: Command): Command {
  return addBackupOptions(command)
    .option("--ssh-command <command>", "command line instead of ssh, such as 'ssh -i key'")
    .option(
      "--remote-program <command>",
      "what starts this program on the client, such as 'sudo pbkfs'; default is pbkfs",
    )
    .option("--identity <file>", "certificate and key of this host, for agent://")
    .option("--client-fingerprint <sha256>", "fingerprint of the client's certificate")
    .option("--compress", "pack contents on the way, for slow networks")
    .option(
      "--client-timeout <seconds>",
      "give up a client that is silent so long; default is 60, and 300 where it is busy",
    )
    .option("--retry <count>", "attempts after the connection was lost; default is 0")
    .option("--before <command>", "let the client run a command first; it must allow that")
    .option("--after <command>", "let the client run a command in the end");
}

/** Silence and attempts. @throws {UsageError} */
export function pullPatience({ clientTimeout, retry }: PullCommandOptions) {
  return {
    silenceMaxMs: clientTimeout === undefined
      ? undefined
      : 1000 * wholeNumber(clientTimeout, "--client-timeout", 1, SECONDS_MAX),
    retries: retry === undefined ? 0 : wholeNumber(retry, "--retry", 0, RETRY_MAX),
  };
}

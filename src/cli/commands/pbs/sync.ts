/**
 * `pbkfs pbs sync`: copies snapshots from one datastore to another.
 *
 * @module
 */

import { Command } from "commander";
import { parseGroup, parseNamespace, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import type { CopyableStore } from "#src/pbs/sync/ports.ts";
import { UsageError } from "#src/errors.ts";
import { parseRepository } from "#src/pbs/client/repository.ts";
import { type CommandContext, type CommandModule, wholeNumber } from "../../command.ts";
import { withEither } from "../../datastore/store.ts";
import { isServer, SERVER_PASSWORD_PROGRAM } from "../../datastore/store_uses.ts";
import { addHelpNotes } from "../../help.ts";
import { collect } from "../../options/archive_options.ts";
import { addServerOptions, SERVER_ENVIRONMENT, type ServerFlags } from "../../options/server.ts";
import type { ConditionalUse } from "../../permissions.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";

interface SyncCommandOptions extends FormatChoice, ServerFlags {
  readonly args: readonly string[];
  readonly ns?: string;
  readonly group?: readonly string[];
  readonly last?: string;
  readonly removeVanished?: boolean;
  readonly encryptedOnly?: boolean;
  readonly verifiedOnly?: boolean;
  readonly dryRun?: boolean;
}

const LAST_MAX = 1_000_000;

/** A thread for each server: there may be two. */
const SERVERS: ConditionalUse[] = ["source", "target"].map((name, place) => ({
  use: "network thread",
  when: `the ${name} is on a server`,
  holds: ({ args }) => isServer(args[place]),
}));

/** The command. */
export const syncCommand: CommandModule<SyncCommandOptions> = {
  uses: ["read", "ffi", "env", ...SERVERS, SERVER_PASSWORD_PROGRAM],

  describe() {
    const command = new Command("sync")
      .description("Copy the snapshots that another datastore does not have, as they are stored")
      .argument("<source>", "repository to copy from: dir:/path, or one of a server")
      .argument("<target>", "repository to copy to")
      .option("--ns <namespace>", "this namespace and all below it; default: all")
      .option("--group <group>", "this group, in whichever namespace; repeatable", collect)
      .option("--last <count>", "so many of the last snapshots of each group")
      .option("--remove-vanished", "remove what is not in the source, unless it is protected")
      .option("--encrypted-only", "only snapshots that are encrypted")
      .option("--verified-only", "only snapshots whose last verification found no damage")
      .option("--dry-run", "change nothing, tell what would be done");
    return addHelpNotes(addFormatOptions(addServerOptions(command)), {
      examples: [
        { text: "To another disk", line: "pbkfs pbs sync dir:/srv/store dir:/mnt/usb/store" },
        {
          text: "Encrypted backups of one host to a server, the last three",
          line: "pbkfs pbs sync dir:/srv/store me@pbs@offsite.example:main --group host/db1 " +
            "--encrypted-only --last 3",
        },
        {
          text: "What would be removed from a mirror",
          line: "pbkfs pbs sync dir:/srv/store dir:/mnt/mirror --remove-vanished --dry-run",
        },
      ],
      environment: { ...SERVER_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
      exitStatus: { 1: "Failure, or not everything could be copied: the rest is." },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [from, to] = options.args;
    const sync = {
      namespace: options.ns === undefined ? ROOT_NAMESPACE : parseNamespace(options.ns),
      groups: options.group?.map((name) => parseGroup(name, ROOT_NAMESPACE)),
      last: options.last === undefined
        ? undefined
        : wholeNumber(options.last, "--last", 1, LAST_MAX),
      removesVanished: options.removeVanished === true,
      isEncryptedOnly: options.encryptedOnly === true,
      isVerifiedOnly: options.verifiedOnly === true,
      isDryRun: options.dryRun === true,
    };
    refuseSameServer(from!, to!);
    const access = sync.isDryRun ? "read" : "write";
    const { runSync } = await import("../../jobs/sync_job.ts");
    const { terminal } = context;
    await withCopyable(from!, options, context, "read", async (source) => {
      await withCopyable(to!, options, context, access, (target) => {
        runSync({ source, target, sync, terminal, output });
      });
    });
    return 0;
  },
};

async function withCopyable(
  repository: string,
  options: SyncCommandOptions,
  context: CommandContext,
  access: "read" | "write",
  use: (store: CopyableStore) => void | Promise<void>,
): Promise<void> {
  const place = { ...options, repository };
  await withEither(place, context, access, { local: use, remote: use });
}

/** A directory that is the same is noticed when it is open. */
function refuseSameServer(from: string, to: string): void {
  const [one, other] = [from, to].map(parseRepository);
  if (one?.kind !== "server" || other?.kind !== "server") return;
  if (one.host === other.host && one.port === other.port && one.store === other.store) {
    throw new UsageError(`Cannot sync "${from}" with itself`, { option: "target" });
  }
}

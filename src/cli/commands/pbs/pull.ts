/**
 * `pbkfs pbs pull`: directories of another host into a snapshot.
 *
 * @module
 */

import { Command } from "commander";
import { parsePullSources, type PullSources } from "#src/usecases/pull/pull_source.ts";
import type { PullRequest } from "#src/usecases/pull/run_pull.ts";
import { makeFirstKey } from "#src/net/tls/first_key.ts";
import type { StoreAddress } from "#src/pbs/store_address.ts";
import type { CommandContext, CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { backupRequest } from "../../options/backup_options.ts";
import {
  addPullOptions,
  type PullCommandOptions,
  pullPatience,
} from "../../options/pull_options.ts";
import { defaultKeys, planBackupKeys } from "../../keys/key_choice.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../output/output.ts";
import { repositoryOf } from "../../options/repository.ts";
import { BACKUP_NOTES, warnOfFuture } from "../../datastore/backup_command.ts";
import { namespaceOf } from "../../datastore/store.ts";
import { ENCRYPTED_STORE_USES } from "../../datastore/store_uses.ts";

interface PullFlags extends PullCommandOptions, FormatChoice {}

/** The command. */
export const pullCommand: CommandModule<PullFlags> = {
  uses: [
    ...ENCRYPTED_STORE_USES,
    {
      use: "run",
      when: "a directory is named by `ssh://`",
      holds: ({ args }) => args.some((text) => /(^|:)ssh:\/\//u.test(text)),
    },
    {
      use: "net",
      when: "a directory is named by `agent://`",
      holds: ({ args }) => args.some((text) => /(^|:)agent:\/\//u.test(text)),
    },
  ],

  describe() {
    const command = new Command("pull")
      .description("Back up directories of another host, which only answers, as one snapshot")
      .argument(
        "<source...>",
        "[NAME.pxar:]ssh://[user@]host[:port]/directory, or [NAME.pxar:]agent://host[:port]/directory",
      );
    return addHelpNotes(addFormatOptions(addPullOptions(command)), {
      examples: [
        {
          text: "A directory of a host that ssh reaches, and that has pbkfs",
          line: "pbkfs pbs pull ssh://backup@db1/var/lib/app --repository dir:/srv/store",
        },
        {
          text:
            "Two directories of a host where pbkfs agent listens; only what has changed is read",
          line: "pbkfs pbs pull etc.pxar:agent://db1/etc app.pxar:agent://db1/srv/app " +
            "--identity pull.pem --client-fingerprint 7a:19:… --change-detection-mode metadata",
        },
        {
          text: "Once more when the connection is lost",
          line: "pbkfs pbs pull ssh://db1/srv --retry 3 --repository dir:/srv/store",
        },
      ],
      ...BACKUP_NOTES,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readHostName } = await import("../../options/host_name.ts");
    const sources = parsePullSources(options.args);
    const backup = backupRequest(
      options,
      sources.specs,
      namespaceOf(options, context),
      () => sources.backupId ?? readHostName(),
    );
    repositoryOf(options, context);
    const patience = pullPatience(options);
    const plan = planBackupKeys(options, defaultKeys(context));
    warnOfFuture(backup, options, output);
    const keys = backup.isDryRun
      ? { mode: plan.mode, crypt: undefined, encryptedKey: undefined }
      : await (await import("../../keys/crypt.ts")).loadBackupKeys(plan, context, output);
    const { EndSignals } = await import("../../terminal/end_signals.ts");
    using end = new EndSignals();
    const { signal } = end;
    const request = { backup, keys, ...patience, isDryRun: backup.isDryRun, signal };
    await withStoreAddress(
      options,
      context,
      (store) =>
        pull(
          sources,
          { ...request, store, tellsPaths: backup.isVerbose },
          options,
          context,
          output,
        ),
    );
    return 0;
  },
};

/** Connects, pulls, and tells how it goes. */
async function pull(
  sources: PullSources,
  request: PullRequest,
  options: PullFlags,
  context: CommandContext,
  output: Output,
): Promise<void> {
  if (sources.places.some(({ kind }) => kind === "agent")) makeFirstKey();
  const { runPull } = await import("#src/usecases/pull/run_pull.ts");
  const { connectPullClient } = await import("#src/usecases/pull/pull_client.ts");
  const { readIdentity } = await import("#src/usecases/agent/identity.ts");
  const { reportBackup } = await import("../../jobs/backup_job.ts");
  const { PROGRAM_VERSION } = await import("#src/usecases/program_version.ts");
  const { sshCommand, remoteProgram, xattrs, identity, compress, before, after } = options;
  const certificate = identity === undefined ? undefined : readIdentity(identity);
  const way = {
    program: `pbkfs ${PROGRAM_VERSION}`,
    compress,
    timeoutMs: request.silenceMaxMs,
    signal: request.signal,
    ssh: {
      sshCommand,
      remoteProgram,
      xattrs,
      onMessage: (text: string) => context.terminal.err(text),
    },
    tls: { fingerprint: options.clientFingerprint, certificate },
  };
  const hooks = { before, after, onFailure: (message: string) => output.warning(message) };
  await reportBackup(
    request.tellsPaths === true,
    context.terminal,
    output,
    (callbacks) =>
      runPull(() => connectPullClient(sources.places, way, hooks), request, {
        ...callbacks,
        onRetry: ({ message }, delayMs) =>
          output.warning(`${message}; another attempt in ${Math.round(delayMs / 1000)} s`),
      }),
  );
}

/** Where the datastore is, as any thread opens it; logged in to where that is a server. */
async function withStoreAddress(
  options: PullFlags,
  context: CommandContext,
  use: (store: StoreAddress) => Promise<void>,
): Promise<void> {
  const repository = repositoryOf(options, context);
  if (repository.kind === "directory") {
    const { path } = repository;
    return await use({ kind: "directory", path, serverStore: options.serverStore });
  }
  const { withRemoteStore } = await import("../../datastore/remote_store.ts");
  const access = options.dryRun === true ? "read" : "write";
  await withRemoteStore(repository, options, context, access, (_, address) => use(address));
}

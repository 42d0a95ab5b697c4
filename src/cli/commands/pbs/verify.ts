/**
 * `pbkfs pbs verify`: looks for damage in snapshots.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, wholeNumber } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addKeyOptions, type KeyOptions } from "../../keys/key_choice.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import { KEY_PASSWORD_ENVIRONMENT } from "#src/usecases/keys/secrets.ts";
import {
  addStoreOptions,
  namespaceOf,
  parseTarget,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withEither,
} from "../../datastore/store.ts";
import { ENCRYPTED_STORE_USES } from "../../datastore/store_uses.ts";

interface VerifyOptions extends StoreOptions, FormatChoice, KeyOptions {
  readonly args: readonly string[];
  readonly ignoreVerified?: boolean;
  readonly outdatedAfter?: string;
  readonly readOnly?: boolean;
}

const DAYS_MAX = 100_000;
/** Nobody sits at a terminal for a nightly run: no default key asks for its password. */
const KEY_USE = "without, signatures are not checked, nor digests of encrypted chunks";

/** The command. */
export const verifyStoreCommand: CommandModule<VerifyOptions> = {
  uses: ENCRYPTED_STORE_USES,

  describe() {
    const command = new Command("verify")
      .description("Look for damage in snapshots; rename damaged chunks and save the results")
      .argument("[target]", "group or snapshot; default is the namespace and all below it")
      .option("--ignore-verified", "pass over snapshots that have a result (default for groups)")
      .option("--no-ignore-verified", "verify snapshots again (default for a single one)")
      .option("--outdated-after <days>", "verify again what has an older result")
      .option("--read-only", "change nothing: rename no chunks, save no results");
    return addHelpNotes(addFormatOptions(addKeyOptions(addStoreOptions(command), KEY_USE)), {
      examples: [
        { text: "What was not verified yet", line: "pbkfs pbs verify --repository dir:/srv/store" },
        {
          text: "Everything that was not verified this month",
          line: "pbkfs pbs verify --outdated-after 30",
        },
        { text: "One snapshot", line: "pbkfs pbs verify host/db1/2024-01-10T10:00:00Z" },
        {
          text: "Also the digests of encrypted chunks, and signatures",
          line: "pbkfs pbs verify host/db1 --keyfile backup.key",
        },
      ],
      environment: {
        ...STORE_ENVIRONMENT,
        ...KEY_PASSWORD_ENVIRONMENT,
        ...OUTPUT_ENVIRONMENT,
      },
      exitStatus: {
        1: "Something is damaged; what, is on standard output. Or the snapshot asked for is in use.",
      },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const ns = namespaceOf(options, context);
    const [name] = options.args;
    const target = name === undefined ? undefined : parseTarget(name, ns);
    const outdatedAfterDays = options.outdatedAfter === undefined
      ? undefined
      : wholeNumber(options.outdatedAfter, "--outdated-after", 0, DAYS_MAX);
    const { reportVerification, verifyOnServer } = await import("../../jobs/verify_job.ts");
    const { givenCryptConfig } = await import("../../keys/crypt.ts");
    const crypt = await givenCryptConfig(options, context);
    const access = options.readOnly === true ? "read" : "write";
    const scope = target ?? { kind: "namespace", namespace: ns, isRecursive: true } as const;
    const verifyOptions = {
      ignoreVerified: options.ignoreVerified,
      outdatedAfterDays,
      crypts: crypt && [crypt],
      storeName: options.serverStore,
    };
    const { terminal } = context;
    const isGood = await withEither(options, context, access, {
      local: (store) => reportVerification(store, scope, verifyOptions, terminal, output),
      remote: (store) => verifyOnServer(store, scope, verifyOptions, terminal, output),
    });
    return isGood ? 0 : 1;
  },
};

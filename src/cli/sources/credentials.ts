/**
 * Secrets for sources: from options, the environment, files, and whoever sits at the terminal.
 *
 * @module
 */

import type { Credentials } from "#src/sources/source.ts";
import type { CommandContext } from "../command.ts";
import type { LauncherSecrets } from "../mounting/launcher_secrets.ts";
import type { SourceOptions } from "./source_options.ts";

/** Credentials that remember what they found out, for another process that opens the same. */
export interface CommandCredentials extends Credentials {
  /** What has been asked for so far. */
  secrets(): LauncherSecrets;
}

/**
 * Credentials for one source. A key is unlocked, and somebody asked for a password, only when the
 * source needs that.
 *
 * @param known what another process has found out already: then nothing is looked for
 */
export function commandCredentials(
  options: SourceOptions,
  context: CommandContext,
  known?: LauncherSecrets,
): CommandCredentials {
  let found: LauncherSecrets = known ?? { key: undefined, login: undefined };
  return {
    secrets: () => found,

    async encryptionKey() {
      if (known !== undefined) return known.key;
      const { readCryptConfig } = await import("../keys/crypt.ts");
      const key = (await readCryptConfig(options, context))?.key;
      found = { ...found, key };
      return key;
    },

    async connectServer(server) {
      const { linkToServer, secretsOf } = await import("../datastore/server.ts");
      const { addressOf } = await import("../datastore/remote_store.ts");
      const { link, login } = await linkToServer(server, options, context, known?.login);
      found = { ...found, login: secretsOf(login) };
      return { address: addressOf(server, options, link), end: () => link.stop() };
    },
  };
}

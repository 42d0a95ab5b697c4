/**
 * Secrets for a source that a thread of this process mounts: that logs in to a server by itself.
 *
 * @module
 */

import type { Credentials } from "#src/sources/source.ts";
import type { CommandContext } from "../command.ts";
import { commandCredentials } from "./credentials.ts";
import type { SourceOptions } from "./source_options.ts";

/** As `commandCredentials()`, for such a thread. */
export function ownMountCredentials(options: SourceOptions, context: CommandContext): Credentials {
  const credentials = commandCredentials(options, context);
  return {
    encryptionKey: (fingerprint) => credentials.encryptionKey(fingerprint),

    async serverLogin({ host, port, authId }) {
      const { prepareLogin } = await import("#src/usecases/datastore/server_login.ts");
      const { serverOptionsOf } = await import("../options/server.ts");
      const { askPasswordOf } = await import("../datastore/server.ts");
      const [user, token] = authId.split("!") as [string, string?];
      const server = { kind: "server", user, token, host, port, store: "" } as const;
      const ask = () => askPasswordOf(server, context);
      return (await prepareLogin(server, serverOptionsOf(options), context, ask)).login;
    },
  };
}

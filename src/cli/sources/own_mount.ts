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

    /** Logs in for a moment: what is refused here, somebody at the terminal may answer. */
    async serverLogin({ host, port, authId }) {
      const { startNetworkThread } = await import("#src/usecases/threads.ts");
      const { linkToServer } = await import("../datastore/server.ts");
      const [user, token] = authId.split("!") as [string, string?];
      const server = { kind: "server", user, token, host, port, store: "" } as const;
      startNetworkThread();
      const { link, login } = await linkToServer(server, options, context);
      link.stop();
      return login;
    },
  };
}

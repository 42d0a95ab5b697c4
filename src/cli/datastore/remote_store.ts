/**
 * The datastore of a server that a command works with.
 *
 * @module
 */

import { RemoteStore } from "#src/pbs/client/remote_store.ts";
import type { ServerAddress } from "#src/pbs/store_address.ts";
import { formatRepository, type ServerRepository } from "#src/pbs/client/repository.ts";
import { authIdOf } from "#src/usecases/datastore/server_login.ts";
import type { NetworkLink } from "#src/pbs/client/network_link.ts";
import type { CommandContext } from "../command.ts";
import { type CacheFlags, cacheOf } from "../options/cache.ts";
import type { ServerFlags } from "../options/server.ts";
import { type LoginSecrets, withServer } from "./server.ts";

/**
 * Logs in, does something with the datastore and ends the connections. @throws as
 * {@link withServer}
 */
export async function withRemoteStore<Result>(
  repository: ServerRepository,
  options: ServerFlags & CacheFlags,
  context: CommandContext,
  access: "read" | "write",
  use: (
    store: RemoteStore,
    address: ServerAddress,
    secrets: LoginSecrets,
  ) => Result | Promise<Result>,
  known?: LoginSecrets,
): Promise<Result> {
  return await withServer(repository, options, context, (link, secrets) => {
    const address = addressOf(repository, options, link);
    return use(new RemoteStore({ ...address, link, access }), address, secrets);
  }, known);
}

/** The datastore behind a link to its server. */
export function addressOf(
  repository: ServerRepository,
  options: CacheFlags,
  link: NetworkLink,
): ServerAddress {
  return {
    kind: "server",
    name: formatRepository(repository),
    store: repository.store,
    authId: authIdOf(repository),
    mailbox: link.shared,
    cache: cacheOf(options),
  };
}

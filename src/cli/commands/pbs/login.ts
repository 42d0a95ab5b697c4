/**
 * `pbkfs pbs login` and `logout`: a ticket for the runs that follow.
 *
 * @module
 */

import { Command } from "commander";
import { StateError, UsageError } from "#src/errors.ts";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPlaceOptions, PLACE_ENVIRONMENT, type PlaceOptions } from "../../datastore/store.ts";
import { LOGIN_USES } from "../../datastore/store_uses.ts";
import {
  addRepositoryOptions,
  REPOSITORY_ENVIRONMENT,
  type RepositoryOptions,
  serverRepositoryOf,
} from "../../options/repository.ts";

const TICKET_ENVIRONMENT = { XDG_RUNTIME_DIR: "where tickets are kept" };

/** The command that logs in. */
export const loginCommand: CommandModule<PlaceOptions> = {
  uses: LOGIN_USES,

  describe() {
    const command = new Command("login")
      .description("Log in to a server, for the commands of the next two hours");
    return addHelpNotes(addPlaceOptions(command), {
      examples: [
        {
          text: "Be asked for the password once",
          line: "pbkfs pbs login --repository backup@pbs@pbs.example:main",
        },
      ],
      environment: { ...PLACE_ENVIRONMENT, ...TICKET_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const repository = serverRepositoryOf(options, context);
    if (repository.token !== undefined) {
      throw new UsageError("An API token does not log in: it needs no ticket", {
        option: "--repository",
      });
    }
    const { ticketCache } = await import("#src/usecases/datastore/server_places.ts");
    if (ticketCache(context) === undefined) throw noPlace();
    const { withServer } = await import("../../datastore/server.ts");
    await withServer(repository, options, context, () => {});
    return 0;
  },
};

/** The command that forgets the ticket. */
export const logoutCommand: CommandModule<RepositoryOptions> = {
  uses: ["read", "ffi", "env"],

  describe() {
    const command = new Command("logout")
      .description("Forget the ticket that a login has left on this machine");
    return addHelpNotes(addRepositoryOptions(command), {
      examples: [
        {
          text: "Leave nothing behind",
          line: "pbkfs pbs logout --repository backup@pbs@pbs.example:main",
        },
      ],
      environment: { ...REPOSITORY_ENVIRONMENT, ...TICKET_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const repository = serverRepositoryOf(options, context);
    const { ticketCache } = await import("#src/usecases/datastore/server_places.ts");
    const { authIdOf } = await import("#src/usecases/datastore/server_login.ts");
    const cache = ticketCache(context);
    if (cache === undefined) throw noPlace();
    cache.remove({ host: repository.host, authId: authIdOf(repository) });
    return 0;
  },
};

function noPlace(): StateError {
  return new StateError("not-found", "There is no place for tickets: XDG_RUNTIME_DIR is not set");
}

/**
 * `pbkfs pbs version`: what both ends are.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPlaceOptions, PLACE_ENVIRONMENT, type PlaceOptions } from "../../datastore/store.ts";
import { LOGIN_USES } from "../../datastore/store_uses.ts";
import { serverRepositoryOf } from "../../options/repository.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import { PROGRAM_VERSION } from "#src/usecases/program_version.ts";

/** The command. */
export const serverVersionCommand: CommandModule<PlaceOptions & FormatChoice> = {
  uses: LOGIN_USES,

  describe() {
    const command = new Command("version").description(
      "Show the versions of this client and of a server",
    );
    return addHelpNotes(addFormatOptions(addPlaceOptions(command)), {
      examples: [
        {
          text: "Whether a server is there, and what it is",
          line: "pbkfs pbs version --repository backup@pbs@pbs.example:main",
        },
      ],
      environment: { ...PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readServerVersion } = await import("#src/pbs/client/server_version.ts");
    const { withServer } = await import("../../datastore/server.ts");
    const repository = serverRepositoryOf(options, context);
    const server = await withServer(
      repository,
      options,
      context,
      (link) => readServerVersion(link, repository.host),
    );
    output.value(
      { client: { version: PROGRAM_VERSION }, server },
      () =>
        `client version: ${PROGRAM_VERSION}\nserver version: ${server.version}.${server.release}\n`,
    );
    return 0;
  },
};

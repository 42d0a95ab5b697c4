/**
 * `pbkfs pbs version`: what both ends are.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { LOGIN_USES } from "../../datastore/store_uses.ts";
import {
  addRepositoryOptions,
  REPOSITORY_ENVIRONMENT,
  type RepositoryOptions,
  serverRepositoryOf,
} from "../../options/repository.ts";
import { addServerOptions, SERVER_ENVIRONMENT, type ServerFlags } from "../../options/server.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import { PROGRAM_VERSION } from "#src/usecases/program_version.ts";

/** The command. */
export const serverVersionCommand: CommandModule<RepositoryOptions & ServerFlags & FormatChoice> = {
  uses: LOGIN_USES,

  describe() {
    const command = new Command("version").description(
      "Show the versions of this client and of a server",
    );
    return addHelpNotes(addFormatOptions(addServerOptions(addRepositoryOptions(command))), {
      examples: [
        {
          text: "Whether a server is there, and what it is",
          line: "pbkfs pbs version --repository backup@pbs@pbs.example:main",
        },
      ],
      environment: { ...REPOSITORY_ENVIRONMENT, ...SERVER_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { parseVersion } = await import("#src/pbs/client/rest_answers.ts");
    const { withServer } = await import("../../datastore/server.ts");
    const repository = serverRepositoryOf(options, context);
    const server = await withServer(
      repository,
      options,
      context,
      (link) => parseVersion(link.rest("GET", "version"), repository.host),
    );
    output.value(
      { client: { version: PROGRAM_VERSION }, server },
      () =>
        `client version: ${PROGRAM_VERSION}\nserver version: ${server.version}.${server.release}\n`,
    );
    return 0;
  },
};

/**
 * `pbkfs pbs serve`: serves datastores of this machine to clients of Proxmox Backup.
 *
 * @module
 */

import { Command } from "commander";
import {
  GRACE_DEFAULT,
  LISTEN_DEFAULT,
  STATE_DIR_DEFAULT,
} from "#src/usecases/server/server_settings.ts";
import type { ServeOptions } from "#src/usecases/server/server_settings.ts";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { collect } from "../../../options/archive_options.ts";
import { aclGroup } from "./acl.ts";
import { tokenGroup } from "./token.ts";
import { userGroup } from "./user.ts";

interface ServeCommandOptions extends ServeOptions {
  readonly config?: string;
}

/** The command, and those about its users. */
export const serveCommand: CommandModule<ServeCommandOptions> = {
  uses: ["read", "write", "ffi", "net"],

  groups: [userGroup, tokenGroup, aclGroup],

  describe() {
    const command = new Command("serve")
      .description("Serve datastores to clients of Proxmox Backup, over TLS")
      .option("--listen <host:port>", `where to listen; default is ${LISTEN_DEFAULT}`)
      .option("--datastore <name=/directory>", "what to serve; repeatable", collect)
      .option("--config <file>", "file with lines `option = value`, for any of these options")
      .option(
        "--state-dir <directory>",
        `folder of users, certificate and task logs; default is ${STATE_DIR_DEFAULT}`,
      )
      .option("--cert <file>", "certificate (PEM); default is one that is made at the first start")
      .option("--key <file>", "private key of the certificate (PEM)")
      .option("--metrics <host:port>", "where to serve /metrics for Prometheus, over plain HTTP")
      .option("--access-log <file>", "where to append requests to; default is standard output")
      .option(
        "--grace <seconds>",
        `how long backups may go on when the server is to end; default is ${GRACE_DEFAULT}`,
      );
    return addHelpNotes(command, {
      examples: [
        { text: "A user", line: "pbkfs pbs serve user add backup@pbs" },
        {
          text: "What he may do",
          line: "pbkfs pbs serve acl add /datastore/main backup@pbs backup",
        },
        {
          text: "The server, for other machines too",
          line: "pbkfs pbs serve --listen '[::]:8007' --datastore main=/srv/store",
        },
      ],
      exitStatus: { 0: "Ended by SIGTERM or SIGINT. SIGHUP makes it read the certificate again." },
    });
  },

  async run(options) {
    const { readServerOptions, serverSettings } = await import(
      "#src/usecases/server/server_settings.ts"
    );
    const { serve } = await import("#src/usecases/server/serve.ts");
    const { openAccessLog, writeNotice } = await import("#src/usecases/server/access_log.ts");
    const { config } = options;
    const file = config === undefined ? [] : [readServerOptions(config)];
    const settings = serverSettings(options, ...file);
    await serve(settings, {
      accessLine: openAccessLog(settings.accessLog),
      notice: (message) => writeNotice(`${message}\n`),
      onReady: ({ address, fingerprint, metricsAddress }) => {
        writeNotice(`listening on ${address}\nfingerprint: ${fingerprint}\n`);
        if (metricsAddress !== undefined) {
          writeNotice(`metrics on http://${metricsAddress}/metrics\n`);
        }
      },
    });
    return 0;
  },
};

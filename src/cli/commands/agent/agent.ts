/**
 * `pbkfs agent`: serves files of this host to a host that backs it up.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import { type CommandModule, required } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { collect } from "../../options/archive_options.ts";
import { identityGroup } from "./identity.ts";

interface AgentOptions {
  readonly stdio?: boolean;
  readonly listen?: string;
  readonly root?: readonly string[];
  readonly identity?: string;
  readonly peer?: readonly string[];
  readonly xattrs: boolean;
  readonly allowHooks?: boolean;
}

/** The command, and those about its certificate. */
export const agentCommand: CommandModule<AgentOptions> = {
  uses: [
    { use: "ffi", when: "`--no-xattrs` is not given", holds: ({ xattrs }) => xattrs !== false },
    {
      use: "read",
      when: "`--no-xattrs` or `--identity` is given",
      holds: ({ xattrs, identity }) => xattrs === false || identity !== undefined,
    },
    { use: "net", when: "`--listen` is given", holds: ({ listen }) => listen !== undefined },
    {
      use: "run",
      when: "`--allow-hooks` is given",
      holds: ({ allowHooks }) => allowHooks === true,
    },
  ],

  groups: [identityGroup],

  describe() {
    const command = new Command("agent")
      .description("Serve files of this host, read-only, to a host that backs it up")
      .addOption(
        new Option("--stdio", "serve over standard input and output; ssh starts it so")
          .conflicts(["listen", "identity", "peer"]),
      )
      .option("--listen <host:port>", "serve those who connect over TLS; needs --identity, --peer")
      .option("--root <directory>", "what is served, with all below; repeatable", collect)
      .option("--identity <file>", "certificate and key of this host (`agent identity create`)")
      .option(
        "--peer <fingerprint>",
        "certificate of a host that may connect; repeatable",
        collect,
      )
      .option("--no-xattrs", "read no extended attributes, ACLs and flags; call no C library")
      .option("--allow-hooks", "run the commands that who connects asks for");
    return addHelpNotes(command, {
      examples: [
        {
          text: "In authorized_keys of this host, for a key that can do nothing else",
          line: 'command="pbkfs agent --stdio --root /var/lib/app",restrict ssh-ed25519 AAAA…',
        },
        {
          text: "As a service",
          line: "pbkfs agent --listen '[::]:8017' --root /srv --identity /etc/pbkfs/agent.pem " +
            "--peer 7a:19:…",
        },
      ],
      exitStatus: { 0: "The other side has ended, or SIGTERM or SIGINT has come." },
    });
  },

  async run(options, { terminal }) {
    const { listen, root: roots = [], peer: peers = [], xattrs, allowHooks } = options;
    required(roots[0], "--root", "Name the directories that are served");
    // Without the C library, the runtime's permission to read is narrowed to the roots.
    const { serveOnStreams, listenOnNetwork } = xattrs
      ? await import("#src/usecases/agent/serve_files.ts").then((module) => ({
        serveOnStreams: module.serveStandardStreams,
        listenOnNetwork: module.listenForBackups,
      }))
      : await import("#src/usecases/agent/agent_thread.ts").then((module) => ({
        serveOnStreams: module.serveStandardStreamsConfined,
        listenOnNetwork: module.listenForBackupsConfined,
      }));
    const served = { roots, xattrs, allowsHooks: allowHooks };
    if (listen === undefined) {
      if (options.stdio !== true) {
        throw new UsageError("Either --stdio or --listen is needed", { option: "--stdio" });
      }
      if (Deno.stdin.isTerminal() || Deno.stdout.isTerminal()) {
        throw new UsageError("Standard input and output are a terminal", {
          option: "--stdio",
          hint: "A host that backs this one up starts this",
        });
      }
      await serveOnStreams(served);
      return 0;
    }
    const { parseListenAddress } = await import("#src/usecases/server/server_settings.ts");
    const { readIdentity } = await import("#src/usecases/agent/identity.ts");
    const path = required(options.identity, "--identity", "Name the file with its certificate");
    const end = new AbortController();
    Deno.addSignalListener("SIGTERM", () => end.abort());
    Deno.addSignalListener("SIGINT", () => end.abort());
    await listenOnNetwork({
      ...served,
      listen: parseListenAddress(listen, "--listen"),
      certificate: readIdentity(path),
      peers,
      signal: end.signal,
      onReady: ({ address, fingerprint }) =>
        terminal.err(`listening on ${address}\nfingerprint: ${fingerprint}\n`),
      onNotice: (message) => terminal.err(`${message}\n`),
    });
    return 0;
  },
};

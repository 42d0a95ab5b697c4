/**
 * `pbkfs agent identity`: certificates by which hosts know each other.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup, CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../output/output.ts";

interface IdentityOptions extends FormatChoice {
  readonly args: readonly string[];
}

const createCommand: CommandModule<IdentityOptions> = {
  uses: ["read", "write", "ffi", "env"],

  describe() {
    const command = new Command("create")
      .description("Make a certificate and its key, and tell its fingerprint")
      .argument("<file>", "file to make");
    return addHelpNotes(addFormatOptions(command), {
      examples: [{
        text: "Of this host",
        line: "pbkfs agent identity create /etc/pbkfs/agent.pem",
      }],
    });
  },

  async run(options, context) {
    const { createIdentity } = await import("#src/usecases/agent/identity.ts");
    const { nodeName } = await import("#src/pbs/task.ts");
    const [path] = options.args;
    const fingerprint = await createIdentity(path!, nodeName());
    const output = new Output(options, context);
    output.value({ type: "summary", path, fingerprint }, () => `${fingerprint}\n`);
    return 0;
  },
};

const showCommand: CommandModule<IdentityOptions> = {
  uses: ["read", "ffi", "env"],

  describe() {
    const command = new Command("show")
      .description("Tell the fingerprint of a certificate")
      .argument("<file>", "PEM file with the certificate");
    return addHelpNotes(addFormatOptions(command), {
      examples: [{
        text: "What the other host is to be told",
        line: "pbkfs agent identity show /etc/pbkfs/agent.pem",
      }],
    });
  },

  async run(options, context) {
    const { readIdentity } = await import("#src/usecases/agent/identity.ts");
    const { fingerprintOfPem } = await import("#src/net/tls/certificate.ts");
    const [path] = options.args;
    const fingerprint = await fingerprintOfPem(readIdentity(path!).certificate);
    const output = new Output(options, context);
    output.value({ type: "summary", path, fingerprint }, () => `${fingerprint}\n`);
    return 0;
  },
};

/** The commands. */
export const identityGroup: CommandGroup = {
  name: "identity",

  commands: [createCommand, showCommand],

  describe() {
    const command = new Command("identity")
      .description(
        "Certificates by which a host that listens and one that backs it up know each other",
      );
    return addHelpNotes(command, {
      examples: [{ text: "A new one", line: "pbkfs agent identity create /etc/pbkfs/agent.pem" }],
    });
  },
};

/**
 * A server of ssh on this machine that lets one key in.
 *
 * @module
 */

import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import type { TempDirectory } from "#tests/support/temp_directory.ts";

const PROGRAM = "/usr/sbin/sshd";
const TIMEOUT_MS = 30_000;

/** Why there is none; undefined where there can be one. */
export function whyNoSshd(): string | undefined {
  try {
    Deno.statSync(PROGRAM);
  } catch {
    return "openssh-server is not installed";
  }
  return Deno.uid() === 0 ? undefined : "a server of ssh needs root";
}

/** A running server. */
export class Sshd implements AsyncDisposable {
  readonly port: number;
  /** What reaches it: `ssh` with its key. */
  readonly sshCommand: string;
  readonly #server: RunningCommand;
  readonly #directory: string;
  readonly #publicKey: string;

  private constructor(server: RunningCommand, port: number, directory: string, key: string) {
    this.#server = server;
    this.port = port;
    this.#directory = directory;
    this.#publicKey = key;
    this.sshCommand = [
      "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR",
      `-o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -i ${directory}/key`,
    ].join(" ");
  }

  /** Starts one; its files are in a folder of the directory. */
  static async start(parent: TempDirectory): Promise<Sshd> {
    const directory = parent.join("ssh");
    Deno.mkdirSync(directory, { mode: 0o700 });
    Deno.mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    for (const name of ["host", "key"]) {
      const command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${directory}/${name}`];
      await runCommand(command, { timeoutMs: TIMEOUT_MS });
    }
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    Deno.writeTextFileSync(
      `${directory}/config`,
      [
        `Port ${port}`,
        "ListenAddress 127.0.0.1",
        `HostKey ${directory}/host`,
        `AuthorizedKeysFile ${directory}/authorized_keys`,
        "PidFile none",
        "UsePAM no",
        "StrictModes no",
        "PasswordAuthentication no",
        "PermitRootLogin yes",
        "",
      ].join("\n"),
    );
    const server = new RunningCommand([PROGRAM, "-D", "-e", "-f", `${directory}/config`]);
    await waitUntil(
      () => server.stderr.includes("Server listening"),
      TIMEOUT_MS,
      () => `sshd to listen: ${server.stderr}`,
    );
    const key = Deno.readTextFileSync(`${directory}/key.pub`).trim();
    const sshd = new Sshd(server, port, directory, key);
    sshd.allow("");
    return sshd;
  }

  /** Lets the key in with these options of `authorized_keys`, and only with these. */
  allow(options: string): void {
    const line = `${options} ${this.#publicKey}\n`.trimStart();
    Deno.writeTextFileSync(`${this.#directory}/authorized_keys`, line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.signalGroup("SIGTERM");
    await this.#server.wait(TIMEOUT_MS);
  }
}

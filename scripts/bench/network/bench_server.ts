/**
 * The embedded server over a datastore, and a local datastore beside it; commands for both.
 *
 * @module
 */

import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";

const TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 20_000;
const USER = "bench@pbs";
const TOKEN = `${USER}!bench`;
const STORE = "bench";

/** The two that are measured beside each other. */
export type Side = "server" | "local";

/** Both datastores are new and empty after {@link renew}. Whatever lies in its place is removed. */
export class BenchServer implements AsyncDisposable {
  readonly #state: string;
  #running: RunningCommand | undefined;
  #port = 0;
  #variables: readonly string[] = [];

  /** @param place a directory with room for everything that is measured */
  constructor(readonly program: string, readonly place: string) {
    this.#state = `${place}/state`;
  }

  /** Starts the server anew, by the same certificate, port and token. */
  async renew(): Promise<void> {
    await this.#stop();
    const stores = { server: `${this.place}/store-server`, local: `${this.place}/store-local` };
    for (const path of Object.values(stores)) {
      await this.#run(["rm", "-rf", path]);
      await this.#pbs("datastore", "create", path);
    }
    const secret = this.#variables.length === 0 ? await this.#addToken() : undefined;
    const listen = `127.0.0.1:${this.#port}`;
    const options = ["--datastore", `${STORE}=${stores.server}`, "--state-dir", this.#state];
    this.#running = new RunningCommand(
      [this.program, "pbs", "serve", "--listen", listen, ...options],
    );
    const running = this.#running;
    const banner = /listening on \S+:(\d+)\nfingerprint: (\S+)\n/;
    await waitUntil(() => banner.test(running.stderr), START_TIMEOUT_MS, () => running.stderr);
    const [, port, fingerprint] = banner.exec(running.stderr)!;
    this.#port = Number(port);
    if (secret !== undefined) {
      this.#variables = [
        `PBS_PASSWORD=${secret}`,
        `PBS_FINGERPRINT=${fingerprint}`,
        ...["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map((name) =>
          `${name}=${this.#state}`
        ),
      ];
    }
  }

  /** The command line of `pbkfs pbs …` with the server's datastore or the local one. */
  command(side: Side, ...args: string[]): string[] {
    const repository = side === "local"
      ? `dir:${this.place}/store-local`
      : `${TOKEN}@127.0.0.1:${this.#port}:${STORE}`;
    const variables = [...this.#variables, `PBS_REPOSITORY=${repository}`];
    return ["env", ...variables, this.program, "pbs", ...args];
  }

  /** Largest resident memory of the server since it was started. */
  async peakMebibytes(): Promise<number> {
    const status = await this.#run(["cat", `/proc/${this.#running!.pid}/status`]);
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.#run(["sh", "-c", 'rm -rf "$1"/*', "sh", this.place]);
  }

  async #addToken(): Promise<string> {
    const state = ["--state-dir", this.#state];
    await Deno.mkdir(this.#state, { mode: 0o700 });
    const password = `${this.#state}/password`;
    await Deno.writeTextFile(password, `${crypto.randomUUID()}\n`);
    await this.#pbs("serve", "user", "add", USER, "--password-file", password, ...state);
    const secret = await this.#pbs("serve", "token", "add", TOKEN, ...state);
    for (const who of [USER, TOKEN]) {
      await this.#pbs("serve", "acl", "add", `/datastore/${STORE}`, who, "admin", ...state);
    }
    return secret.trim();
  }

  async #stop(): Promise<void> {
    this.#running?.signalGroup("SIGTERM");
    await this.#running?.wait(TIMEOUT_MS);
    this.#running = undefined;
  }

  #pbs(...args: string[]): Promise<string> {
    return this.#run([this.program, "pbs", ...args]);
  }

  async #run(command: readonly string[]): Promise<string> {
    return (await runCommand(command, { timeoutMs: TIMEOUT_MS })).stdout;
  }
}

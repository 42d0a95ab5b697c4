/**
 * The real agent, listening over TLS, and a local datastore: commands that back a directory up by
 * a pull, and without.
 *
 * @module
 */

import { createIdentity } from "#src/usecases/agent/identity.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";

const TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 20_000;

/** See the head of the module. */
export class BenchAgent implements AsyncDisposable {
  readonly #program: string;
  readonly #place: string;
  #running: RunningCommand | undefined;
  #fingerprint = "";
  #port = 0;

  private constructor(program: string, place: string) {
    this.#program = program;
    this.#place = place;
  }

  /** @param place a directory below which all lies that is backed up, and the datastore */
  static async start(program: string, place: string): Promise<BenchAgent> {
    const agent = new BenchAgent(program, place);
    const peer = await createIdentity(`${place}/own.pem`, "bench");
    agent.#fingerprint = await createIdentity(`${place}/agent.pem`, "agent");
    const running = new RunningCommand([
      ...[program, "agent", "--listen", "127.0.0.1:0", "--root", place],
      ...["--identity", `${place}/agent.pem`, "--peer", peer],
    ]);
    agent.#running = running;
    const banner = /listening on \S+:(\d+)\n/;
    await waitUntil(() => banner.test(running.stderr), START_TIMEOUT_MS, () => running.stderr);
    agent.#port = Number(banner.exec(running.stderr)![1]);
    return agent;
  }

  /** Where it listens. */
  get port(): number {
    return this.#port;
  }

  /** An empty datastore. */
  async renewStore(): Promise<void> {
    await runCommand(["rm", "-rf", `${this.#place}/store`], { timeoutMs: TIMEOUT_MS });
    await runCommand([this.#program, "pbs", "datastore", "create", `${this.#place}/store`], {
      timeoutMs: TIMEOUT_MS,
    });
  }

  /** @param port where the agent, or a proxy before it, listens */
  pull(path: string, port: number, ...options: readonly string[]): string[] {
    return this.#pbs("pull", `root.pxar:agent://127.0.0.1:${port}${path}`, [
      ...["--identity", `${this.#place}/own.pem`, "--client-fingerprint", this.#fingerprint],
      ...options,
    ]);
  }

  /** The same without an agent. */
  backup(path: string, ...options: readonly string[]): string[] {
    return this.#pbs("backup", `root.pxar:${path}`, options);
  }

  /** Largest resident memory of the agent since it was started. */
  async peakMebibytes(): Promise<number> {
    // By a program: the runtime wants all permissions for that file of another process.
    const { stdout } = await runCommand(["cat", `/proc/${this.#running!.pid}/status`], {
      timeoutMs: TIMEOUT_MS,
    });
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(stdout)![1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running?.signalGroup("SIGTERM");
    await this.#running?.wait(TIMEOUT_MS);
    await runCommand(["sh", "-c", 'rm -rf "$1"/*', "sh", this.#place], { timeoutMs: TIMEOUT_MS });
  }

  #pbs(verb: string, archive: string, options: readonly string[]): string[] {
    const repository = `PBS_REPOSITORY=dir:${this.#place}/store`;
    // A group each: two backups of one cannot be of the same second.
    const id = ["--backup-id", verb];
    return ["env", repository, this.#program, "pbs", verb, archive, ...id, ...options];
  }
}

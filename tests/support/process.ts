/**
 * Running other programs: captured output, a limit on time, and nothing left behind.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What a finished program left. */
export interface CommandResult {
  /** Exit code; 128 + number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a program. */
export interface CommandOptions {
  /** After this time the program and all its children are killed, and the call throws. */
  readonly timeoutMs: number;
  /** Whether an exit code other than 0 throws; true unless told. */
  readonly check?: boolean;
  readonly stdin?: string | Uint8Array | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGKILL: 9, SIGTERM: 15, SIGINT: 2 };

/** A program that was started and runs on. It leads a process group of its own. */
export class RunningCommand {
  readonly #child: ChildProcess;
  readonly #stdout: Uint8Array[] = [];
  readonly #stderr: Uint8Array[] = [];
  readonly #name: string;
  /** Resolves when the program has ended and its output is read. */
  readonly ended: Promise<CommandResult>;

  constructor(
    command: readonly string[],
    options: Omit<CommandOptions, "timeoutMs" | "check"> & {
      /** Leaves standard input open for {@link write}. */
      readonly interactive?: boolean;
    } = {},
  ) {
    const [program, ...args] = command;
    if (program === undefined) throw new TypeError("Cannot run a command: it is empty");
    this.#name = command.join(" ");
    const hasInput = options.stdin !== undefined || options.interactive === true;
    this.#child = spawn(program, args, {
      detached: true,
      stdio: [hasInput ? "pipe" : "ignore", "pipe", "pipe"],
      cwd: options.cwd,
      ...(options.env === undefined ? {} : { env: { ...Deno.env.toObject(), ...options.env } }),
    });
    this.#child.stdout?.on("data", (part: Uint8Array) => this.#stdout.push(part));
    this.#child.stderr?.on("data", (part: Uint8Array) => this.#stderr.push(part));
    // A program that ends without reading its input is judged by its exit code.
    this.#child.stdin?.on("error", () => {});
    if (options.stdin !== undefined) this.#child.stdin?.end(options.stdin);
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code, signal) =>
        resolve({
          code: code ?? 128 + (SIGNAL_NUMBERS[signal ?? ""] ?? 0),
          stdout: this.stdout,
          stderr: this.stderr,
        }));
    });
  }

  /** Process id; undefined when the program could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What the program has printed so far. */
  get stdout(): string {
    return Buffer.concat(this.#stdout).toString("utf8");
  }

  /** What the program has said on standard error so far. */
  get stderr(): string {
    return Buffer.concat(this.#stderr).toString("utf8");
  }

  /** Sends text to standard input, which must have been left open. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Ends standard input. */
  closeInput(): void {
    this.#child.stdin?.end();
  }

  /** Sends a signal to the program and everything it started. */
  signalGroup(signal: Deno.Signal): void {
    if (this.pid === undefined) return;
    try {
      Deno.kill(-this.pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Waits for the end; at `timeoutMs` kills the whole group and throws with what was printed. */
  async wait(timeoutMs: number): Promise<CommandResult> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const expired = new Promise<"expired">((resolve) => {
      timer = setTimeout(() => resolve("expired"), timeoutMs);
    });
    try {
      const first = await Promise.race([this.ended, expired]);
      if (first !== "expired") return first;
      this.signalGroup("SIGKILL");
      throw new Error(
        `"${this.#name}" did not end within ${timeoutMs} ms\n${this.stdout}\n${this.stderr}`,
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Runs a program to its end. Throws when it fails (unless `check` is false) or takes too long. */
export async function runCommand(
  command: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const result = await new RunningCommand(command, options).wait(options.timeoutMs);
  if ((options.check ?? true) && result.code !== 0) {
    throw new Error(
      `"${command.join(" ")}" ended with ${result.code}\n${result.stdout}\n${result.stderr}`,
    );
  }
  return result;
}

const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** The command line that runs a module of this project in a new Deno process. */
export function denoRunCommand(
  permissions: readonly string[],
  module: string,
  args: readonly string[] = [],
): string[] {
  const flags = ["--quiet", "--no-prompt", "--cached-only", `--config=${CONFIG}`, ...permissions];
  return [Deno.execPath(), "run", ...flags, module, ...args];
}

/** Calls `probe` until it is true; throws with `describe()` after `timeoutMs`. */
export async function waitUntil(
  probe: () => boolean | Promise<boolean>,
  timeoutMs: number,
  describe: () => string,
  intervalMs = 50,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** Whether all these programs are installed. */
export function hasPrograms(...names: readonly string[]): boolean {
  const args = ["-c", 'for name; do command -v "$name" || exit; done', "sh", ...names];
  return new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).outputSync().success;
}

/**
 * Locks that another program holds: Python's, as a server takes them.
 *
 * @module
 */

import { runCommand, RunningCommand, waitUntil } from "./process.ts";

/** `classic`: fcntl(2) record lock of a process. `flock`: flock(2). */
export type ForeignLockKind = "classic" | "flock";

const PROGRAM = `
import fcntl, os, sys, time
kind, mode, path, hold_ms = sys.argv[1:]
fd = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
flags = (fcntl.LOCK_EX if mode == "exclusive" else fcntl.LOCK_SH) | fcntl.LOCK_NB
try:
    (fcntl.lockf if kind == "classic" else fcntl.flock)(fd, flags)
except OSError:
    print("taken", flush=True)
    sys.exit(3)
print("held", flush=True)
if hold_ms == "0":
    sys.exit(0)
if hold_ms == "-1":
    sys.stdin.read()
else:
    time.sleep(int(hold_ms) / 1000)
`;

const TIMEOUT_MS = 20_000;

/** A lock that another process holds. */
export class ForeignLock {
  readonly #command: RunningCommand;

  private constructor(command: RunningCommand) {
    this.#command = command;
  }

  /** Has another process take a lock until {@link release}, or for `holdMs`. */
  static async take(
    kind: ForeignLockKind,
    mode: "shared" | "exclusive",
    path: string,
    holdMs = -1,
  ): Promise<ForeignLock> {
    const args = ["python3", "-c", PROGRAM, kind, mode, path, String(holdMs)];
    const command = new RunningCommand(args, { interactive: true });
    await waitUntil(() => command.stdout.includes("\n"), TIMEOUT_MS, () => command.stderr);
    if (!command.stdout.includes("held")) throw new Error(`Cannot lock "${path}"`);
    return new ForeignLock(command);
  }

  /** Whether another process could take a lock now. */
  static async canTake(
    kind: ForeignLockKind,
    mode: "shared" | "exclusive",
    path: string,
  ): Promise<boolean> {
    const args = ["python3", "-c", PROGRAM, kind, mode, path, "0"];
    const { stdout } = await runCommand(args, { timeoutMs: TIMEOUT_MS, check: false });
    return stdout.includes("held");
  }

  /** Ends the other process. */
  async release(): Promise<void> {
    this.#command.closeInput();
    await this.#command.ended;
  }
}

/**
 * Runs the POSIX suite in a process of its own, so that the caller may be the one that serves the
 * mount.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";

const RUNNER = fileURLToPath(new URL("../posix/run.ts", import.meta.url));

// Networking is only for the case of a unix socket.
const PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env",
  "--allow-sys",
  "--allow-net",
];

/**
 * What is run on the directory: all cases, or those that change a lower tree (`lower_cases.ts`).
 */
export type PosixSelection = "all" | "lower" | "lower-without-links";

/** How a run went: how many cases passed, and the output for each that failed. */
export interface PosixOutcome {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly output: string;
}

/**
 * Runs the cases for read-only trees on `directory`, which must show what the file `manifest` says.
 */
export function runReadOnlySuite(
  directory: string,
  manifest: string,
  timeoutMs = 300_000,
): Promise<PosixOutcome> {
  return runCases(["--read-only", manifest, directory], timeoutMs);
}

/** Runs the suite on `directory`; see `tests/posix/run.ts`. Throws when the run itself breaks. */
export function runPosixSuite(
  directory: string,
  selection: PosixSelection = "all",
  timeoutMs = 300_000,
): Promise<PosixOutcome> {
  return runCases(selection === "all" ? [directory] : [`--${selection}`, directory], timeoutMs);
}

async function runCases(args: readonly string[], timeoutMs: number): Promise<PosixOutcome> {
  const command = denoRunCommand(PERMISSIONS, RUNNER, args);
  const { stdout, stderr } = await runCommand(command, { timeoutMs, check: false });
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (!last.startsWith("{")) throw new Error(`The POSIX suite broke off\n${stdout}\n${stderr}`);
  const summary = JSON.parse(last) as { passed: number; failed: string[] };
  const output = stdout.split("\n").filter((line) => !line.startsWith("ok ")).join("\n");
  return { ...summary, output };
}

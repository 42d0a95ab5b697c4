/**
 * Runs the program as a user would: as a process of its own, with an environment that has nothing
 * in it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** Main module of the program from source. */
export const MAIN_MODULE = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** All that `mount` is documented to need. */
export const MOUNT_PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-run",
  "--allow-env=BACKUP_PATH,PBKFS_FS_WORKERS,PBKFS_LOG,PBKFS_MATERIALIZE_ON_READ",
];

const PROGRAM_TIMEOUT_MS = 60_000;
// What the runtime itself needs to find its cache.
const KEPT_VARIABLES = ["PATH", "HOME", "DENO_DIR"];

/** What a finished run left. */
export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the program. */
export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly permissions?: readonly string[];
  /** Working directory. */
  readonly cwd?: string;
}

/** The program with arguments, not started yet. */
export function program(args: readonly string[], options: ProgramOptions = {}): Deno.Command {
  const kept = KEPT_VARIABLES.map((name) => [name, Deno.env.get(name)] as const)
    .filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--cached-only",
      ...options.permissions ?? MOUNT_PERMISSIONS,
      MAIN_MODULE,
      ...args,
    ],
    clearEnv: true,
    cwd: options.cwd,
    env: { ...Object.fromEntries(kept), ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(PROGRAM_TIMEOUT_MS),
  } as Deno.CommandOptions);
}

/** Runs the program to its end. */
export async function runProgram(
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { code, stdout, stderr } = await program(args, options).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

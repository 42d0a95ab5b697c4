/**
 * Runs `pbkfs pbs` from the sources, as a user would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { denoRunCommand, runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { MAIN_MODULE } from "../_program.ts";

/** Variables that the commands read. */
const VARIABLES = [
  "HOME",
  "PBS_ENCRYPTION_PASSWORD",
  "PBS_ENCRYPTION_PASSWORD_CMD",
  "PBS_ENCRYPTION_PASSWORD_FD",
  "PBS_ENCRYPTION_PASSWORD_FILE",
  "PBS_NAMESPACE",
  "PBS_REPOSITORY",
  "PROXMOX_OUTPUT_FORMAT",
  "PROXMOX_OUTPUT_NO_BORDER",
  "PROXMOX_OUTPUT_NO_HEADER",
  "XDG_CONFIG_HOME",
];

/** What commands that only read may do. */
export const READ_ONLY = ["--allow-read", `--allow-env=${VARIABLES.join(",")}`];

/** What all commands may do. */
export const ALL_PERMISSIONS = [...READ_ONLY, "--allow-write", "--allow-ffi", "--allow-run"];

const TIMEOUT_MS = 30_000;

/** What a finished run left. */
export interface PbsResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the program. */
export interface PbsOptions {
  readonly permissions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
}

/** Runs `pbkfs pbs`. Without `XDG_CONFIG_HOME` in `options.env` there are no default keys. */
export function pbs(args: readonly string[], options: PbsOptions = {}): Promise<PbsResult> {
  const { permissions = ALL_PERMISSIONS, env, stdin, cwd } = options;
  return runCommand(denoRunCommand(permissions, MAIN_MODULE, ["pbs", ...args]), {
    timeoutMs: TIMEOUT_MS,
    check: false,
    env: { XDG_CONFIG_HOME: "/nonexistent", TZ: "UTC", ...env },
    stdin,
    cwd,
  });
}

/**
 * Runs `pbkfs pbs`, which must succeed and say nothing on standard error. @returns standard output
 */
export async function mustPbs(
  args: readonly string[],
  options: PbsOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await pbs(args, options);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return stdout;
}

/** Runs `pbkfs pbs` on a terminal and types answers, each when its question was asked. */
export async function pbsOnTerminal(
  args: readonly string[],
  dialogue: readonly (readonly [question: string, answer: string])[],
  options: PbsOptions = {},
): Promise<PbsResult> {
  using directory = new TempDirectory("terminal");
  const words = denoRunCommand(options.permissions ?? ALL_PERMISSIONS, MAIN_MODULE, [
    "pbs",
    ...args,
  ]);
  const line = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const command = new RunningCommand(
    ["script", "-qec", line, directory.join("typescript")],
    {
      interactive: true,
      env: { XDG_CONFIG_HOME: "/nonexistent", TZ: "UTC", ...options.env },
      cwd: options.cwd,
    },
  );
  try {
    let place = 0;
    for (const [question, answer] of dialogue) {
      await waitUntil(
        () => command.stdout.indexOf(question, place) >= 0,
        TIMEOUT_MS,
        () => `the question "${question}"; there is:\n${command.stdout}`,
      );
      place = command.stdout.indexOf(question, place) + question.length;
      command.write(answer);
    }
    return await command.wait(TIMEOUT_MS);
  } finally {
    command.signalGroup("SIGKILL");
  }
}

/**
 * Runs `pbkfs pxar` from the sources, as a user would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { PXAR_FIXTURES } from "#tests/support/pxar_fixtures.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { MAIN_MODULE } from "./_program.ts";

/** What commands that only read may do. */
export const READ_ONLY = ["--allow-read"];

/** What commands that restore or archive everything may do. */
export const ALL_PERMISSIONS = ["--allow-read", "--allow-write", "--allow-ffi"];

const TIMEOUT_MS = 30_000;

/** What a finished run left. */
export interface PxarResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `pbkfs pxar`. */
export function pxar(
  args: readonly string[],
  permissions: readonly string[] = READ_ONLY,
): Promise<PxarResult> {
  const command = denoRunCommand(permissions, MAIN_MODULE, ["pxar", ...args]);
  return runCommand(command, { timeoutMs: TIMEOUT_MS, check: false });
}

/**
 * Runs `pbkfs pxar`, which must succeed and say nothing on standard error. @returns standard output
 */
export async function mustPxar(
  args: readonly string[],
  permissions: readonly string[] = READ_ONLY,
): Promise<string> {
  const { code, stdout, stderr } = await pxar(args, permissions);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return stdout;
}

/** Runs a shell command in which `$PXAR` is `pbkfs pxar`. */
export async function pxarShell(
  script: string,
  permissions: readonly string[] = READ_ONLY,
): Promise<PxarResult> {
  const words = [...denoRunCommand(permissions, MAIN_MODULE), "pxar"];
  return await runCommand(["sh", "-c", script], {
    timeoutMs: TIMEOUT_MS,
    check: false,
    env: { PXAR: words.join(" ") },
  });
}

/** Path of a golden archive. */
export function fixture(name: string): string {
  return join(PXAR_FIXTURES, name);
}

/**
 * Mounts of diff directories and of branches of these, by the program.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findMount } from "#src/mount/mod.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { type CommandOptions, runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { pbkfs } from "./_archive_mount.ts";

/** Diff directories and mount points by name; what is still mounted at the end is taken down. */
export class BranchScene implements AsyncDisposable {
  readonly home = new TempDirectory("branches");
  readonly #roots = new Set<string>();

  /** Path of a diff directory. */
  diff(name: string): string {
    return this.home.join(`${name}.diff`);
  }

  /** Path of a mount point, which is there. */
  root(name: string): string {
    const path = this.home.join(`${name}.mnt`);
    // What a killed worker leaves there cannot be looked at.
    if (!this.#roots.has(path)) Deno.mkdirSync(path);
    this.#roots.add(path);
    return path;
  }

  /** Arguments that mount a branch. */
  branchArguments(name: string, parent: string, options: readonly string[] = []): string[] {
    const place = ["-d", this.diff(name), this.root(name)];
    return ["mount", "--branch-of", this.diff(parent), ...place, ...options];
  }

  /** Mounts a branch, made when it is not there. @returns its mount point */
  async mountBranch(
    name: string,
    parent: string,
    options: readonly string[] = [],
  ): Promise<string> {
    await must(this.branchArguments(name, parent, options));
    return this.root(name);
  }

  /** Mounts a diff directory that was mounted before. @returns its mount point */
  async mountAgain(name: string, options: readonly string[] = []): Promise<string> {
    await must(["mount", "-d", this.diff(name), this.root(name), ...options]);
    return this.root(name);
  }

  /** Ends a mount cleanly. */
  async unmount(name: string): Promise<void> {
    await must(["unmount", "-D", this.root(name)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#roots) {
      // Waits for the worker, which writes to the diff until its end.
      if (findMount(path) !== undefined) await pbkfs(["unmount", "-D", path]);
      await runCommand(["umount", "-l", path], { timeoutMs: 10_000, check: false });
    }
    this.home[Symbol.dispose]();
  }
}

const TIMEOUT_MS = 60_000;

/**
 * Runs the program, which must succeed; a mount is waited for, however long it takes: who writes
 * below its place before it is there writes elsewhere. @returns what it printed
 */
export async function must(
  args: readonly string[],
  options: Pick<CommandOptions, "env"> = {},
): Promise<string> {
  const isMount = args[0] === "mount" && !args.includes("--wait");
  const command = pbkfsCommand(isMount ? [...args, "--wait"] : args);
  const { code, stdout, stderr } = await runCommand(command, {
    ...options,
    timeoutMs: TIMEOUT_MS,
    check: false,
  });
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Runs the program, which must refuse. */
export async function refuses(args: readonly string[], message: RegExp, code = 1): Promise<void> {
  const result = await pbkfs(args);
  assert.match(result.stderr, message);
  assert.equal(result.code, code, result.stderr);
}

/**
 * Mounts for tests. The serving process never touches its own mount: clients are child processes.
 *
 * @module
 */

import { type MountedFileSystem, mountFileSystem } from "#src/mount/mod.ts";
import type { MountFileSystemOptions } from "#src/mount/mount.ts";
import { type CommandResult, runCommand } from "#tests/support/process.ts";

const TIMEOUT_MS = 60_000;

/** A mount and what it said. */
export interface TestMount {
  readonly mount: MountedFileSystem;
  readonly path: string;
  /** Messages of failed requests and workers. */
  readonly failures: string[];
  /** Runs a shell script with the mount as its working directory. */
  sh(script: string): Promise<string>;
  /** As `sh`, for scripts that may fail. */
  try(script: string): Promise<CommandResult>;
}

const SETTLED_MS = 30;

/**
 * What was counted of the requests so far. A worker counts one after its answer: the caller may be
 * faster.
 */
export async function countedOperations(mount: MountedFileSystem) {
  for (let before = "";;) {
    const operations = mount.statistics.operations();
    const now = JSON.stringify(operations);
    if (now === before) return operations;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  }
}

/** URL of a worker module in this folder. */
export function workerModule(name: string): string {
  return new URL(name, import.meta.url).href;
}

/** Mounts on a fresh directory, runs `body` when all workers serve, unmounts and removes. */
export async function withMount(
  options: Partial<MountFileSystemOptions> & { workerUrl: string },
  body: (test: TestMount) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-mount-" });
  const failures: string[] = [];
  try {
    const mount = await mountFileSystem({
      mountPoint: path,
      fsname: "pbkfs-test",
      allowOther: false,
      description: undefined,
      onFailure: (message) => failures.push(message),
      ...options,
    });
    try {
      await mount.complete;
      const attempt = (script: string) =>
        runCommand(["sh", "-c", script], { timeoutMs: TIMEOUT_MS, check: false, cwd: path });
      await body({
        mount,
        path,
        failures,
        try: attempt,
        sh: async (script) => {
          const result = await attempt(script);
          if (result.code !== 0) throw new Error(`${script}: ${result.stderr}`);
          return result.stdout;
        },
      });
    } finally {
      await mount.unmount().catch(() => {});
    }
  } finally {
    await Deno.remove(path);
  }
}

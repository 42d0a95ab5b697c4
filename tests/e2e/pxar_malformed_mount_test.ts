/**
 * Mounts of malformed archives: what is expected of random access, and what time and memory that
 * may take beyond a mount of a sound archive.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { runCommand } from "#tests/support/process.ts";
import { malformedCases, PXAR_FIXTURES, type Verdict } from "#tests/support/pxar_fixtures.ts";
import { ArchiveMount } from "./_archive_mount.ts";

const TIMEOUT_MS = 15_000;
const TIME_MAX_MS = 1000;
const MEMORY_MAX_KIB = 64 << 10;
/** The machine is shared: time counts only when it was exceeded this often. */
const ATTEMPTS = 3;

const EMPTY_ARCHIVE = `${PXAR_FIXTURES}/empty.pxar`;
const READ_ALL = 'find "$1" -ls -type f -exec cat {} + > /dev/null';

/** Prints the memory that a command took at most, in KiB. */
const MEASURE = `import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)`;

/** How one mount went. */
interface MountRun {
  /** JSON error of a mount that was refused. */
  readonly refusal: string | undefined;
  /** Whether everything could be read. */
  readonly isReadable: boolean;
  readonly elapsedMs: number;
  readonly memoryKib: number;
}

/** Mounts, lists and reads everything. */
async function mountAndRead(archive: string): Promise<MountRun> {
  await using mount = new ArchiveMount();
  const start = performance.now();
  const { code, stdout, stderr } = await mount.mount(archive, ["--format", "json"]);
  if (code !== 0) {
    const elapsedMs = performance.now() - start;
    const memoryKib = await peakOf(["pxar", "mount", archive, mount.root, "--console"]);
    return { refusal: stderr, isReadable: false, elapsedMs, memoryKib };
  }
  const walk = await runCommand(["sh", "-c", READ_ALL, "sh", mount.root], {
    timeoutMs: TIMEOUT_MS,
    check: false,
  });
  const elapsedMs = performance.now() - start;
  const status = `/proc/${JSON.parse(stdout).pid}/status`;
  const { stdout: peak } = await mount.sh(
    `sed -n 's/VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' ${status}`,
  );
  return {
    refusal: undefined,
    isReadable: walk.code === 0,
    elapsedMs,
    memoryKib: Number(peak),
  };
}

/** Memory that a run of the program took at most, in KiB. */
async function peakOf(args: readonly string[]): Promise<number> {
  const command = ["python3", "-c", MEASURE, ...pbkfsCommand(args)];
  const { stdout } = await runCommand(command, { timeoutMs: TIMEOUT_MS });
  return Number(stdout);
}

function objectionTo(run: MountRun, verdict: Verdict, expectedClass: string): string | undefined {
  if (run.refusal !== undefined) {
    const isExpected = verdict !== "ok" && JSON.parse(run.refusal).code === expectedClass;
    return isExpected ? undefined : `not mounted: ${run.refusal}`;
  }
  if (run.isReadable) return verdict === "error" ? "no error" : undefined;
  return verdict === "ok" ? "unreadable" : undefined;
}

const cases = malformedCases();

Deno.test({
  name: "mounted malformed archives behave as random access must, in little time and memory",
  ignore: cases.length === 0,
  fn: async () => {
    const empty = await mountAndRead(EMPTY_ARCHIVE);
    assert.equal(empty.isReadable, true);
    const faults: string[] = [];
    for (const given of cases) {
      let run = await mountAndRead(given.path);
      for (let i = 1; i < ATTEMPTS && run.elapsedMs > empty.elapsedMs + TIME_MAX_MS; i++) {
        run = await mountAndRead(given.path);
      }
      const objections = [
        objectionTo(run, given.expect.random, given.class),
        run.elapsedMs > empty.elapsedMs + TIME_MAX_MS ? `took ${run.elapsedMs} ms` : undefined,
        run.memoryKib > empty.memoryKib + MEMORY_MAX_KIB ? `took ${run.memoryKib} KiB` : undefined,
      ];
      for (const objection of objections) {
        if (objection !== undefined) faults.push(`${given.name} (${given.class}): ${objection}`);
      }
    }
    assert.deepEqual(faults, []);
  },
});

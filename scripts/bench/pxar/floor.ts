/**
 * What the same work costs in C at least: it tells how much of a figure is the machine's.
 *
 * Left out where a compiler or libfuse3's headers are missing.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { median } from "../host.ts";
import type { PxarReport } from "./report.ts";
import { measureReads } from "../read_rates.ts";

const SOURCES = fileURLToPath(new URL("./floor/", import.meta.url));
const TIMEOUT_MS = 60_000;
const ROUNDS = 3;
const READ_AHEAD_KIB = 512;

const COMPILE = `gcc -O2 -pthread -o "$2/floor-copy" "$1/copy.c" &&
  gcc -O2 -o "$2/floor-mount" "$1/mount.c" $(pkg-config --cflags --libs fuse3)`;
/** As far as the kernel reads ahead on our mounts. */
const SET_READ_AHEAD =
  'echo "$2" >"/sys/class/bdi/$(mountpoint -d "$1")/read_ahead_kb" 2>/dev/null || true';

function sh(script: string, ...args: string[]) {
  return runCommand(["sh", "-c", script, "sh", ...args], { timeoutMs: TIMEOUT_MS, check: false });
}

/** The programs, compiled into a directory. */
export class Floor {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @returns undefined where they cannot be compiled */
  static async compile(directory: string): Promise<Floor | undefined> {
    const { code } = await sh(COMPILE, SOURCES, directory);
    return code === 0 ? new Floor(directory) : undefined;
  }

  /** Copies a file with one thread and with two. */
  async measureCopy(source: string, target: string, report: PxarReport): Promise<void> {
    for (const threads of [1, 2]) {
      const seconds: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        await sh('rm -f "$1" && sync', target);
        const command = [`${this.#directory}/floor-copy`, source, target, String(threads)];
        const { stdout } = await runCommand(command, { timeoutMs: TIMEOUT_MS });
        if (round > 0) seconds.push(Number(stdout));
      }
      const name = `C: copy of 1 GiB, ${threads === 1 ? "1 thread" : "2 threads"}`;
      report.add({ name, unit: "s", value: median(seconds) });
    }
    await sh('rm -f "$1"', target);
  }

  /** Asks for attributes of files on a mount that does no work. */
  async measureAttributes(
    hostFile: string,
    mountPath: string,
    lstatSeconds: () => Promise<number>,
    report: PxarReport,
  ): Promise<void> {
    const seconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await this.#onMount(hostFile, mountPath, async () => {
        seconds.push(await lstatSeconds());
      });
    }
    const name = "C: mounted: lstat of as many files, first time";
    report.add({ name, unit: "s", value: median(seconds) });
  }

  /** Reads of a file on a mount that only passes its bytes on. */
  async measureReads(hostFile: string, mountPath: string, report: PxarReport): Promise<void> {
    const rates: number[] = [];
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await this.#onMount(hostFile, mountPath, async () => {
        const { megabytesPerSecond } = await measureReads("sequential", `${mountPath}/large`, 1);
        rates.push(megabytesPerSecond / 1000);
      });
      await this.#onMount(hostFile, mountPath, async () => {
        const { readsPerSecond } = await measureReads("random", `${mountPath}/large`, 1);
        times.push(1e6 / readsPerSecond);
      });
    }
    const first = "first time";
    report.add({
      name: `C: mounted: sequential read, ${first}`,
      unit: "GB/s",
      value: median(rates),
    });
    report.add({
      name: `C: mounted: random read of 8 KiB, ${first}`,
      unit: "µs",
      value: median(times),
    });
  }

  async #onMount(hostFile: string, path: string, run: () => Promise<void>): Promise<void> {
    await Deno.mkdir(path, { recursive: true });
    const server = new RunningCommand([`${this.#directory}/floor-mount`, hostFile, path]);
    try {
      const isMounted = async () => (await sh('mountpoint -q "$1"', path)).code === 0;
      await waitUntil(isMounted, 5000, () => server.stderr);
      await sh(SET_READ_AHEAD, path, String(READ_AHEAD_KIB));
      await run();
    } finally {
      await sh('umount -l "$1"', path);
      await server.wait(TIMEOUT_MS);
    }
  }
}

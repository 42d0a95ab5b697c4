/**
 * Mounted archives: attributes, sequential and random reads.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { median } from "../host.ts";
import type { PxarReport } from "./report.ts";
import { measureReads } from "../read_rates.ts";

const COMMAND_TIMEOUT_MS = 60_000;
const ROUNDS = 3;
const LSTAT = fileURLToPath(new URL("./lstat.ts", import.meta.url));

/** An archive, mounted while it is in use. */
class MountedArchive {
  readonly #program: string;
  readonly path: string;

  private constructor(program: string, path: string) {
    this.#program = program;
    this.path = path;
  }

  static async mount(program: string, archive: string, path: string): Promise<MountedArchive> {
    await Deno.mkdir(path, { recursive: true });
    const command = [program, "pxar", "mount", archive, path];
    await runCommand(command, { timeoutMs: COMMAND_TIMEOUT_MS });
    return new MountedArchive(program, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand([this.#program, "unmount", "-D", this.path], {
      timeoutMs: COMMAND_TIMEOUT_MS,
    });
  }
}

/** Paths of all files below a directory, relative to it. */
export async function listFiles(directory: string): Promise<string[]> {
  const { stdout } = await runCommand(["find", directory, "-type", "f", "-printf", "%P\\n"], {
    timeoutMs: COMMAND_TIMEOUT_MS,
  });
  return stdout.trim().split("\n");
}

/** Seconds that lstat(2) of files below a directory takes. */
export async function lstatSeconds(directory: string, files: readonly string[]): Promise<number> {
  const { stdout } = await runCommand(denoRunCommand(["--allow-ffi", "--allow-read"], LSTAT), {
    timeoutMs: COMMAND_TIMEOUT_MS,
    stdin: files.map((file) => `${directory}/${file}`).join("\n"),
  });
  return JSON.parse(stdout).seconds;
}

/** Seconds of a walk that asks for all attributes, as `ls -lR` does. */
async function walkSeconds(directory: string): Promise<number> {
  const start = performance.now();
  await runCommand(["sh", "-c", 'exec find "$1" -size -1c >/dev/null', "sh", directory], {
    timeoutMs: COMMAND_TIMEOUT_MS,
  });
  return (performance.now() - start) / 1000;
}

/** Attributes of the files of an archive, by path and by walking, on a new mount each time. */
export async function benchmarkAttributes(
  program: string,
  archive: string,
  plain: string,
  mountPath: string,
  report: PxarReport,
): Promise<void> {
  const files = await listFiles(plain);
  const byPath: number[] = [];
  const again: number[] = [];
  const byWalk: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    {
      await using mount = await MountedArchive.mount(program, archive, mountPath);
      byPath.push(await lstatSeconds(mount.path, files));
      again.push(await lstatSeconds(mount.path, files));
    }
    await using mount = await MountedArchive.mount(program, archive, mountPath);
    byWalk.push(await walkSeconds(mount.path));
  }
  const plainSeconds = await lstatSeconds(plain, files);
  const count = files.length.toLocaleString("en-US");
  report.add({
    name: `mounted: lstat of ${count} files, first time`,
    unit: "s",
    value: median(byPath),
    yardstick: plainSeconds,
    target: "<= 0.1",
  });
  report.add({
    name: `mounted: lstat of ${count} files, again`,
    unit: "s",
    value: median(again),
    yardstick: plainSeconds,
  });
  report.add({
    name: `mounted: find through ${count} files, first time`,
    unit: "s",
    value: median(byWalk),
    yardstick: await walkSeconds(plain),
  });
}

/**
 * Reads of one large file: first and again one after the other, then in random order on a new
 * mount.
 */
export async function benchmarkMountedReads(
  program: string,
  archive: string,
  plain: string,
  mountPath: string,
  report: PxarReport,
): Promise<void> {
  const name = (await listFiles(plain))[0]!;
  const first: number[] = [];
  const again: number[] = [];
  const random: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    {
      await using mount = await MountedArchive.mount(program, archive, mountPath);
      const rate = async () =>
        (await measureReads("sequential", `${mount.path}/${name}`, 1)).megabytesPerSecond / 1000;
      first.push(await rate());
      again.push(await rate());
    }
    await using mount = await MountedArchive.mount(program, archive, mountPath);
    const { readsPerSecond } = await measureReads("random", `${mount.path}/${name}`, 1);
    random.push(1e6 / readsPerSecond);
  }
  const plainRate = (await measureReads("sequential", `${plain}/${name}`, 1)).megabytesPerSecond;
  const plainRandom = 1e6 / (await measureReads("random", `${plain}/${name}`, 1)).readsPerSecond;
  report.add({
    name: "mounted: sequential read, first time",
    unit: "GB/s",
    value: median(first),
    yardstick: plainRate / 1000,
    target: ">= 2",
  });
  report.add({
    name: "mounted: sequential read, again",
    unit: "GB/s",
    value: median(again),
    yardstick: plainRate / 1000,
  });
  report.add({
    name: "mounted: random read of 8 KiB, first time",
    unit: "µs",
    value: median(random),
    yardstick: plainRandom,
    target: "<= 20",
  });
}

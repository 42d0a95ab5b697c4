/**
 * Cost of one kernel request: the mount layer against the same file system in C on libfuse's own
 * loop, both hammered by four client processes. Left out where the C sources, a compiler or
 * libfuse3's headers are missing.
 *
 * @module
 */

import { mountFileSystem } from "#src/mount/mod.ts";
import { runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import type { TempDirectory } from "#tests/support/temp_directory.ts";
import type { ReferenceDescription } from "./reference_worker.ts";
import type { Report } from "../report.ts";

const SOURCES = new URL("../../../../shared/prototypes/fuse/", import.meta.url).pathname;
const CLIENTS = 4;
const SECONDS = 2;
const ROUNDS = 3;
const DATA_SIZE = 64 << 20;
const WORKLOADS = [["stat", "lookup + getattr"], ["rand", "8 KiB read"]] as const;

async function compile(place: TempDirectory): Promise<boolean> {
  // Direct I/O on both sides: cached pages would never become requests.
  const command = `cd "$1" &&
    sed -e 's/fi->keep_cache *= *keep/fi->direct_io = 1/' \\
      -e 's/"-ofsname=hello,allow_other"/"-ofsname=hello,allow_other,default_permissions"/' \\
      "$2/c_reference_fs.c" >reference.c &&
    grep -q 'direct_io = 1' reference.c &&
    gcc -O2 -w -o reference reference.c $(pkg-config --cflags --libs fuse3) &&
    gcc -O2 -w -o client "$2/client_bench.c"`;
  const { code } = await runCommand(["sh", "-c", command, "sh", place.path, SOURCES], {
    timeoutMs: 120_000,
    check: false,
  });
  return code === 0;
}

async function operationsPerSecond(client: string, mountPath: string, workload: string) {
  const { stdout } = await runCommand(
    [client, mountPath, workload, String(CLIENTS), String(SECONDS)],
    { timeoutMs: 60_000 },
  );
  return Number(/ops\/s=(\d+)/.exec(stdout)?.[1]);
}

async function isMounted(path: string): Promise<boolean> {
  const { code } = await runCommand(["mountpoint", "-q", path], { timeoutMs: 5000, check: false });
  return code === 0;
}

async function measureOurs(place: TempDirectory, dataPath: string): Promise<number[]> {
  const description: ReferenceDescription = { dataPath };
  const mounted = await mountFileSystem({
    mountPoint: place.join("ours"),
    fsname: "request-cost",
    allowOther: false,
    description,
    workerUrl: new URL("./reference_worker.ts", import.meta.url).href,
  });
  const rates = [];
  for (const [workload] of WORKLOADS) {
    rates.push(await operationsPerSecond(place.join("client"), mounted.mountPoint, workload));
  }
  await mounted.unmount();
  return rates;
}

async function measureReference(place: TempDirectory, dataPath: string): Promise<number[]> {
  const path = place.join("reference-mount");
  const server = new RunningCommand(
    [place.join("reference"), path, dataPath, "single", "buf", "0", "0", "0"],
  );
  await waitUntil(() => isMounted(path), 10_000, () => server.stderr);
  const rates = [];
  for (const [workload] of WORKLOADS) {
    rates.push(await operationsPerSecond(place.join("client"), path, workload));
  }
  await runCommand(["umount", path], { timeoutMs: 10_000 });
  await server.wait(10_000);
  return rates;
}

/**
 * Adds operations per second of both; the C file system stands in the place of the plain directory.
 */
export async function benchmarkRequestCost(place: TempDirectory, report: Report): Promise<void> {
  if (!await compile(place)) {
    console.error("request cost: left out, no C reference here");
    return;
  }
  const dataPath = place.join("request-data");
  await Deno.writeFile(dataPath, new Uint8Array(DATA_SIZE).fill(1));
  await Deno.mkdir(place.join("ours"));
  await Deno.mkdir(place.join("reference-mount"));
  const ours: number[][] = [];
  const reference: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    reference.push(await measureReference(place, dataPath));
    ours.push(await measureOurs(place, dataPath));
  }
  for (const [index, [, name]] of WORKLOADS.entries()) {
    report.add({
      name: `requests: ${name}, ${CLIENTS} clients (plain = C)`,
      unit: "ops/s",
      mount: Math.max(...ours.map((rates) => rates[index]!)),
      plain: Math.max(...reference.map((rates) => rates[index]!)),
      target: ">= 1",
    });
  }
}

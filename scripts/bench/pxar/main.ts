/**
 * Measures what the executable does with archives, process start included and page cache warm,
 * beside `tar` on the same trees.
 *
 *     deno task bench pxar
 *
 * Needs root, GNU tar and time, and `dist/pbkfs` (or `PBKFS_BIN`). Prints a table;
 * `dist/bench-pxar.json` has the same. `TMPDIR` says where the trees are made (6 GiB); on a tmpfs
 * the disk does not count.
 *
 * Figures that begin with "C:" are those of small programs in C that do the least of the same work
 * on the same machine.
 *
 * The targets are times of another implementation on two cores of a known machine, with the
 * allowance given beside them: on other machines compare the ratio to `tar`.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { type DataSet, makeLargeFile, makeMixedFiles, makeSmallFiles } from "./data.ts";
import { benchmarkLookups } from "./lookups.ts";
import { Floor } from "./floor.ts";
import { benchmarkAttributes, benchmarkMountedReads, listFiles, lstatSeconds } from "./mounted.ts";
import { PxarReport } from "./report.ts";
import { measureRuns } from "./run.ts";

const ROUNDS = 3;
const CLEAN_TIMEOUT_MS = 60_000;
const TAR = ["tar", "--xattrs", "--acls", "--numeric-owner"];

/** Targets in seconds: the time of the other implementation times what is allowed. */
interface Targets {
  readonly create?: number;
  readonly list?: number;
  readonly extract?: number;
}

const MIXED_TARGETS: Targets = { create: 0.29 * 1.5, list: 0.09 * 2, extract: 1.0 * 1.2 };
const LARGE_TARGETS: Targets = { create: 0.14 * 1.0, extract: 0.27 * 1.2 };
const MEMORY_TARGET = "<= 128";

function target(seconds: number | undefined): { target?: string } {
  return seconds === undefined ? {} : { target: `<= ${seconds.toFixed(3)}` };
}

/** Measures one tree; leaves its archive at the path that is returned. */
async function benchmarkTree(
  program: string,
  place: TempDirectory,
  name: string,
  data: DataSet,
  targets: Targets,
  report: PxarReport,
): Promise<string> {
  const archive = place.join(`${name}.pxar`);
  const tarArchive = place.join(`${name}.tar`);
  const extracted = place.join("extracted");
  const clean = (...paths: string[]) =>
    runCommand(["rm", "-rf", ...paths], { timeoutMs: CLEAN_TIMEOUT_MS });
  const prepareTarget = async () => {
    await clean(extracted);
    await Deno.mkdir(extracted);
  };
  const compare = async (
    step: string,
    own: readonly string[],
    tar: readonly string[],
    prepare: () => Promise<unknown>,
    seconds: number | undefined,
  ) => {
    const commands = [[...TAR, ...tar], [program, "pxar", ...own]];
    const [tarCost, cost] = await measureRuns(commands, ROUNDS, prepare);
    report.add({
      name: `${step} ${name}`,
      unit: "s",
      value: cost!.seconds,
      yardstick: tarCost!.seconds,
      memoryMebibytes: cost!.memoryMebibytes,
      ...target(seconds),
    });
  };
  await compare(
    "create",
    ["create", archive, data.path],
    ["-cf", tarArchive, "-C", data.path, "."],
    () => clean(archive, tarArchive),
    targets.create,
  );
  // The last preparation took one of the two away.
  await runCommand([...TAR, "-cf", tarArchive, "-C", data.path, "."], {
    timeoutMs: CLEAN_TIMEOUT_MS,
  });
  await compare("list", ["list", archive], ["-tf", tarArchive], async () => {}, targets.list);
  await compare(
    "extract",
    ["extract", archive, extracted],
    ["-xf", tarArchive, "-C", extracted],
    prepareTarget,
    targets.extract,
  );
  await clean(extracted, tarArchive);
  return archive;
}

/** Runs the whole measurement; `checkout` is where `dist` is. */
export async function benchmarkArchives(checkout: string): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  using place = new TempDirectory("bench-pxar");
  const report = new PxarReport();
  const small = makeSmallFiles(place.join("small"));
  await benchmarkTree(program, place, "1,000 x 4 KiB", small, {}, report);

  const mixed = makeMixedFiles(place.join("mixed"));
  const mixedName = "10,000 files, 500 MiB";
  const mixedArchive = await benchmarkTree(program, place, mixedName, mixed, MIXED_TARGETS, report);
  const mountPath = place.join("mount");
  await benchmarkAttributes(program, mixedArchive, mixed.path, mountPath, report);
  const floor = await Floor.compile(place.path);
  const files = await listFiles(mixed.path);
  const lstat = () => lstatSeconds(mountPath, files);
  await floor?.measureAttributes(mixedArchive, mountPath, lstat, report);
  await Deno.remove(mixed.path, { recursive: true });

  const large = makeLargeFile(place.join("large"));
  const largeArchive = await benchmarkTree(program, place, "1 GiB", large, LARGE_TARGETS, report);
  await floor?.measureCopy(`${large.path}/large.dat`, place.join("copy"), report);
  await benchmarkMountedReads(program, largeArchive, large.path, mountPath, report);
  await floor?.measureReads(largeArchive, mountPath, report);
  benchmarkLookups(place.path, report);
  report.add({
    name: "largest memory of create, list and extract",
    unit: "MiB",
    value: report.memoryMax,
    target: MEMORY_TARGET,
  });

  console.log(report.table());
  await Deno.mkdir(`${checkout}dist`, { recursive: true });
  await Deno.writeTextFile(`${checkout}dist/bench-pxar.json`, report.json() + "\n");
}

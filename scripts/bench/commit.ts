/**
 * `pbkfs commit` of a hundredth of all blocks against the first backup of all of them: blocks that
 * lie together, as those of a table that is written to, and blocks from everywhere.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { Report } from "./report.ts";
import { addTimes, Times } from "./times.ts";

const BLOCK_SIZE = 8192;
const FILE_MIB = 64;
const SIZE_MIB = 512;
const ROUNDS = 3;
const TIMEOUT_MS = 600_000;

/** What is changed, and how it is kept until the commit. */
interface Course {
  readonly name: string;
  readonly isTogether: boolean;
  /** Of chunks on average, in KiB. */
  readonly chunkSize: string;
  /** MiB of files that the mount copies whole: what has changed in these is not known. */
  readonly wholeCopies: string;
}

const COURSES: readonly Course[] = [
  { name: "together", isTogether: true, chunkSize: "4096", wholeCopies: "0" },
  { name: "together, copied whole", isTogether: true, chunkSize: "4096", wholeCopies: "65536" },
  { name: "from everywhere", isTogether: false, chunkSize: "4096", wholeCopies: "0" },
  { name: "from everywhere, 64 KiB", isTogether: false, chunkSize: "64", wholeCopies: "0" },
];

/** Measures and prints. @param checkout path of the sources, with a slash at its end */
export async function benchmarkCommit(checkout: string, args: readonly string[]): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  using place = new TempDirectory("bench");
  const pbkfs = (...command: string[]) =>
    runCommand([program, ...command], { timeoutMs: TIMEOUT_MS });
  const files = Math.ceil(Number(args[0] ?? SIZE_MIB) / FILE_MIB);
  const [tree, store, mounted] = [place.join("tree"), place.join("store"), place.join("mnt")];
  await Deno.mkdir(tree);
  await Deno.mkdir(mounted);
  const random = new Random(1);
  for (let file = 0; file < files; file++) {
    await Deno.writeFile(`${tree}/${file}`, pages(random, FILE_MIB << 20));
  }
  const report = new Report(["commit", "first backup"]);
  for (const { name, isTogether, chunkSize, wholeCopies } of COURSES) {
    const times = { measured: new Times(), yardstick: new Times() };
    const chunks = ["--chunk-size", chunkSize];
    for (let round = 0; round < ROUNDS; round++) {
      await runCommand(["rm", "-rf", store, place.join("diff")], { timeoutMs: TIMEOUT_MS });
      await pbkfs("pbs", "datastore", "create", store);
      const target = `${store}#host/bench`;
      await times.yardstick.measure(async () => void await pbkfs("copy", tree, target, ...chunks));
      const source = `${target}/latest/root.pxar`;
      const diff = ["--diff-dir", place.join("diff"), "--whole-copies", wholeCopies];
      await pbkfs("mount", source, mounted, ...diff, "--wait");
      change(mounted, random, files, isTogether);
      await pbkfs("unmount", "-D", mounted);
      const commit = ["commit", place.join("diff"), target, ...chunks];
      await times.measured.measure(async () => void await pbkfs(...commit));
    }
    addTimes(report, `1 % of the blocks of ${files * FILE_MIB} MiB, ${name}`, times, "<= 0.1");
  }
  console.log(report.table());
}

/** Half of each page is noise, as of pages of tables that compress. */
function pages(random: Random, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  for (let offset = 0; offset < sizeBytes; offset += BLOCK_SIZE) {
    bytes.set(random.bytes(BLOCK_SIZE / 2), offset);
  }
  return bytes;
}

function change(mounted: string, random: Random, files: number, isTogether: boolean): void {
  const blocks = (FILE_MIB << 20) / BLOCK_SIZE;
  const count = Math.ceil(files * blocks / 100);
  using stack = new DisposableStack();
  const opened = Array.from(
    { length: files },
    (_, file) => stack.use(Deno.openSync(`${mounted}/${file}`, { write: true })),
  );
  for (let index = 0; index < count; index++) {
    const file = isTogether ? 0 : random.between(0, files - 1);
    const block = isTogether ? index % blocks : random.between(0, blocks - 1);
    opened[file]!.seekSync(block * BLOCK_SIZE, Deno.SeekMode.Start);
    opened[file]!.writeSync(pages(random, BLOCK_SIZE));
  }
}

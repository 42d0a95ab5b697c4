/**
 * `ls -lR` of archives and snapshots against another executable, in turn.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { Report } from "./report.ts";
import { addTimes, Times } from "./times.ts";

const ROUNDS = 9;
const DIRECTORIES = 100;
const FILES_OF_EACH = 300;
const TIMEOUT_MS = 300_000;

/** A thing to list: the words by its group, which the other executable has too, and as a source. */
interface Listed {
  readonly name: string;
  readonly before: readonly string[];
  readonly source: string;
}

/**
 * Measures and prints.
 *
 * @param checkout path of the sources, with a slash at its end
 * @param args `--before EXECUTABLE`
 */
export async function benchmarkListing(checkout: string, args: readonly string[]): Promise<void> {
  const program = Deno.env.get("PBKFS_BIN") ?? `${checkout}dist/pbkfs`;
  const before = args[args.indexOf("--before") + 1];
  if (!args.includes("--before") || before === undefined) {
    throw new Error("Name the other executable: --before EXECUTABLE");
  }
  using place = new TempDirectory("bench");
  const call = (...words: string[]) => runCommand(words, { timeoutMs: TIMEOUT_MS });
  const report = new Report(["now", "before"]);
  for (const { name, before: words, source } of await makeListed(place, program)) {
    const forms = { "as a source": [program, "ls", "-lR", source], "by its group": words };
    for (const [form, list] of Object.entries(forms)) {
      const times = { measured: new Times(), yardstick: new Times() };
      const now = form === "as a source" ? list : [program, ...list];
      for (let round = 0; round < ROUNDS; round++) {
        await times.yardstick.measure(async () => void await call(before, ...words));
        await times.measured.measure(async () => void await call(...now));
      }
      addTimes(report, `ls -lR of ${name}, ${form}`, times, "<= 1");
    }
  }
  console.log(report.table());
}

/** An archive, a split one, and snapshots of both kinds, of the same tree. */
async function makeListed(place: TempDirectory, program: string): Promise<Listed[]> {
  const [tree, store] = [place.join("tree"), place.join("store")];
  for (let directory = 0; directory < DIRECTORIES; directory++) {
    await Deno.mkdir(`${tree}/${directory}`, { recursive: true });
    for (let file = 0; file < FILES_OF_EACH; file++) {
      await Deno.writeTextFile(`${tree}/${directory}/file-${file}.txt`, "x".repeat(file % 50));
    }
  }
  const run = (...words: string[]) => runCommand([program, ...words], { timeoutMs: TIMEOUT_MS });
  const [whole, split, payload] = ["a.pxar", "a.mpxar", "a.ppxar"].map((it) => place.join(it));
  await run("pxar", "create", whole!, tree);
  await run("pxar", "create", split!, "--payload-output", payload!, tree);
  await run("pbs", "datastore", "create", store);
  const repository = ["--repository", `dir:${store}`];
  const snapshots: Listed[] = [];
  for (const [mode, archive] of [["legacy", "root.pxar"], ["data", "root.mpxar"]] as const) {
    const group = ["--backup-id", mode, "--change-detection-mode", mode];
    await run("pbs", "backup", ...repository, ...group, `root.pxar:${tree}`);
    snapshots.push({
      name: `${archive} of a snapshot`,
      before: ["pbs", "ls", "-lR", `host/${mode}`, archive, ...repository],
      source: `${store}#host/${mode}/latest/${archive}`,
    });
  }
  const archives = [["an archive", whole!], ["a split archive", split!]] as const;
  return [
    ...archives.map(([name, path]) => ({
      name,
      before: ["pxar", "ls", "-lR", path],
      source: path,
    })),
    ...snapshots,
  ];
}

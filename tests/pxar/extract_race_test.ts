/** Somebody else exchanges directories for symbolic links while an archive is extracted. */

import { memoryEntry } from "#src/pxar/new_entry.ts";
import assert from "node:assert/strict";
import {
  DescriptorTarget,
  extractArchive,
  OVERWRITE_ALL,
  RESTORE_ALL,
} from "#src/pxar/extractor/mod.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  archiveOf,
  decoderOf,
  DIRECTORY,
  FILE,
  metadata,
  snapshot,
  SYMLINK,
  text,
} from "./_extract_support.ts";

const ROUNDS_MIN = 300;
const DURATION_MS = 3000;

/** Directories whose entries have the names of what is outside. */
function archive(): Uint8Array {
  return archiveOf((encoder) => {
    for (let i = 0; i < 4; i++) {
      encoder.add(`d${i}`, {
        kind: "directory",
        metadata: DIRECTORY({ mode: 0o040777, uid: 1, gid: 1 }),
      });
      const first = encoder.add(
        "file",
        memoryEntry(FILE({ mode: 0o100777, uid: 1 }), text("evil")),
      );
      encoder.add("fifo", { kind: "fifo", metadata: metadata(0o010777, { uid: 1 }) });
      encoder.add("sub", { kind: "directory", metadata: DIRECTORY({ mode: 0o040777 }) });
      encoder.add("inner", memoryEntry(FILE({ mode: 0o100777 }), text("evil")));
      encoder.finishDirectory();
      encoder.add("symlink", { kind: "symlink", metadata: SYMLINK({ uid: 1 }), target: "evil" });
      encoder.add("victim", { kind: "hardlink", targetPath: `d${i}/file`, target: first });
      encoder.finishDirectory();
    }
  });
}

Deno.test("DescriptorTarget writes nothing outside while directories become links", async () => {
  using scratch = new TempDirectory("race");
  const [target, aside, outside] = ["t", "aside", "outside"].map((name) => scratch.join(name)) as [
    string,
    string,
    string,
  ];
  for (const directory of [target, aside, `${outside}/sub`]) {
    Deno.mkdirSync(directory, { recursive: true });
  }
  for (const name of ["file", "fifo", "symlink", "victim", "sub/inner"]) {
    Deno.writeTextFileSync(`${outside}/${name}`, "safe");
  }
  const before = snapshot(outside);
  const swapper = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--allow-read",
      "--allow-write",
      new URL("./_extract_swapper.ts", import.meta.url).pathname,
      target,
      aside,
      outside,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = swapper.stdout.getReader();
  let collisions = 0;
  try {
    await output.read();
    const bytes = archive();
    const started = performance.now();
    for (let round = 0; round < ROUNDS_MIN || performance.now() - started < DURATION_MS; round++) {
      const report = extractArchive(
        decoderOf(bytes),
        DescriptorTarget.open(target, {
          features: { ...RESTORE_ALL, projectIds: false },
          overwrite: { ...OVERWRITE_ALL, directories: true },
        }),
      );
      collisions += report.errorCount;
    }
  } finally {
    await swapper.stdin.close();
    await output.cancel();
    await swapper.status;
  }
  assert.ok(collisions > 0, "the two processes never met");
  assert.deepEqual(snapshot(outside), before);
});

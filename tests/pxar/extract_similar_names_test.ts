/** Names that the target's file system takes for the same, as where case does not count. */

import { memoryEntry } from "#src/pxar/new_entry.ts";
import assert from "node:assert/strict";
import {
  DescriptorTarget,
  extractArchive,
  OVERWRITE_ALL,
  OVERWRITE_NOTHING,
  PlainTarget,
} from "#src/pxar/extractor/mod.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { archiveOf, decoderOf, DIRECTORY, FILE, metadata, text } from "./_extract_support.ts";

const TARGETS = [DescriptorTarget, PlainTarget] as const;
const ALLOWING = { ...OVERWRITE_ALL, directories: true, byDirectories: true };

const FILES = archiveOf((encoder) => {
  const first = encoder.add("NAME", memoryEntry(FILE(), text("big")));
  encoder.add("name", memoryEntry(FILE(), text("small")));
  encoder.add("other", { kind: "hardlink", targetPath: "NAME", target: first });
});

for (const Target of TARGETS) {
  for (const [words, overwrite] of [["nothing", OVERWRITE_NOTHING], ["all", ALLOWING]] as const) {
    Deno.test(`${Target.name}, allowed to replace ${words}, keeps an entry whose name another one is taken for`, () => {
      using scratch = new TempDirectory("similar");
      const target = scratch.join("t");
      const report = extractArchive(decoderOf(FILES), Target.open(target, { overwrite }), {
        // Now both names are one, as on a file system that does not tell them apart.
        onProgress({ path }) {
          if (path === "/NAME") Deno.linkSync(`${target}/NAME`, `${target}/name`);
        },
      });
      assert.deepEqual(report.problems.map(({ path }) => path), ["/name"]);
      const { error } = report.problems[0]!;
      assert.match(error.message, /^Cannot restore "\/name" over "NAME" of the same archive: /);
      assert.equal("code" in error && error.code, "exists");
      assert.equal(Deno.readTextFileSync(`${target}/NAME`), "big");
      assert.equal(Deno.statSync(`${target}/other`).nlink, 3);
    });

    Deno.test(`${Target.name}, allowed to replace ${words}, does the same below a new directory`, () => {
      using scratch = new TempDirectory("similar");
      const target = scratch.join("t");
      const archive = archiveOf((encoder) => {
        encoder.add("d", { kind: "directory", metadata: DIRECTORY() });
        encoder.add("NAME", memoryEntry(FILE(), text("big")));
        encoder.add("name", memoryEntry(FILE(), text("small")));
        encoder.finishDirectory();
      });
      const report = extractArchive(decoderOf(archive), Target.open(target, { overwrite }), {
        onProgress({ path }) {
          if (path === "/d/NAME") Deno.linkSync(`${target}/d/NAME`, `${target}/d/name`);
        },
      });
      assert.deepEqual(report.problems.map(({ path }) => path), ["/d/name"]);
      const earlier = overwrite === ALLOWING ? '"NAME"' : "an earlier entry";
      assert.ok(report.problems[0]!.error.message.includes(`over ${earlier} of `));
      assert.equal(Deno.readTextFileSync(`${target}/d/name`), "big");
    });
  }

  Deno.test(`${Target.name} replaces names that differ in case where they are two`, () => {
    using scratch = new TempDirectory("similar");
    const target = scratch.join("t");
    for (let round = 0; round < 2; round++) {
      const opened = Target.open(target, { overwrite: ALLOWING });
      assert.deepEqual(extractArchive(decoderOf(FILES), opened).problems, []);
      assert.equal(Deno.readTextFileSync(`${target}/NAME`), "big");
      assert.equal(Deno.readTextFileSync(`${target}/name`), "small");
    }
  });

  Deno.test({
    name: `${Target.name} does not merge directories whose names are one`,
    ignore: Deno.uid() !== 0,
    async fn() {
      using scratch = new TempDirectory("similar");
      const target = scratch.join("t");
      for (const name of ["DIR", "dir"]) Deno.mkdirSync(`${target}/${name}`, { recursive: true });
      const archive = archiveOf((encoder) => {
        encoder.add("DIR", { kind: "directory", metadata: DIRECTORY() });
        encoder.add("file", memoryEntry(FILE(), text("big")));
        encoder.finishDirectory();
        encoder.add("dir", { kind: "directory", metadata: DIRECTORY() });
        encoder.add("file", memoryEntry(FILE(), text("small")));
        encoder.finishDirectory();
      });
      const mount = ["mount", "--bind", `${target}/DIR`, `${target}/dir`];
      await runCommand(mount, { timeoutMs: 10_000 });
      try {
        const opened = Target.open(target, { overwrite: ALLOWING });
        const report = extractArchive(decoderOf(archive), opened);
        assert.deepEqual(report.problems.map(({ path }) => path), ["/dir"]);
        assert.equal(Deno.readTextFileSync(`${target}/DIR/file`), "big");
      } finally {
        await runCommand(["umount", `${target}/dir`], { timeoutMs: 10_000 });
      }
    },
  });
}

Deno.test("DescriptorTarget does not take one FIFO for two whose names are one", () => {
  using scratch = new TempDirectory("similar");
  const target = scratch.join("t");
  const archive = archiveOf((encoder) => {
    encoder.add("FIFO", { kind: "fifo", metadata: metadata(0o010600) });
    encoder.add("fifo", { kind: "fifo", metadata: metadata(0o010600) });
  });
  const opened = DescriptorTarget.open(target, { overwrite: ALLOWING });
  const report = extractArchive(decoderOf(archive), opened, {
    onProgress({ path }) {
      if (path === "/FIFO") Deno.linkSync(`${target}/FIFO`, `${target}/fifo`);
    },
  });
  assert.deepEqual(report.problems.map(({ path }) => path), ["/fifo"]);
});

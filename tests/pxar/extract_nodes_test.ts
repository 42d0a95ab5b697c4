/** Extraction of chosen entries by random access. */

import assert from "node:assert/strict";
import { StateError } from "#src/errors.ts";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import {
  DescriptorTarget,
  extractEntry,
  extractPaths,
  PlainTarget,
} from "#src/pxar/extractor/mod.ts";
import { memoryEntry, PxarAccessor } from "#src/pxar/mod.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  archiveOf,
  assertRestored,
  DIRECTORY,
  FILE,
  look,
  SYMLINK,
  text,
} from "./_extract_support.ts";

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    readAt(target, start, size, offset) {
      const part = bytes.subarray(offset, offset + size);
      target.bytes.set(part, start);
      return part.length;
    },
    close() {},
  };
}

function open(archive: Uint8Array): PxarAccessor {
  return PxarAccessor.open(sourceOf(archive), { allocate: plainBuffer });
}

function sample(): Uint8Array {
  return archiveOf((encoder) => {
    encoder.add("a", { kind: "directory", metadata: DIRECTORY({ mode: 0o040710 }) });
    const first = encoder.add("one", memoryEntry(FILE(), text("111")));
    encoder.add("same", { kind: "hardlink", targetPath: "a/one", target: first });
    encoder.add("deep", { kind: "directory", metadata: DIRECTORY({ mode: 0o040701 }) });
    encoder.add("three", { kind: "hardlink", targetPath: "a/one", target: first });
    encoder.add("two", memoryEntry(FILE(), new Uint8Array(300_000).fill(2)));
    encoder.finishDirectory();
    encoder.finishDirectory();
    encoder.add("b", { kind: "directory", metadata: DIRECTORY() });
    encoder.add("four", { kind: "hardlink", targetPath: "a/one", target: first });
    encoder.add("zfive", { kind: "hardlink", targetPath: "a/one", target: first });
    encoder.add("s", { kind: "symlink", metadata: SYMLINK(), target: "four" });
    encoder.finishDirectory();
  }, DIRECTORY({ mode: 0o040750 }));
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

Deno.test("extractPaths of the root restores everything", () => {
  for (const Target of [DescriptorTarget, PlainTarget]) {
    using scratch = new TempDirectory("nodes");
    const archive = sample();
    const report = extractPaths(open(archive), ["/"], Target.open(scratch.join("t")));
    assert.equal(report.errorCount, 0);
    assert.equal(report.counts.hardlink, 4);
    if (Target === DescriptorTarget) assertRestored(scratch.join("t"), archive);
  }
});

Deno.test("extractPaths restores chosen entries in their places", () => {
  using scratch = new TempDirectory("nodes");
  const target = scratch.join("t");
  const paths = ["/b/four", "a/deep", "/a/deep/two", "/none", "/a/one/below", "b/zfive"];
  const report = extractPaths(open(sample()), paths, DescriptorTarget.open(target));
  assert.deepEqual(
    report.problems.map(({ path, error }) => [path, "code" in error && error.code]),
    [["/none", "not-found"], ["/a/one/below", "not-found"]],
  );
  assert.deepEqual(names(target), ["a", "b"]);
  assert.deepEqual(names(`${target}/a`), ["deep"]);
  assert.deepEqual(names(`${target}/a/deep`), ["three", "two"]);
  assert.equal(look(`${target}/a`).stat.mode & 0o7777, 0o710);
  assert.equal(look(target).stat.mode & 0o7777, 0o750);
  // The file of the hard links is not among them: the first takes its place, the others are links
  // to it.
  assert.equal(Deno.readTextFileSync(`${target}/a/deep/three`), "111");
  assert.equal(look(`${target}/b/four`).stat.ino, look(`${target}/a/deep/three`).stat.ino);
  assert.equal(look(`${target}/b/zfive`).stat.nlink, 3);
});

Deno.test("extractPaths restores below a directory that takes the place of the root", () => {
  using scratch = new TempDirectory("nodes");
  const target = scratch.join("t");
  const options = { from: "/a" };
  const report = extractPaths(
    open(sample()),
    ["deep/three", "/one"],
    DescriptorTarget.open(target),
    options,
  );
  assert.deepEqual(report.problems, []);
  assert.deepEqual(names(target), ["deep", "one"]);
  assert.deepEqual(names(`${target}/deep`), ["three"]);
  assert.equal(look(target).stat.mode & 0o7777, 0o710);
  assert.equal(look(`${target}/deep/three`).stat.ino, look(`${target}/one`).stat.ino);
  for (const from of ["/nowhere", "/a/one"]) {
    assert.throws(
      () => extractPaths(open(sample()), ["/"], DescriptorTarget.open(target), { from }),
      StateError,
    );
  }
});

Deno.test("extractEntry restores a directory as the target", () => {
  using scratch = new TempDirectory("nodes");
  const target = scratch.join("t");
  const report = extractEntry(open(sample()), "/a", DescriptorTarget.open(target));
  assert.deepEqual(report.problems, []);
  assert.deepEqual(names(target), ["deep", "one", "same"]);
  assert.equal(look(target).stat.mode & 0o7777, 0o710);
  assert.equal(look(`${target}/deep/three`).stat.ino, look(`${target}/one`).stat.ino);
});

Deno.test("extractEntry restores a file into the target, which stays as it is", () => {
  using scratch = new TempDirectory("nodes");
  Deno.mkdirSync(scratch.join("t"), { mode: 0o777 });
  const before = look(scratch.join("t")).stat.mode;
  const report = extractEntry(open(sample()), "b/four", DescriptorTarget.open(scratch.join("t")), {
    name: "other",
  });
  assert.equal(report.counts.file, 1);
  assert.equal(Deno.readTextFileSync(scratch.join("t", "other")), "111");
  assert.equal(look(scratch.join("t")).stat.mode, before);
  extractEntry(open(sample()), "a/deep", DescriptorTarget.open(scratch.join("t")), { name: "d" });
  assert.deepEqual(names(scratch.join("t", "d")), ["three", "two"]);
});

Deno.test("extractEntry fails for what is not there", () => {
  using scratch = new TempDirectory("nodes");
  const target = DescriptorTarget.open(scratch.join("t"));
  assert.throws(() => extractEntry(open(sample()), "/no", target), { code: "not-found" });
});

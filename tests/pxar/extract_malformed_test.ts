/** Archives that are wrong, or that want to write elsewhere. */

import { memoryEntry } from "#src/pxar/new_entry.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Failure } from "#src/errors.ts";
import {
  DescriptorTarget,
  DryTarget,
  extractArchive,
  type ExtractReport,
  OVERWRITE_ALL,
  OVERWRITE_NOTHING,
  PlainTarget,
  RESTORE_ALL,
  type TargetOptions,
} from "#src/pxar/extractor/mod.ts";
import { openStepwise } from "#src/pxar/extractor/further_names.ts";
import * as host from "#ffi/libc/calls.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import {
  archiveOf,
  assertRestored,
  decoderOf,
  DIRECTORY,
  FILE,
  look,
  metadata,
  snapshot,
  SYMLINK,
  text,
} from "./_extract_support.ts";

const FIXTURES = new URL("../../../shared/fixtures/pxar/", import.meta.url).pathname;
const hasFixtures = exists(FIXTURES);

interface MalformedCase {
  readonly files: readonly string[];
  readonly class: string;
  readonly expect: { readonly sequential: "error" | "ok" | "either" };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What an extraction came to: `ok`, `partial`, or the code of the error that ended it. */
function outcome(run: () => ExtractReport): string {
  try {
    return run().isPartial ? "partial" : "ok";
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.code;
  }
}

/** Everything an archive could do harm with. */
const EVERYTHING_ALLOWED = { ...OVERWRITE_ALL, directories: true };

for (const Target of [DescriptorTarget, PlainTarget]) {
  for (const overwrite of [OVERWRITE_NOTHING, EVERYTHING_ALLOWED]) {
    const how = overwrite === OVERWRITE_NOTHING ? "" : " and may overwrite";
    Deno.test({
      name: `${Target.name} fails as it should for malformed archives${how}`,
      ignore: !hasFixtures,
      fn() {
        const { cases } = JSON.parse(
          Deno.readTextFileSync(`${FIXTURES}malformed/expected.json`),
        ) as { cases: MalformedCase[] };
        assert.ok(cases.length > 100);
        for (const { files, class: code, expect } of cases) {
          using scratch = new TempDirectory("malformed");
          const [archive, payload] = files.map((file) =>
            Deno.readFileSync(`${FIXTURES}malformed/${file}`)
          );
          const features = { ...RESTORE_ALL, owner: host.getEffectiveUid() === 0 };
          const started = performance.now();
          const result = outcome(() => {
            const target = Target.open(scratch.join("target"), { overwrite, features });
            return extractArchive(decoderOf(archive!, payload), target);
          });
          const name = `${files[0]}: ${result}`;
          assert.ok(performance.now() - started < 1000, name);
          if (expect.sequential === "error") assert.equal(result, code, name);
          if (expect.sequential === "ok") assert.equal(result, "ok", name);
          if (expect.sequential === "either") {
            assert.ok(["ok", "partial", code].includes(result), name);
          }
          assert.deepEqual([...Deno.readDirSync(scratch.path)].map(({ name }) => name), ["target"]);
        }
      },
    });
  }
}

Deno.test({
  name: "extractArchive restores every healthy fixture",
  ignore: !hasFixtures || host.getEffectiveUid() !== 0,
  fn() {
    const names = [...Deno.readDirSync(FIXTURES)].map(({ name }) => name);
    for (const name of names.filter((name) => /\.m?pxar$/.test(name) && !name.startsWith("big"))) {
      using scratch = new TempDirectory("fixture");
      const archive = Deno.readFileSync(FIXTURES + name);
      const payload = name.endsWith(".mpxar")
        ? Deno.readFileSync(FIXTURES + name.replace(/mpxar$/, "ppxar"))
        : undefined;
      // Project ids need a file system with quotas, attributes one that knows them.
      const features = { ...RESTORE_ALL, projectIds: false, flags: false };
      const target = DescriptorTarget.open(scratch.join("t"), { features });
      const report = extractArchive(decoderOf(archive, payload), target);
      assert.deepEqual(report.problems, [], name);
      assertRestored(scratch.join("t"), archive, payload, {
        steps: new Set(["set attributes of"]),
      });
    }
  },
});

/** An archive with a text that the encoder refuses, in the place of one of the same length. */
function replaced(from: string, to: string, make: (text: string) => Uint8Array): Uint8Array {
  const archive = Buffer.from(make(from));
  archive.set(text(to), archive.indexOf(from));
  return archive;
}

/** Archives that plant a link and then use its name. */
const PLANTED: Readonly<Record<string, (outside: string) => Uint8Array>> = {
  "a symbolic link and then a directory of its name": (outside) =>
    replaced("LINK", "link", (second) =>
      archiveOf((encoder) => {
        encoder.add("link", { kind: "symlink", metadata: SYMLINK(), target: outside });
        encoder.add(second, { kind: "directory", metadata: DIRECTORY({ mode: 0o040777 }) });
        encoder.add("victim", memoryEntry(FILE(), text("evil")));
        encoder.add("planted", { kind: "symlink", metadata: SYMLINK(), target: "x" });
        encoder.add("fifo", { kind: "fifo", metadata: metadata(0o010666) });
        encoder.finishDirectory();
      })),
  "a symbolic link and then a file of its name": (outside) =>
    replaced("LINK", "link", (second) =>
      archiveOf((encoder) => {
        encoder.add("link", { kind: "symlink", metadata: SYMLINK(), target: `${outside}/victim` });
        encoder.add(second, memoryEntry(FILE({ mode: 0o100777 }), text("evil")));
      })),
  "a symbolic link and then a FIFO of its name": (outside) =>
    replaced("LINK", "link", (second) =>
      archiveOf((encoder) => {
        encoder.add("link", { kind: "symlink", metadata: SYMLINK(), target: `${outside}/victim` });
        encoder.add(second, { kind: "fifo", metadata: metadata(0o010777) });
      })),
  "a hard link through a symbolic link": (outside) =>
    replaced("STOLEN", "stolen", (second) =>
      archiveOf((encoder) => {
        encoder.add("l", { kind: "symlink", metadata: SYMLINK(), target: outside });
        const first = encoder.add("m", memoryEntry(FILE(), text("m")));
        encoder.add("stolen", { kind: "hardlink", targetPath: "l/victim", target: first });
        encoder.add(second, memoryEntry(FILE({ mode: 0o100777 }), text("evil")));
      })),
  "a hard link to a symbolic link": (outside) =>
    archiveOf((encoder) => {
      encoder.add("l", { kind: "symlink", metadata: SYMLINK(), target: `${outside}/victim` });
      const first = encoder.add("m", memoryEntry(FILE(), text("m")));
      encoder.add("stolen", { kind: "hardlink", targetPath: "l", target: first });
    }),
  "a hard link with dots": () =>
    replaced("xx/outside/victim", "../outside/victim", (path) =>
      archiveOf((encoder) => {
        const first = encoder.add("m", memoryEntry(FILE(), text("m")));
        encoder.add("stolen", { kind: "hardlink", targetPath: path, target: first });
      })),
  "a hard link that is absolute": (outside) =>
    replaced(`x${outside.slice(1)}/victim`, `${outside}/victim`, (path) =>
      archiveOf((encoder) => {
        const first = encoder.add("m", memoryEntry(FILE(), text("m")));
        encoder.add("stolen", { kind: "hardlink", targetPath: path, target: first });
      })),
  "a hard link to itself": () =>
    archiveOf((encoder) => {
      const first = encoder.add("m", memoryEntry(FILE(), text("m")));
      encoder.add("x", { kind: "hardlink", targetPath: "x", target: first });
    }),
  "a deep path through a symbolic link": (outside) =>
    replaced("LINK", "link", (second) =>
      archiveOf((encoder) => {
        encoder.add("d", { kind: "directory", metadata: DIRECTORY() });
        encoder.add("link", { kind: "symlink", metadata: SYMLINK(), target: outside });
        encoder.add(second, { kind: "directory", metadata: DIRECTORY() });
        encoder.add("sub", { kind: "directory", metadata: DIRECTORY({ mode: 0o040777 }) });
        encoder.add("f", memoryEntry(FILE(), text("evil")));
        encoder.finishDirectory();
        encoder.finishDirectory();
        encoder.finishDirectory();
      })),
};

for (const [name, make] of Object.entries(PLANTED)) {
  for (const Target of [DescriptorTarget, PlainTarget]) {
    Deno.test(`${Target.name} does not follow ${name}`, () => {
      for (const overwrite of [OVERWRITE_NOTHING, EVERYTHING_ALLOWED]) {
        using scratch = new TempDirectory("planted");
        const outside = scratch.join("outside");
        Deno.mkdirSync(`${outside}/sub`, { recursive: true });
        Deno.writeTextFileSync(`${outside}/victim`, "safe");
        const before = snapshot(outside);
        const options: TargetOptions = { overwrite };
        const target = Target.open(scratch.join("t"), options);
        const report = extractArchive(decoderOf(make(outside)), target);
        assert.ok(report.isPartial);
        assert.deepEqual(snapshot(outside), before);
        assert.equal(Deno.readTextFileSync(`${outside}/victim`), "safe");
      }
    });
  }
}

Deno.test("DescriptorTarget does not follow links that were there before", () => {
  using scratch = new TempDirectory("planted");
  const outside = scratch.join("outside");
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(`${outside}/victim`, "safe");
  Deno.mkdirSync(scratch.join("t"));
  Deno.symlinkSync(outside, scratch.join("t", "d"));
  Deno.symlinkSync(`${outside}/victim`, scratch.join("t", "f"));
  Deno.symlinkSync(`${outside}/new`, scratch.join("t", "g"));
  const before = snapshot(outside);
  const archive = archiveOf((encoder) => {
    encoder.add("d", { kind: "directory", metadata: DIRECTORY({ mode: 0o040777 }) });
    encoder.add("victim", memoryEntry(FILE(), text("evil")));
    encoder.finishDirectory();
    encoder.add("f", memoryEntry(FILE(), text("good")));
    encoder.add("g", memoryEntry(FILE(), text("good")));
  });
  const target = DescriptorTarget.open(scratch.join("t"), { overwrite: EVERYTHING_ALLOWED });
  const report = extractArchive(decoderOf(archive), target);
  assert.deepEqual(report.problems.map(({ path }) => path), ["/d"]);
  assert.deepEqual(snapshot(outside), before);
  assert.equal(Deno.readTextFileSync(scratch.join("t", "f")), "good");
  assert.ok(look(scratch.join("t", "g")).stat.mode >> 12 === 0o10);
});

for (const Target of [DescriptorTarget, PlainTarget]) {
  Deno.test(`${Target.name} writes nothing outside when its directory becomes a link`, () => {
    using scratch = new TempDirectory("planted");
    const outside = scratch.join("outside");
    Deno.mkdirSync(outside);
    Deno.writeTextFileSync(`${outside}/second`, "safe");
    const before = snapshot(outside);
    const archive = archiveOf((encoder) => {
      encoder.add("d", { kind: "directory", metadata: DIRECTORY({ mode: 0o040777 }) });
      encoder.add("first", memoryEntry(FILE(), text("good")));
      encoder.add("second", memoryEntry(FILE({ mode: 0o100777 }), text("evil")));
      encoder.add("third", { kind: "symlink", metadata: SYMLINK(), target: "x" });
      encoder.add("fourth", { kind: "directory", metadata: DIRECTORY() });
      encoder.finishDirectory();
      encoder.finishDirectory();
    });
    const target = Target.open(scratch.join("t"), { overwrite: EVERYTHING_ALLOWED });
    const report = extractArchive(decoderOf(archive), target, {
      onProgress({ path }) {
        if (path !== "/d/first") return;
        Deno.renameSync(scratch.join("t", "d"), scratch.join("t", "moved"));
        Deno.symlinkSync(outside, scratch.join("t", "d"));
      },
    });
    assert.deepEqual(snapshot(outside), before);
    // By descriptor, the directory itself is found wherever it is; by path, it is given up.
    assert.equal(report.errorCount, Target === DescriptorTarget ? 0 : 4);
    assert.equal(exists(scratch.join("t", "moved", "second")), Target === DescriptorTarget);
  });
}

Deno.test("DryTarget makes nothing and counts everything", () => {
  using scratch = new TempDirectory("dry");
  const archive = archiveOf((encoder) => {
    const first = encoder.add("a", memoryEntry(FILE(), text("data")));
    encoder.add("b", { kind: "hardlink", targetPath: "a", target: first });
    encoder.add("c", { kind: "fifo", metadata: metadata(0o010644) });
  });
  const report = extractArchive(decoderOf(archive), new DryTarget());
  assert.equal(report.entryCount, 4);
  assert.equal(report.contentBytes, 4);
  assert.deepEqual([...Deno.readDirSync(scratch.path)], []);
});

Deno.test("extractArchive does not merge two entries of one name", () => {
  using scratch = new TempDirectory("planted");
  const archive = replaced(
    "DIR",
    "dir",
    (directory) =>
      replaced("FILE", "file", (file) =>
        archiveOf((encoder) => {
          encoder.add("dir", { kind: "directory", metadata: DIRECTORY() });
          encoder.finishDirectory();
          encoder.add(directory, { kind: "directory", metadata: DIRECTORY() });
          encoder.finishDirectory();
          encoder.add("file", memoryEntry(FILE(), text("1")));
          encoder.add(file, memoryEntry(FILE(), text("2")));
        })),
  );
  const target = DescriptorTarget.open(scratch.join("t"), { overwrite: EVERYTHING_ALLOWED });
  const report = extractArchive(decoderOf(archive), target);
  assert.deepEqual(
    report.problems.map(({ path, error }) => [path, "code" in error && error.code]),
    [["/dir", "duplicate-name"], ["/file", "duplicate-name"]],
  );
  assert.equal(Deno.readTextFileSync(scratch.join("t", "file")), "1");
});

Deno.test("openStepwise finds files below a directory and follows no link", () => {
  using scratch = new TempDirectory("planted");
  Deno.mkdirSync(scratch.join("a", "b"), { recursive: true });
  Deno.writeTextFileSync(scratch.join("a", "b", "f"), "");
  Deno.symlinkSync("a", scratch.join("l"));
  const root = host.open(scratch.path, host.OpenFlag.RDONLY);
  const fd = openStepwise(root, "a/b/f");
  assert.ok(fd >= 0);
  host.close(fd);
  assert.equal(openStepwise(root, "l/b/f"), -host.Errno.ENOTDIR);
  assert.equal(openStepwise(root, "a/none/f"), -host.Errno.ENOENT);
  host.close(root);
});

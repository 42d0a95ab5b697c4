import assert from "node:assert/strict";
import { LimitError, OsError, UsageError } from "#src/errors.ts";
import { open, OpenFlag } from "#ffi/libc/calls.ts";
import * as host from "#ffi/libc/calls.ts";
import {
  buildInto,
  type BuildProblem,
  makePlainSource,
  planArchive,
  SourceEntry,
} from "#src/pxar/builder/mod.ts";
import { PxarEncoder } from "#src/pxar/encoder.ts";
import { MemorySink } from "#tests/support/pxar_fixtures.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { build, checkArchive, entryAt, makeTree } from "./_build_support.ts";
import { excludeCases } from "./_exclude_cases.ts";

Deno.test("buildArchive() leaves out what the reference leaves out", async (t) => {
  for (const testCase of excludeCases()) {
    await t.step(`${testCase.name} ${JSON.stringify(testCase.exclude)}`, async () => {
      using scratch = new TempDirectory("exclude");
      const directory = scratch.join("tree");
      makeTree(directory, testCase.tree);
      const options = { exclude: testCase.exclude };
      if (testCase.exit_code !== 0) {
        assert.throws(() => build(directory, options), { code: "bad-pattern" });
        return;
      }
      const expected = testCase.paths_4x ?? testCase.paths!;
      const built = build(directory, options);
      assert.deepEqual([...built.entries.keys()], expected);
      assert.equal(built.report.entryCount, expected.length);
      const recorded = built.entries.get("/.pxarexclude-cli");
      const text = testCase.pxarexclude_cli?.content;
      assert.equal(recorded && new TextDecoder().decode(recorded.content), text);
      if (recorded?.entry.kind === "file") {
        const { mode, mtime, uid } = recorded.entry.metadata;
        assert.deepEqual([mode, mtime.seconds, uid], [0o100600, 0, Deno.uid()]);
      }
      const split = build(directory, options, true);
      const listed = expected.filter((path) => path !== "/.pxarexclude-cli");
      assert.deepEqual([...split.entries.keys()], listed);
      const prelude = text && JSON.stringify({ "exclude-patterns": text });
      assert.equal(split.prelude, prelude);
      if (testCase.name === "files+cli") {
        await checkArchive(built);
        await checkArchive(split);
      }
    });
  }
});

Deno.test("buildArchive() reports lines of .pxarexclude files that it does not understand", () => {
  using scratch = new TempDirectory("exclude");
  makeTree(scratch.path, { "sub/.pxarexclude": "[\nx\n", "sub/x": "", "link/.pxarexclude": null });
  const { report, entries } = build(scratch.path);
  const problems = report.problems.map(({ kind, path }) => [kind, path]);
  assert.deepEqual(problems, [
    ["exclude-file", "/link/.pxarexclude"],
    ["exclude-file", "/sub/.pxarexclude"],
  ]);
  assert.equal(report.warningCount, 2);
  assert.equal(report.isPartial, false);
  assert.ok(!entries.has("/sub/x"));
});

Deno.test("buildArchive() sorts names by their bytes and keeps those that are not UTF-8", async () => {
  using scratch = new TempDirectory("names");
  // U+FFFD comes before U+1F600 in bytes, behind it in UTF-16.
  const names = ["a", "a b", "b\udcff", "b\udcfe", "é", "\u{1F600}", "\ufffd", "\udc80"];
  const directory = open(scratch.path, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  for (const name of names) {
    const { CREAT, WRONLY } = OpenFlag;
    host.close(host.unwrap(host.openAt(directory, name, CREAT | WRONLY, 0o600), "create", name));
  }
  host.close(directory);
  const built = build(scratch.path);
  const expected = ["a", "a b", "b\udcfe", "b\udcff", "\udc80", "é", "\ufffd", "\u{1F600}"];
  assert.deepEqual([...built.entries.keys()].slice(1), expected.map((name) => `/${name}`));
  await checkArchive(built);
  const { report } = build(scratch.path, { makeSource: makePlainSource });
  const problems = report.problems.map(({ kind, severity }) => `${severity} ${kind}`);
  assert.deepEqual(problems, Array.from({ length: 3 }, () => "error unreadable"));
  assert.equal(report.counts.file, names.length - problems.length);
});

Deno.test("buildArchive() stores further names of a file as hard links, but not of a symbolic link", async () => {
  using scratch = new TempDirectory("links");
  makeTree(scratch.path, { "b/two": "content", "b/sym": { symlink: "two" } });
  Deno.linkSync(scratch.join("b/two"), scratch.join("a"));
  Deno.linkSync(scratch.join("b/two"), scratch.join("c"));
  host.unwrap(
    host.linkAt(host.At.FDCWD, scratch.join("b/sym"), host.At.FDCWD, scratch.join("sym2")),
    "link",
    "sym2",
  );
  for (const isSplit of [false, true]) {
    const built = build(scratch.path, {}, isSplit);
    assert.equal(entryAt(built, "/a").kind, "file");
    for (const path of ["/b/two", "/c"]) {
      const { entry } = built.entries.get(path)!;
      assert.ok(entry.kind === "hardlink" && entry.targetPath === "a", path);
    }
    assert.equal(entryAt(built, "/sym2").kind, "symlink");
    assert.equal(built.report.counts.hardlink, 2);
    assert.equal(built.report.contentBytes, 7);
    await checkArchive(built);
  }
});

Deno.test("buildArchive() keeps times before 1970 and nanoseconds", () => {
  using scratch = new TempDirectory("times");
  Deno.writeTextFileSync(scratch.join("old"), "");
  const set = host.utimensAt(host.At.FDCWD, scratch.join("old"), 0, 0, -2, 500_000_000);
  assert.equal(set, 0);
  const expected = { seconds: -2, nanoseconds: 500_000_000 };
  const { mtime } = entryAt(build(scratch.path), "/old").metadata;
  assert.deepEqual({ ...mtime }, expected);
  const plain =
    entryAt(build(scratch.path, { makeSource: makePlainSource }), "/old").metadata.mtime;
  assert.deepEqual({ ...plain }, expected);
});

Deno.test("buildArchive() pads a file that shrinks and cuts one that grows while it is read", async () => {
  using scratch = new TempDirectory("changing");
  const size = 3 << 20;
  for (const name of ["shrinks", "shrinks-small", "grows", "grows-small", "vanishes"]) {
    const content = new Uint8Array(name.endsWith("small") ? 1000 : size).fill(7);
    Deno.writeFileSync(scratch.join(name), content);
  }
  const problems: BuildProblem[] = [];
  const built = build(scratch.path, {
    onProblem: (problem) => problems.push(problem),
    onEntry: (path) => {
      const file = scratch.join(path.slice(1));
      if (path === "/shrinks") Deno.truncateSync(file, size - 5000);
      if (path === "/shrinks-small") Deno.truncateSync(file, 10);
      if (path.startsWith("/grows")) Deno.writeTextFileSync(file, "more", { append: true });
      if (path === "/shrinks") Deno.removeSync(scratch.join("vanishes"));
    },
  });
  assert.deepEqual(
    problems.map(({ kind, path, severity }) => [kind, path, severity]),
    [
      ["grown", "/grows", "warning"],
      ["grown", "/grows-small", "warning"],
      ["shrunk", "/shrinks", "warning"],
      ["shrunk", "/shrinks-small", "warning"],
      ["vanished", "/vanishes", "warning"],
    ],
  );
  const shrunk = built.entries.get("/shrinks")!.content;
  assert.equal(shrunk.length, size);
  assert.ok(shrunk.subarray(0, size - 5000).every((byte) => byte === 7));
  assert.ok(shrunk.subarray(size - 5000).every((byte) => byte === 0));
  assert.equal(built.entries.get("/shrinks-small")!.content.indexOf(0), 10);
  assert.equal(built.entries.get("/grows")!.content.length, size);
  assert.equal(built.report.errorCount, 0);
  assert.equal(built.report.warningCount, 5);
  assert.equal(built.report.isPartial, false);
  await checkArchive(built);
});

Deno.test("buildArchive() follows no link, and waits for no FIFO, that has taken the place of a name", () => {
  using scratch = new TempDirectory("swapped");
  const tree = scratch.join("tree");
  makeTree(tree, { "a/x": "", "dir/inside": "", file: "1", pipe: "2", symlink: { symlink: "a" } });
  makeTree(scratch.join("outside"), { inside: "secret" });
  const { entries, report } = build(tree, {
    onEntry: (path) => {
      if (path !== "/a") return;
      for (const name of ["dir", "file", "pipe", "symlink"]) {
        Deno.renameSync(`${tree}/${name}`, scratch.join(name));
      }
      Deno.symlinkSync("../outside", `${tree}/dir`);
      Deno.symlinkSync("../outside/inside", `${tree}/file`);
      assert.equal(host.mknodAt(host.At.FDCWD, `${tree}/pipe`, 0o010600, 0), 0);
      Deno.writeTextFileSync(`${tree}/symlink`, "");
    },
  });
  assert.deepEqual([...entries.keys()], ["/", "/a", "/a/x"]);
  const problems = report.problems.map(({ kind, path }) => `${kind} ${path}`);
  const expected = ["/dir", "/file", "/pipe", "/symlink"].map((path) => `replaced ${path}`);
  assert.deepEqual(problems, expected);
  assert.equal(report.isPartial, true);
});

Deno.test("buildArchive() goes on when a directory is removed before it is listed", async () => {
  for (const options of [{}, { makeSource: makePlainSource }]) {
    using scratch = new TempDirectory("removed");
    makeTree(scratch.path, { "a/x": "", "empty": null, "z": "" });
    const built = build(scratch.path, {
      ...options,
      onEntry: (path) => {
        if (path === "/empty") Deno.removeSync(scratch.join("empty"));
      },
    });
    assert.deepEqual([...built.entries.keys()], ["/", "/a", "/a/x", "/empty", "/z"]);
    const problems = built.report.problems.map(({ kind, path }) => `${kind} ${path}`);
    assert.deepEqual(problems, ["vanished /empty"]);
    assert.equal(built.report.isPartial, false);
    await checkArchive(built);
  }
});

Deno.test("buildArchive() refuses a file, a link and what is not there", () => {
  using scratch = new TempDirectory("roots");
  makeTree(scratch.path, { file: "", directory: null, link: { symlink: "directory" } });
  for (
    const [name, code] of [["file", "ENOTDIR"], ["link", "ELOOP"], ["none", "ENOENT"]] as const
  ) {
    for (const options of [{}, { makeSource: makePlainSource }]) {
      assert.throws(
        () => build(scratch.join(name), options),
        (error) => error instanceof OsError && error.code === code,
        name,
      );
    }
  }
  assert.throws(() => build("/proc"), (error) => error instanceof UsageError);
});

Deno.test("buildArchive() ends when more names are held than allowed", () => {
  using scratch = new TempDirectory("entries");
  makeTree(scratch.path, { "a/1": "", "a/2": "", "b/1": "", "b/2": "", x: "" });
  assert.equal(build(scratch.path, { entriesMax: 5 }).report.entryCount, 8);
  assert.throws(() => build(scratch.path, { entriesMax: 4 }), LimitError);
  assert.throws(() => build(scratch.path, { entriesMax: 2 }), LimitError);
  const few = build(scratch.path, { entriesMax: 2, exclude: ["b", "x", "2"] });
  assert.deepEqual([...few.entries.keys()], ["/", "/a", "/a/1", "/.pxarexclude-cli"]);
});

Deno.test("planArchive() counts the same entries without reading contents", () => {
  using scratch = new TempDirectory("plan");
  makeTree(scratch.path, { "a/1": "one", l: { symlink: "a" }, "x.tmp": "", e: null });
  const options = { exclude: ["*.tmp"] };
  const { report } = build(scratch.path, options);
  const plan = planArchive(scratch.path, options);
  assert.deepEqual({ ...plan.counts }, { ...report.counts });
  assert.equal(plan.contentBytes, report.contentBytes);
  assert.equal(plan.excludedCount, 1);
  assert.equal(plan.sizes, undefined);
});

Deno.test("buildArchive() without FFI makes the same archive of files without attributes", () => {
  using scratch = new TempDirectory("plain");
  makeTree(scratch.path, {
    "a/one": "1",
    "a/empty": "",
    "b/.pxarexclude": "x*\n",
    "b/xy": "",
    é: "2",
    l: { symlink: "a/one" },
    "deep/er/est": "3".repeat(200_000),
  });
  Deno.linkSync(scratch.join("a/one"), scratch.join("a/two"));
  // Without FFI times are exact to a millisecond.
  for (const path of build(scratch.path).entries.keys()) {
    const name = scratch.join(path.slice(1));
    assert.equal(host.utimensAt(host.At.FDCWD, name, 0, 0, 1_700_000_000, 5_000_000), 0);
  }
  const expected = build(scratch.path);
  const plain = build(scratch.path, { makeSource: makePlainSource });
  assert.deepEqual(plain.metadata, expected.metadata);
  assert.equal(plain.report.counts.hardlink, 1);
});

Deno.test("a writer of three methods takes what the builder finds, and may read a file later", () => {
  using scratch = new TempDirectory("later");
  makeTree(scratch.path, { "d/x": "content", "gone": "1", "link": { symlink: "d" } });
  const log: string[] = [];
  const files: SourceEntry[] = [];
  const sink = new MemorySink();
  const report = buildInto(
    scratch.path,
    (root) => {
      const encoder = new PxarEncoder(sink, { root });
      return {
        add(name, entry) {
          log.push(`${entry.kind} ${name}`);
          if (!(entry instanceof SourceEntry)) return encoder.add(name, entry);
          files.push(entry);
          if (name === "gone") Deno.removeSync(scratch.join("gone"));
          return -files.length;
        },
        finishDirectory() {
          log.push("end");
          for (const file of files.splice(0)) assert.throws(() => file.open(), UsageError);
          encoder.finishDirectory();
        },
        finish() {
          for (const file of files) file.addTo(encoder);
          return encoder.finish();
        },
      };
    },
    false,
    {},
  );
  assert.deepEqual(log, ["directory d", "file x", "end", "file gone", "symlink link"]);
  assert.deepEqual(report.problems.map(({ kind, path }) => [kind, path]), [["vanished", "/gone"]]);
  assert.equal(report.sizes?.metadataSize, sink.bytes().length);
  assert.equal(report.entryCount, 4);
});
